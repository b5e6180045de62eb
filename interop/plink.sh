#!/usr/bin/env bash
# A case-control study of two hospitals, encrypted, against PLINK on the people themselves: frequencies, odds ratios, standard
# errors, chi-squares and P values of the allelic test, the trend test, Fisher's test and logistic regression.
# Needs plink2 and plink1.9 (Debian has both).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/cipherfold" ./cmd/cipherfold
PATH=$work:$PATH

# People with missing and half-missing calls, common and rare variants.
made() {
	awk 'BEGIN { srand(14); n = 300
		print "##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"genotype\">"
		printf "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
		for (i = 0; i < n; i++) printf "\tp%03d", i
		print ""
		for (v = 1; v <= 150; v++) {
			f = v % 5 ? rand() : rand() / 40
			printf "1\t%d\t.\tA\tC\t.\tPASS\t.\tGT", 1000 * v
			for (i = 0; i < n; i++) {
				p = i % 3 ? f : f * (0.7 + rand() * 0.5)
				printf "\t%s", rand() < 0.06 ? "./." : (rand() < p) "/" (rand() < p)
			}
			print ""
		} }' > "$work/made.vcf"
	echo "$work/made.vcf"
}

# compare TITLE OURS THEIRS: lines of an id and numbers; "." and NA are nothing. PLINK writes so many digits.
compare() {
	awk -v title="$1" -v digits="$4" 'function abs(x) { return x < 0 ? -x : x }
		NR == FNR { for (i = 2; i <= NF; i++) ours[$1, i] = $i; next }
		{ for (i = 2; i <= NF; i++) {
			a = ours[$1, i]; b = $i
			if (a == "" || a == "." || b == "NA" || b == "inf" || b == "nan") continue
			n++
			if (abs(a - b) > 0.6 * 10 ^ (1 - digits) * abs(b) && abs(a - b) > 1e-300) { print title ": " $1 ", number " i - 1 ": " a ", PLINK has " b; bad++ }
		} }
		END { if (bad || n < 30) { print title ": " n + 0 " numbers, " bad + 0 " differ"; exit 1 } print "   " title ": " n " numbers agree" }' "$2" "$3"
}

# table FILE COLUMN...: ids and columns of a result.
table() {
	local file=$1
	shift
	awk -F '\t' -v want="$*" 'NR == 1 { n = split(want, w, " "); for (i = 1; i <= NF; i++) at[$i] = i; next }
		{ printf "%s:%s:%s:%s", $1, $2, $3, $4; for (i = 1; i <= n; i++) printf " %s", $at[w[i]] == "" ? "." : $at[w[i]]; print "" }' "$file"
}

# picked FILE COLUMN...: the same of a table of PLINK, by its column SNP or ID.
picked() {
	local file=$1
	shift
	awk -v want="$*" 'NR == 1 { sub(/^#/, ""); n = split(want, w, " "); for (i = 1; i <= NF; i++) at[$i] = i; id = ("SNP" in at) ? at["SNP"] : at["ID"]; next }
		!("TEST" in at) || $at["TEST"] == "ADD" || $at["TEST"] == "TREND" { printf "%s", $id; for (i = 1; i <= n; i++) printf " %s", $at[w[i]]; print "" }' "$file"
}

study() { # NAME VCF
	local dir=$work/$1 vcf=$2 group hospital
	mkdir "$dir"
	if [[ $vcf = *.gz ]]; then gzip -dc "$vcf"; else cat "$vcf"; fi | awk '/^#CHROM/ { for (i = 10; i <= NF; i++) print $i }' > "$dir/people"
	awk -v d="$dir" '{ print > (d "/" (NR % 3 == 1 ? "cases" : "controls") "-" (NR % 2 ? "north" : "south")) }' "$dir/people"
	{ printf '#IID\tPHENO\n'; awk '{ print $1 "\t" (NR % 3 == 1 ? 2 : 1) }' "$dir/people"; } > "$dir/pheno"

	cipherfold keygen --out "$dir/keys" --plain --bits 2048 --variant mhl --quiet > /dev/null
	for group in cases controls; do
		for hospital in north south; do
			cipherfold encrypt --quiet --key "$dir/keys/public.json" --in "$vcf" --samples "$dir/$group-$hospital" --out "$dir/$group-$hospital.cf.parquet" \
				--id chrom,pos,ref,alt --measure AC:max=6000 AN:max=6000 HET:max=3000 HOM:max=3000 --layout blocks > /dev/null
		done
		cipherfold fuse --quiet --in "$dir/$group-north.cf.parquet" "$dir/$group-south.cf.parquet" --out "$dir/$group.cf.parquet" > /dev/null
		cipherfold decrypt --quiet --key "$dir/keys/secret.json" --in "$dir/$group.cf.parquet" --out "$dir/$group.tsv" > /dev/null
	done
	for test in allelic trend logistic; do
		cipherfold assoc --cases "$dir/cases.tsv" --controls "$dir/controls.tsv" --out "$dir/$test.tsv" --test $test | sed "s|$dir/||"
	done

	plink2 --vcf "$vcf" --max-alleles 2 --set-all-var-ids '@:#:$r:$a' --new-id-max-allele-len 200 --rm-dup exclude-all --pheno "$dir/pheno" --make-bed --out "$dir/people" > "$dir/log"
	plink2 --bfile "$dir/people" --glm no-firth omit-ref allow-no-covars --out "$dir/glm" > "$dir/log"
	plink1.9 --bfile "$dir/people" --keep-allele-order --allow-no-sex --assoc --ci 0.95 --out "$dir/assoc" > "$dir/log"
	plink1.9 --bfile "$dir/people" --keep-allele-order --allow-no-sex --assoc fisher --out "$dir/fisher" > "$dir/log"
	plink1.9 --bfile "$dir/people" --keep-allele-order --allow-no-sex --model --cell 0 --out "$dir/model" > "$dir/log"
	compare "$1, allelic" <(table "$dir/allelic.tsv" AF_cases AF_controls CHISQ P OR SE L95 U95) <(picked "$dir/assoc.assoc" F_A F_U CHISQ P OR SE L95 U95) 4
	compare "$1, Fisher" <(table "$dir/allelic.tsv" P_EXACT) <(picked "$dir/fisher.assoc.fisher" P) 4
	compare "$1, trend" <(table "$dir/trend.tsv" CHISQ P) <(picked "$dir/model.model" CHISQ P) 4
	# plink2 stops its iteration, in single precision, when P has four digits.
	compare "$1, logistic" <(table "$dir/logistic.tsv" OR SE P) <(picked "$dir/glm.PHENO1.glm.logistic" OR 'LOG(OR)_SE' P) 4
}

study made "$(made)"
real=../shared/data/1kg_phase3_chr22_16-16.5mb.vcf.gz
if [ -e "$real" ]; then study 1000genomes "$real"; else echo "no 1000 Genomes excerpt here: the made-up people alone"; fi
