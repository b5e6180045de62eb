#!/usr/bin/env bash
# Pages of results in a real browser: a decrypted table, and an association of the whole genome. The check is that of bench/papers.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/cipherfold" ./cmd/cipherfold
PATH=$work:$PATH

# Allele counts of cases and controls, with an association on chromosome 7.
awk -v d="$work" 'function count(p) { return int(2000 * p + 20 * (rand() + rand() + rand() + rand() - 2)) }
	BEGIN { srand(3)
	for (g = 0; g < 2; g++) print "chrom,pos,id,ref,alt,AC_sum,AC_count,AN_sum" > (d "/" g ".csv")
	for (c = 1; c <= 23; c++) for (i = 0; i < 900 - 30 * c; i++) {
		p = 0.1 + 0.8 * rand()
		for (g = 0; g < 2; g++) print (c == 23 ? "X" : c) "," 1000 * i + 1 "," (i % 3 ? "rs" 1000 * c + i : "." ) ",A,G," count(p + (g && c == 7 && i > 300 && i < 305) * 0.08) ",3,2000" > (d "/" g ".csv")
	} }'
cipherfold assoc --quiet --cases "$work/1.csv" --controls "$work/0.csv" --out "$work/assoc.tsv" --report "$work/assoc.html" > /dev/null

cipherfold keygen --quiet --out "$work/keys" --plain --bits 2048 --variant mhl > /dev/null
for bank in north south west; do
	cipherfold encrypt --quiet --key "$work/keys/public.json" --in testdata/brain-$bank.tsv --out "$work/$bank.cf.parquet" --source $bank \
		--id gene,region --measure expression:decimals=1:max=10000 > /dev/null
done
cipherfold fuse --quiet --in "$work"/*.cf.parquet --out "$work/fused.cf.parquet" --by gene > /dev/null
cipherfold decrypt --quiet --key "$work/keys/secret.json" --in "$work/fused.cf.parquet" --out "$work/sums.csv" --min-count 3 --report "$work/sums.html" > /dev/null

for page in assoc sums; do bash bench/papers/browser/run.sh "$work/$page.html" 2 "1280 700 390"; done
