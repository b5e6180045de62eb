package vcfio

import (
	"strconv"
	"strings"
)

// isBases says whether an allele is spelled out: letters of the IUPAC code for nucleotides, in either case.
func isBases(a []byte) bool {
	for _, c := range a {
		if !iupac[c] {
			return false
		}
	}
	return len(a) > 0
}

var iupac = func() (t [256]bool) {
	for _, c := range "ACGTURYSWKMBDHVN" {
		t[c], t[c|0x20] = true, true
	}
	return t
}()

// isSymbolic says whether an allele is not spelled out: <ID>, * for an overlapping deletion, or a breakend, which has
// square brackets or begins or ends with a dot.
func isSymbolic(a []byte) bool {
	n := len(a)
	switch {
	case n == 0:
		return false
	case n == 1:
		return a[0] == '*'
	case a[0] == '<':
		if a[n-1] != '>' || n == 2 {
			return false
		}
		for _, c := range a[1 : n-1] {
			if c == '<' || c == '>' || c <= ' ' || c == ',' {
				return false
			}
		}
		return true
	}
	brackets := 0
	for _, c := range a {
		switch {
		case c == '[' || c == ']':
			brackets++
		case c <= ' ' || c == ',':
			return false
		}
	}
	if brackets == 2 {
		return true
	}
	return brackets == 0 && (a[0] == '.' && isBases(a[1:]) || a[n-1] == '.' && isBases(a[:n-1]))
}

// upper appends bases in upper case.
func upper(dst, a []byte) []byte {
	for _, c := range a {
		dst = append(dst, c&^0x20)
	}
	return dst
}

// trim removes the bases that two alleles share, at the end and then at the beginning, as long as both keep one. shift
// is how much further right the variant begins. (Tan, Abecasis and Kang, Unified representation of genetic variants,
// Bioinformatics 31, 2015, without the step that needs the reference genome.)
func trim(ref, alt []byte) (r, a []byte, shift int) {
	for len(ref) > 1 && len(alt) > 1 && ref[len(ref)-1] == alt[len(alt)-1] {
		ref, alt = ref[:len(ref)-1], alt[:len(alt)-1]
	}
	for len(ref) > 1 && len(alt) > 1 && ref[0] == alt[0] {
		ref, alt, shift = ref[1:], alt[1:], shift+1
	}
	return ref, alt, shift
}

// chromName is the name of a chromosome as it is delivered. With Strip the mitochondrial one is MT, whether it was chrM, M
// or MT.
func (o *Options) chromName(name string) string {
	if o.ChromPrefix != Strip {
		return name
	}
	if len(name) > 3 && name[:3] == "chr" {
		name = name[3:]
	}
	if name == "M" {
		return "MT"
	}
	return name
}

// NormaliseVariant rewrites a variant that is one text, CHROM:POS:REF:ALT, as Open does with Strip and Trim:
// chr17:100:CAA:CA becomes 17:100:CA:C. It returns false for a text that is not such a variant.
func NormaliseVariant(text string) (string, bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[0] == "" {
		return "", false
	}
	pos, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return "", false
	}
	ref, alt := []byte(parts[2]), []byte(parts[3])
	if !isBases(ref) || !isBases(alt) && !isSymbolic(alt) {
		return "", false
	}
	shift := 0
	ref = upper(nil, ref)
	if isBases(alt) {
		ref, alt, shift = trim(ref, upper(nil, alt))
		if string(ref) == string(alt) {
			return "", false
		}
	}
	o := Options{ChromPrefix: Strip}
	return o.chromName(parts[0]) + ":" + strconv.FormatUint(pos+uint64(shift), 10) + ":" + string(ref) + ":" + string(alt), true
}
