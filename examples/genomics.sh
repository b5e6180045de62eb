#!/bin/sh
# Five biobanks, each with other people's genotypes at the same variants; and three brain banks, each with the expression of the
# same genes in other regions. Allele frequencies over all biobanks, and one table of all regions joined by tokens of the genes,
# compared with the plain computation.
#
#   sh examples/genomics.sh
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

cipherfold keygen --out "$work/keys" --plain --variant mhl --bits 2048

# Synthetic genotypes: 200 variants, a few with two or three alternative alleles, some calls missing in whole or in part.
for bank in 1 2 3 4 5; do
	awk -v bank="$bank" 'BEGIN {
		OFS = "\t"
		print "##fileformat=VCFv4.2"
		printf "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
		for (s = 1; s <= 12; s++) printf "\tB%dS%02d", bank, s
		print ""
		srand(bank)
		for (v = 1; v <= 200; v++) {
			alleles = 1 + (v % 10 == 0) + (v % 20 == 0)
			alt = "C"; if (alleles > 1) alt = alt ",G"; if (alleles > 2) alt = alt ",T"
			printf "chr%d\t%d\t.\tA\t%s\t.\tPASS\t.\tGT", 1 + int(v / 101), 100 * v, alt
			for (s = 1; s <= 12; s++) {
				a = rand() < 0.05 ? "." : int(rand() * 1.4 * alleles); if (a != "." && a > alleles) a = alleles
				b = rand() < 0.05 ? "." : int(rand() * 1.4 * alleles); if (b != "." && b > alleles) b = alleles
				printf "\t%s/%s", a, b
			}
			print ""
		}
	}' > "$work/bank$bank.vcf"
	cipherfold encrypt --key "$work/keys/public.json" --in "$work/bank$bank.vcf" --out "$work/bank$bank.cf.parquet" \
		--id chrom,pos,ref,alt --measure AC:max=1000 AN:max=1000 --layout blocks --chrom-prefix strip
done
cipherfold fuse --in "$work"/bank?.cf.parquet --out "$work/variants.cf.parquet"
cipherfold decrypt --key "$work/keys/secret.json" --in "$work/variants.cf.parquet" --out "$work/frequencies.tsv" --ratio AF=AC/AN

# The same in the clear: of each alternative allele, how often it and any allele was called.
awk -F '\t' '!/^#/ {
	n = split($5, alt, ","); sub(/^chr/, "", $1)
	for (i = 10; i <= NF; i++) {
		split($i, allele, "/")
		for (k = 1; k <= 2; k++) if (allele[k] != ".")
			for (j = 1; j <= n; j++) { id = $1 "\t" $2 "\t" $4 "\t" alt[j]; an[id]++; ac[id] += allele[k] == j }
	}
}
END { for (id in an) printf "%s\t%d\t%d\n", id, ac[id], an[id] }' "$work"/bank?.vcf | sort > "$work/plain"
awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	{ print $1 "\t" $2 "\t" $3 "\t" $4 "\t" $at["AC_sum"] "\t" $at["AN_sum"]
	  d = $at["AF"] - $at["AC_sum"] / $at["AN_sum"]; if (d > 1e-15 || d < -1e-15) exit 1 }' "$work/frequencies.tsv" | sort > "$work/decrypted"
cmp "$work/plain" "$work/decrypted"
echo "$(wc -l < "$work/plain" | tr -d ' ') alleles of 5 biobanks: every AC, AN and AF equals the plain one"

# Tokens: the aggregator joins genes that it cannot read. The owners share the key of tokens, and nobody else has it.
cipherfold keygen --token-key "$work/tokens.json"
for bank in north south west; do
	awk -F '\t' -v bank="$bank" 'NR == 1 { print; next } { print $1 "." 1 + length(bank), $2, $3 }' OFS='\t' "testdata/brain-$bank.tsv" > "$work/$bank.tsv"
	cipherfold encrypt --key "$work/keys/public.json" --in "$work/$bank.tsv" --out "$work/$bank.cf.parquet" \
		--id gene:ensembl --pivot region:expression --measure '*:decimals=1:max=10000:unit=TPM:range=0..10000' \
		--tokenize gene --token-key "$work/tokens.json"
done
cipherfold fuse --in "$work/north.cf.parquet" "$work/south.cf.parquet" "$work/west.cf.parquet" --out "$work/brain.cf.parquet" --count-unmatched
cipherfold decrypt --key "$work/keys/secret.json" --in "$work/brain.cf.parquet" --out "$work/brain.tsv"
cipherfold tokens --in testdata/brain.tsv --out "$work/genes.tsv" --id gene --tokenize gene --token-key "$work/tokens.json"
awk -F '\t' '
	FILENAME == ARGV[1] { if (FNR > 1) gene[$2] = $1; next }
	FILENAME == ARGV[2] { if (FNR == 1) split($0, region); else for (i = 2; i <= NF; i++) want[$1, region[i]] = $i; next }
	FNR == 1 { split($0, name); next }
	{
		if (!($1 in gene)) { print "unknown token " $1; wrong++ }
		for (i = 2; i <= NF; i++) if (name[i] ~ /_sum$/) {
			r = name[i]; sub(/_sum$/, "", r); x = want[gene[$1], r]
			missing = x == "" || x == "NA"
			if ($(i + 1) != (missing ? 0 : 1) || $i + 0 != x + 0) { print gene[$1], r, $i, x; wrong++ }
			values++
		}
	}
	END { if (wrong || values != 2000) exit 1; print "200 genes in 10 regions joined by tokens: every value equals the plain one" }' \
	"$work/genes.tsv" testdata/brain.tsv "$work/brain.tsv"
