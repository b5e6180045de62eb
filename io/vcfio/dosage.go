package vcfio

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
)

// Dosages are held as integers, times 10^dosageDecimals.
const (
	dosageDecimals  = 9
	dosageUnit      = 1_000_000_000
	dosagePrecision = 18
)

// scanDosages reads DS of all samples.
func (s *sampleScanner) scanDosages(samples []byte) *column.InputError {
	if s.ds < 0 {
		return column.Refuse("", "FORMAT %s has no DS", column.Quote(string(s.format))).InColumn("FORMAT").
			WithHint("Leave ‹dosage› DS out to count genotypes (GT).")
	}
	for i, name := range s.header.samples {
		cell, rest, err := s.cell(samples, i)
		if err != nil {
			return err
		}
		samples = rest
		ploidy := 2
		if s.gt >= 0 {
			g, _ := field(cell, s.gt)
			ploidy = ploidyOf(g)
		}
		text, ok := field(cell, s.ds)
		present := ok && !allDots(text)
		if present {
			if err := s.readDosages(text, ploidy, name); err != nil {
				return err
			}
		}
		if !s.all && !s.chosen[i] {
			continue
		}
		switch {
		case s.outputs > 0:
			for k := range s.alleles {
				v := int64(noDosage)
				if present {
					v = s.values[k]
				}
				s.dosage[k*s.outputs+s.output[i]] = v
			}
		case !present:
			s.missing++
		default:
			s.an += int64(ploidy)
			for k, v := range s.values {
				s.ac[k] += v
			}
		}
	}
	return nil
}

// ploidyOf returns the number of alleles of a genotype, called or not. A single dot says nothing, and counts as two.
func ploidyOf(g []byte) int {
	if string(g) == "." {
		return 2
	}
	n := 1 + bytes.Count(g, []byte{'/'}) + bytes.Count(g, []byte{'|'})
	if len(g) > 0 && (g[0] == '/' || g[0] == '|') { // how the first allele is phased
		n--
	}
	return n
}

// allDots says whether a DS is missing: ".", or ".,." for two alleles.
func allDots(text []byte) bool {
	for i, c := range text {
		if c != ".,"[i%2] {
			return false
		}
	}
	return len(text)%2 == 1
}

// readDosages reads one number per alternative allele into s.values.
func (s *sampleScanner) readDosages(text []byte, ploidy int, sample string) *column.InputError {
	s.values = s.values[:0]
	refuse := func(format string, args ...any) *column.InputError {
		return column.Refuse("", format, args...).InColumn(sample)
	}
	for rest := text; ; {
		one, after, more := bytes.Cut(rest, []byte{','})
		v, ok := parseDosage(one)
		switch {
		case !ok && len(one) > 0 && one[0] == '-':
			return refuse("DS %s is below 0", column.Quote(string(text))).WithHint("A dosage is an expected number of alleles.")
		case !ok && isNaN(one):
			return refuse("DS %s is not a number", column.Quote(string(text))).WithHint("A dosage that is missing is a dot.")
		case !ok:
			return refuse("DS %s is not a number of at most %d decimals", column.Quote(string(text)), dosageDecimals).WithHint("Round the dosages first.")
		case v < 0 || v > int64(ploidy)*dosageUnit:
			return refuse("DS %s is not between 0 and %d", column.Quote(string(text)), ploidy).WithHint("A dosage is an expected number of alleles.")
		}
		s.values = append(s.values, v)
		if !more {
			break
		}
		rest = after
	}
	if len(s.values) != s.alleles {
		return refuse("DS %s has %d numbers for %d alternative alleles", column.Quote(string(text)), len(s.values), s.alleles).
			WithHint("DS has a number for each allele in ALT (Number=A).")
	}
	return nil
}

// isNaN says whether text is how programs write what is no number, or infinite.
func isNaN(text []byte) bool {
	switch strings.ToLower(strings.TrimLeft(string(text), "+")) {
	case "nan", "inf", "infinity", "na", "null":
		return true
	}
	return false
}

// parseDosage reads a decimal number, also with an exponent, exactly. ok is false if it has more than dosageDecimals
// decimals or is too large to be a dosage.
func parseDosage(text []byte) (v int64, ok bool) {
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		n, err := strconv.Atoi(string(text[i+1:]))
		if err != nil || n < -99 || n > 99 {
			return 0, false
		}
		mantissa, exponent = text[:i], n
	}
	const most = (1<<63 - 10) / 10
	digits, decimals, point := 0, 0, false
	for _, c := range mantissa {
		if c == '.' {
			if point {
				return 0, false
			}
			point = true
			continue
		}
		if c-'0' > 9 || v > most {
			return 0, false
		}
		v, digits = v*10+int64(c-'0'), digits+1
		if point {
			decimals++
		}
	}
	if digits == 0 {
		return 0, false
	}
	for shift := dosageDecimals - decimals + exponent; shift != 0 && v != 0; {
		if shift > 0 {
			if v > most {
				return 0, false
			}
			v, shift = v*10, shift-1
			continue
		}
		if v%10 != 0 {
			return 0, false
		}
		v, shift = v/10, shift+1
	}
	return v, true
}
