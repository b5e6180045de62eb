#!/bin/sh
# Three brain banks, an aggregator without a key and a key holder: for every gene the sum, count, mean and variance of its
# expression over the regions of all banks. This is the README's walk-through; at the end every decrypted number is
# compared with the plain computation.
#
#   sh examples/three-roles.sh
#
# Needs sh, awk and go. CIPHERFOLD=/path/to/cipherfold uses a program that is built already.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

if [ -z "${CIPHERFOLD:-}" ]; then
	go build -o "$work/cipherfold" ./cmd/cipherfold
	CIPHERFOLD=$work/cipherfold
fi
cipherfold() { "$CIPHERFOLD" --quiet "$@"; }

echo "1. The key holder makes a key pair and gives public.json to the owners."
(umask 077; echo "correct horse battery staple" > "$work/passphrase")
cipherfold keygen --out "$work/keys" --passphrase-file "$work/passphrase"

echo "2. Each owner encrypts its own table."
mkdir "$work/inbox"
for bank in north south west; do
	cipherfold encrypt --key "$work/keys/public.json" --in "testdata/brain-$bank.tsv" --out "$work/inbox/$bank.cf.parquet" \
		--id gene,region --measure expression:decimals=1:max=10000 --square expression --source "$bank"
done

echo "3. The aggregator, who has no key, fuses the encrypted tables by gene."
cipherfold fuse --in "$work/inbox" --out "$work/fused.cf.parquet" --by gene --min-group 5

echo "4. The key holder decrypts the result."
cipherfold decrypt --key "$work/keys/secret.age" --passphrase-file "$work/passphrase" \
	--in "$work/fused.cf.parquet" --out "$work/sums.csv"
head -n 4 "$work/sums.csv"

echo "5. The decrypted table against the plain computation."
# In tenths, so that sums are whole numbers, which awk adds exactly.
awk -F'\t' '
	FNR == 1 || $3 == "NA" { next }
	{ x = int($3 * 10 + 0.5); n[$1]++; sum[$1] += x; square[$1] += x * x }
	END {
		for (gene in n) {
			mean = sum[gene] / n[gene] / 10
			variance = "-" # undefined for one value
			if (n[gene] > 1) variance = sprintf("%.17g", (n[gene] * square[gene] - sum[gene] * sum[gene]) / (n[gene] * (n[gene] - 1)) / 100)
			printf "%s %.1f %d %.17g %s\n", gene, sum[gene] / 10, n[gene], mean, variance
		}
	}' testdata/brain-north.tsv testdata/brain-south.tsv testdata/brain-west.tsv > "$work/plain"

awk '
	function near(a, b) { d = a - b; m = a < 0 ? -a : a; return (d < 0 ? -d : d) <= 1e-12 * (m + 1) }
	function complain(what, want, got) { printf "%s of %s: %s, plain %s\n", what, gene, got, want; wrong++ }
	FNR == NR { plain[$1] = $0; genes++; next }
	FNR == 1 {
		if ($0 != "gene,expression_sum,expression_count,expression_mean,expression_var") { print "columns: " $0; wrong++ }
		next
	}
	{
		split($0, got, ","); gene = got[1]
		if (split(plain[gene], want, " ") == 0) { print "a gene that no bank has: " gene; wrong++; next }
		compared++
		if (got[2] != want[2]) complain("sum", want[2], got[2])
		if (got[3] != want[3]) complain("count", want[3], got[3])
		if (!near(want[4], got[4])) complain("mean", want[4], got[4])
		if (want[5] == "-" ? got[5] != "" : !near(want[5], got[5])) complain("variance", want[5], got[5])
	}
	END {
		if (compared != genes) { printf "%d genes came back, there are %d\n", compared, genes; wrong++ }
		if (wrong) exit 1
		printf "   all right: sums, counts, means and variances of %d genes agree\n", compared
	}' "$work/plain" "$work/sums.csv"
