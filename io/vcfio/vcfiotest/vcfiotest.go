// Package vcfiotest makes VCF files for tests, and counts their alleles in the most straightforward way.
package vcfiotest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Shape says what Random makes.
type Shape struct {
	Samples      []string
	Records      int
	Multiallelic bool // some records have up to 12 alternative alleles
	Missing      bool // some calls are missing, wholly or in part
	Ploidy       bool // some genotypes have one allele, or three
	Fields       bool // some records have FORMAT fields besides GT
	Plain        bool // GT is always two one-digit alleles
}

// Random returns a VCF file on the chromosomes 21, 22 and X.
func Random(rng *rand.Rand, s Shape) string {
	var b strings.Builder
	b.WriteString("##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n")
	b.WriteString("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + strings.Join(s.Samples, "\t") + "\n")
	chroms := []string{"21", "22", "X"}
	pos := 100
	for i := range s.Records {
		chrom := chroms[i*len(chroms)/s.Records]
		if i > 0 && chrom != chroms[(i-1)*len(chroms)/s.Records] {
			pos = 100
		}
		pos += 10 + rng.IntN(20)
		alts := 1
		if s.Multiallelic && rng.IntN(3) == 0 {
			alts = 2 + rng.IntN(3)
			if rng.IntN(5) == 0 {
				alts = 12
			}
		}
		ref, list := alleles(rng, alts)
		format := "GT"
		if s.Fields && rng.IntN(2) == 0 {
			format = "GT:DP:GQ"
		}
		fmt.Fprintf(&b, "%s\t%d\t.\t%s\t%s\t.\tPASS\t.\t%s", chrom, pos, ref, list, format)
		for range s.Samples {
			b.WriteByte('\t')
			b.WriteString(genotype(rng, alts, s))
			if format != "GT" && rng.IntN(4) > 0 {
				fmt.Fprintf(&b, ":%d", rng.IntN(100))
				if rng.IntN(2) == 0 {
					b.WriteString(":.")
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// alleles returns a reference allele and n alternative ones with commas. All are different and have nothing to trim:
// their first letters differ, or they have only one base.
func alleles(rng *rand.Rand, n int) (ref, alts string) {
	if n == 1 {
		i := rng.IntN(4)
		return "ACGT"[i : i+1], "CGTA"[i : i+1]
	}
	var list []string
	for k := range n {
		list = append(list, "C"+strings.Repeat("G", k))
	}
	return "A", strings.Join(list, ",")
}

func genotype(rng *rand.Rand, alts int, s Shape) string {
	ploidy := 2
	if s.Ploidy {
		ploidy = []int{1, 2, 2, 2, 2, 3}[rng.IntN(6)]
	}
	if s.Missing && rng.IntN(10) == 0 {
		return []string{".", "./.", ".|."}[rng.IntN(3)]
	}
	sep := []string{"/", "|"}[rng.IntN(2)]
	var parts []string
	for range ploidy {
		a := 0
		if rng.IntN(3) == 0 {
			a = 1 + rng.IntN(min(alts, 9))
			if !s.Plain && alts > 9 && rng.IntN(2) == 0 {
				a = 1 + rng.IntN(alts)
			}
		}
		part := strconv.Itoa(a)
		if s.Missing && rng.IntN(15) == 0 {
			part = "."
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, sep)
}

// Row is what Count finds of one alternative allele.
type Row struct {
	Chrom, Ref, Alt           string
	Pos                       int
	AC, AN, Missing, Het, Hom int
	Dosages                   []int // of each sample counted, -1 for none
}

// Count counts the alleles of the named samples, record by record; alleles are as they are in the file.
func Count(text string, samples []string) []Row {
	var rows []Row
	wanted := map[string]bool{}
	for _, s := range samples {
		wanted[s] = true
	}
	var names []string
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#CHROM") {
			names = cells[9:]
		}
		if line == "" || line[0] == '#' {
			continue
		}
		pos, err := strconv.Atoi(cells[1])
		if err != nil {
			panic(err)
		}
		for k, alt := range strings.Split(cells[4], ",") {
			r := Row{Chrom: cells[0], Pos: pos, Ref: cells[3], Alt: alt}
			for i, cell := range cells[9:] {
				if !wanted[names[i]] {
					continue
				}
				gt := strings.Split(strings.TrimPrefix(strings.ReplaceAll(strings.Split(cell, ":")[0], "|", "/"), "/"), "/")
				called, mine, whole := 0, 0, true
				for _, a := range gt {
					n, err := strconv.Atoi(a)
					switch {
					case err != nil:
						whole = false
					case n == k+1:
						mine++
						called++
					default:
						called++
					}
				}
				r.AC += mine
				r.AN += called
				dosage := mine
				switch {
				case called == 0:
					r.Missing++
					dosage = -1
				case mine > 0 && mine < called:
					r.Het++
				case mine > 0 && whole:
					r.Hom++
				}
				r.Dosages = append(r.Dosages, dosage)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// Names returns n sample names that begin with a prefix.
func Names(prefix string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%s%03d", prefix, i))
	}
	return out
}
