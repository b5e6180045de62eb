#!/bin/sh
# Makes the excerpts in this folder from the two files that README.md names.
#
#   sh testdata/make.sh RNAtableExtended.tsv.gz vitals_long.csv.gz
#
# The first is kircherlab/cfDNA's table of the Human Protein Atlas; the second lists the measurements of
# PhysioNet's Challenge 2012, set A, as record,minute,parameter,value.
set -eu
rna=$1 vitals=$2
cd "$(dirname "$0")"
export LC_ALL=C

# Every 98th gene, 200 of them, in ten regions of the brain.
regions='amygdala,cerebellum,cerebral cortex,hippocampal formation,hypothalamus,midbrain,thalamus,corpus callosum,pons and medulla,spinal cord'
gzip -dc "$rna" | tr -d '\r' | awk -F'\t' -v OFS='\t' -v regions="$regions" '
	NR == 1 {
		n = split(regions, name, ",")
		for (i = 1; i <= NF; i++) at[$i] = i
		line = "gene"
		for (i = 1; i <= n; i++) line = line OFS name[i]
		print line
		next
	}
	NR % 98 == 2 && ++genes <= 200 {
		line = $1
		for (i = 1; i <= n; i++) line = line OFS $at[name[i]]
		print line
	}' > brain.tsv

# The same numbers as three brain banks would hold them: one row for each gene and region.
bank() { # NAME FIRST LAST: columns of brain.tsv
	awk -F'\t' -v OFS='\t' -v first="$2" -v last="$3" '
		NR == 1 { for (i = first; i <= last; i++) region[i] = $i; print "gene", "region", "expression"; next }
		{ for (i = first; i <= last; i++) print $1, region[i], $i }' brain.tsv > "brain-$1.tsv"
}
bank north 2 5
bank south 6 8
bank west 9 11

# The first 500 moments at which heart rate or systolic pressure was read, of stays in which both ever were.
gzip -dc "$vitals" | tr -d '\r' | awk -F, -v OFS=, '
	$3 == "HR" || $3 == "SysABP" {
		key = $1 OFS $2
		if (!(key in seen)) { seen[key] = 1; order[++n] = key; stay[n] = $1 }
		value[key, $3] = $4
		has[$1, $3] = 1
	}
	END {
		for (i = 1; i <= n && rows < 500; i++) {
			if (!((stay[i], "HR") in has) || !((stay[i], "SysABP") in has)) continue
			if (stay[i] != last) { last = stay[i]; stays++ }
			file = stays % 2 ? "icu-east.csv" : "icu-west.csv"
			if (!(file in begun)) { begun[file] = 1; print "record,minute,HR,SysABP" > file }
			print order[i], value[order[i], "HR"], value[order[i], "SysABP"] > file
			rows++
		}
	}'
