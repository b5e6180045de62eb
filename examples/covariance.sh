#!/bin/sh
# Two hospitals and one question: how do heart rate and systolic pressure vary together, over all measurements of both
# hospitals? Squares and products are encrypted beside the values; the aggregator folds everything into one total, and
# the key holder learns means, variances, covariance and correlation, and no patient's numbers.
#
#   sh examples/covariance.sh
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

cipherfold keygen --out "$work/keys" --plain

# A total adds up every record of every hospital, so there must be room for all of them: --max-adds 10000.
for hospital in east west; do
	cipherfold encrypt --key "$work/keys/public.json" --in "testdata/icu-$hospital.csv" --out "$work/$hospital.cf.parquet" \
		--id record,minute --measure HR:max=400 SysABP:max=400 --square HR SysABP --product 'HR*SysABP' \
		--layout blocks --max-adds 10000 --source "$hospital"
done

cipherfold fuse --in "$work/east.cf.parquet" "$work/west.cf.parquet" --out "$work/total.cf.parquet" --total --min-group 100
cipherfold decrypt --key "$work/keys/secret.json" --in "$work/total.cf.parquet" --out "$work/total.csv"

echo "decrypted:"
cat "$work/total.csv"

# The same in the clear. Variances are over all values of a measure, covariance and correlation over the moments at which both
# were measured.
awk -F, '
	function variance(n, s, q) { return (n * q - s * s) / (n * (n - 1)) }
	FNR == 1 { next }
	$3 != "" { n++; s += $3; q += $3 * $3 }
	$4 != "" { m++; t += $4; r += $4 * $4 }
	$3 != "" && $4 != "" { k++; x += $3; y += $4; xx += $3 * $3; yy += $4 * $4; xy += $3 * $4 }
	END {
		cov = (k * xy - x * y) / (k * (k - 1))
		printf "%d,%d,%.17g,%.17g,%d,%d,%.17g,%.17g,%.17g,%.17g\n", s, n, s / n, variance(n, s, q), t, m, t / m, variance(m, t, r),
			cov, cov / sqrt(variance(k, x, xx) * variance(k, y, yy))
	}' testdata/icu-east.csv testdata/icu-west.csv > "$work/plain"
echo "plain:"
cat "$work/plain"

awk -F, '
	function near(a, b) { d = a - b; m = a < 0 ? -a : a; return (d < 0 ? -d : d) <= 1e-12 * (m + 1) }
	FNR == NR { fields = split($0, want); next }
	FNR == 1 { split($0, name); next }
	{
		rows++
		if (NF != fields) { printf "%d columns, expected %d\n", NF, fields; wrong++ }
		for (i = 1; i <= NF; i++) {
			whole = name[i] ~ /_(sum|count)$/
			if (whole ? $i != want[i] : !near(want[i], $i)) { printf "%s: %s, plain %s\n", name[i], $i, want[i]; wrong++ }
		}
	}
	END {
		if (wrong || rows != 1) { print "different"; exit 1 }
		print "all right: every decrypted number agrees with the plain one"
	}' "$work/plain" "$work/total.csv"
