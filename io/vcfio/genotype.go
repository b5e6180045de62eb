package vcfio

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/cipherfold/cipherfold/io/column"
)

const (
	ploidyMax  = 64
	allelesMax = 1 << 12 // alternative alleles of a record
)

// counts are the numbers of one record, for each alternative allele where they are slices.
type counts struct {
	an, missing  int64
	ac, het, hom []int64
	dosage       []int64 // per sample: alternative allele k of output sample j is at k*outputs + j; noDosage without a call
}

// noDosage stands for a missing dosage.
const noDosage = -1

func (c *counts) reset(alleles, outputs int) {
	c.an, c.missing = 0, 0
	for _, s := range []*[]int64{&c.ac, &c.het, &c.hom} {
		*s = slices.Grow((*s)[:0], alleles)[:alleles]
		clear(*s)
	}
	c.dosage = slices.Grow(c.dosage[:0], alleles*outputs)[:alleles*outputs]
}

// sampleScanner reads the sample columns of one record after the other.
type sampleScanner struct {
	*plan
	counts
	alleles int    // alternative alleles of the record
	format  []byte // the FORMAT to which gt, ds and colons belong
	gt, ds  int    // index of the field among those of FORMAT, or -1
	colons  int    // of FORMAT, and of a sample at most
	pairs   [pairCodes * pairCodes]uint32
	called  []int32
	values  []int64
}

// These are the codes of an allele in a genotype of two one-digit alleles: its number, or pairMissing.
const (
	pairCodes   = 11
	pairMissing = 10
	noCode      = 0xff
)

var codes = func() (t [256]uint8) {
	for i := range t {
		t[i] = noCode
	}
	for d := range uint8(10) {
		t['0'+d] = d
	}
	t['.'] = pairMissing
	return t
}()

var colon = []byte{':'}

// setFormat finds GT and DS in a FORMAT.
func (s *sampleScanner) setFormat(format []byte) *column.InputError {
	if s.format != nil && bytes.Equal(s.format, format) {
		return nil
	}
	gt, ds := -1, -1
	for i, key := range bytes.Split(format, []byte{':'}) {
		at := &gt
		switch string(key) {
		case GT:
		case DS:
			at = &ds
		default:
			continue
		}
		if *at >= 0 {
			return column.Refuse("", "FORMAT %s has %s twice", column.Quote(string(format[:min(len(format), 100)])), key).InColumn("FORMAT").
				WithHint("Which of them holds cannot be known. Make the file anew.")
		}
		*at = i
	}
	s.format, s.gt, s.ds, s.colons = bytes.Clone(format), gt, ds, bytes.Count(format, colon)
	return nil
}

// scan reads all sample columns of a record with the given number of alternative alleles. Its errors have no file and
// line.
func (s *sampleScanner) scan(format, samples []byte, alleles int) *column.InputError {
	if err := s.setFormat(format); err != nil {
		return err
	}
	s.alleles = alleles
	s.reset(alleles, s.outputs)
	if s.opts.Dosage == DS {
		return s.scanDosages(samples)
	}
	if s.gt < 0 {
		return column.Refuse("", "FORMAT %s has no GT", column.Quote(string(format))).InColumn("FORMAT").
			WithHint("Genotypes are read from GT; dosages from DS with ‹dosage› DS. Leave such records out first, for example with bcftools view.")
	}
	if s.outputs == 0 && len(format) == len(GT) && s.countPairs(samples) {
		return nil
	}
	s.reset(alleles, s.outputs)
	return s.scanGenotypes(samples)
}

// These are two samples with the genotype 0|0 and similar ones, as they lie in memory before a tab each.
var (
	phasedReference   = binary.LittleEndian.Uint64([]byte("0|0\t0|0\t"))
	unphasedReference = binary.LittleEndian.Uint64([]byte("0/0\t0/0\t"))
)

// countPairs counts samples whose columns are all of two one-digit alleles and nothing else. Otherwise it returns
// false, with unfinished counts.
func (s *sampleScanner) countPairs(samples []byte) bool {
	n := len(s.header.samples)
	if len(samples) != 4*n-1 {
		return false
	}
	clear(s.pairs[:])
	last := uint32(samples[4*n-4]) | uint32(samples[4*n-3])<<8 | uint32(samples[4*n-2])<<16 | '\t'<<24
	if !s.all {
		for i, chosen := range s.chosen {
			g := last
			if i < n-1 {
				g = binary.LittleEndian.Uint32(samples[4*i:])
			}
			at := pairOf(g)
			if at < 0 {
				return false
			}
			if chosen {
				s.pairs[at]++
			} else if !s.has(at/pairCodes) || !s.has(at%pairCodes) {
				return false
			}
		}
		return s.addPairs()
	}
	rest := samples
	for len(rest) >= 8 {
		two := binary.LittleEndian.Uint64(rest)
		rest = rest[8:]
		if two == phasedReference || two == unphasedReference {
			s.pairs[0] += 2
			continue
		}
		if !s.countPair(uint32(two)) || !s.countPair(uint32(two>>32)) {
			return false
		}
	}
	if len(rest) > 4 && !s.countPair(binary.LittleEndian.Uint32(rest)) {
		return false
	}
	return s.countPair(last) && s.addPairs()
}

// pairOf returns the index into pairs of a genotype given with the byte that follows it, or -1 if it is not such a genotype
// followed by a tab.
func pairOf(g uint32) int {
	a, b := codes[byte(g)], codes[byte(g>>16)]
	if sep := byte(g >> 8); sep != '|' && sep != '/' || g>>24 != '\t' || a == noCode || b == noCode {
		return -1
	}
	return int(a)*pairCodes + int(b)
}

func (s *sampleScanner) countPair(g uint32) bool {
	at := pairOf(g)
	if at < 0 {
		return false
	}
	s.pairs[at]++
	return true
}

// has says whether the record has an allele, given by its code.
func (s *sampleScanner) has(code int) bool { return code == pairMissing || code <= s.alleles }

// addPairs turns counts of genotypes into counts of alleles. It returns false when a genotype has an allele that the
// record does not have.
func (s *sampleScanner) addPairs() bool {
	for at, n := range s.pairs {
		if n == 0 {
			continue
		}
		a, b, n := at/pairCodes, at%pairCodes, int64(n)
		if !s.has(a) || !s.has(b) {
			return false
		}
		switch {
		case a == pairMissing && b == pairMissing:
			s.missing += n
			continue
		case a == pairMissing || b == pairMissing:
			s.an += n
			if x := min(a, b); x > 0 {
				s.ac[x-1] += n
			}
			continue
		}
		s.an += 2 * n
		for _, x := range []int{a, b} {
			if x > 0 {
				s.ac[x-1] += n
			}
		}
		switch {
		case a != b:
			for _, x := range []int{a, b} {
				if x > 0 {
					s.het[x-1] += n
				}
			}
		case a > 0:
			s.hom[a-1] += n
		}
	}
	return true
}

// scanGenotypes reads any genotypes, one sample at a time.
func (s *sampleScanner) scanGenotypes(samples []byte) *column.InputError {
	clear(s.pairs[:])
	for i := range s.header.samples {
		if rest, ok := s.pair(samples, i); ok { // nearly all are such
			samples = rest
			continue
		}
		cell, rest, err := s.cell(samples, i)
		if err != nil {
			return err
		}
		samples = rest
		g, _ := field(cell, s.gt)
		complete, err := s.genotype(g, i)
		if err != nil {
			return err
		}
		if s.all || s.chosen[i] {
			s.addGenotype(complete, i)
		}
	}
	if !s.addPairs() {
		panic("vcfio: a genotype was not checked for its alleles")
	}
	return nil
}

// pair reads a sample whose column begins with a genotype of two one-digit alleles that the record has, followed by
// another column. It returns what follows.
func (s *sampleScanner) pair(samples []byte, i int) (rest []byte, ok bool) {
	if s.gt != 0 || len(samples) < 4 {
		return nil, false
	}
	end := 3
	if samples[3] == ':' {
		if end = bytes.IndexByte(samples, '\t'); end < 0 || bytes.Count(samples[:end], colon) > s.colons {
			return nil, false
		}
	}
	at := pairOf(uint32(samples[0]) | uint32(samples[1])<<8 | uint32(samples[2])<<16 | '\t'<<24)
	if samples[end] != '\t' || at < 0 || !s.has(at/pairCodes) || !s.has(at%pairCodes) {
		return nil, false
	}
	switch {
	case !s.all && !s.chosen[i]:
	case s.outputs == 0:
		s.pairs[at]++
	default:
		a, b := at/pairCodes, at%pairCodes
		for k := range s.alleles {
			n := int64(0)
			if a == k+1 && a != pairMissing {
				n++
			}
			if b == k+1 && b != pairMissing {
				n++
			}
			if a == pairMissing && b == pairMissing {
				n = noDosage
			}
			s.dosage[k*s.outputs+s.output[i]] = n
		}
	}
	return samples[end+1:], true
}

// cell returns the column of the i-th sample and what follows it.
func (s *sampleScanner) cell(samples []byte, i int) (cell, rest []byte, err *column.InputError) {
	end := bytes.IndexByte(samples, '\t')
	if last := i == len(s.header.samples)-1; last != (end < 0) {
		panic("vcfio: a record was not checked for its number of columns")
	} else if last {
		cell = samples
	} else {
		cell, rest = samples[:end], samples[end+1:]
	}
	if n := bytes.Count(cell, colon); n > s.colons {
		return nil, nil, column.Refuse("", "%d fields, but FORMAT %s has %d", n+1, column.Quote(string(s.format[:min(len(s.format), 100)])), s.colons+1).
			InColumn(s.header.samples[i]).WithHint("A sample may leave out its last fields, but not have more than FORMAT names. Check the columns of the record.")
	}
	return cell, rest, nil
}

// field returns a field of a sample's column. The last fields may have been left out.
func field(cell []byte, index int) (value []byte, ok bool) {
	for range index {
		i := bytes.IndexByte(cell, ':')
		if i < 0 {
			return nil, false
		}
		cell = cell[i+1:]
	}
	if i := bytes.IndexByte(cell, ':'); i >= 0 {
		cell = cell[:i]
	}
	return cell, true
}

// genotype reads a genotype into s.called, the alleles that were called, and says whether all were.
func (s *sampleScanner) genotype(g []byte, sample int) (complete bool, err *column.InputError) {
	s.called = s.called[:0]
	complete = true
	bad := func() (bool, *column.InputError) {
		return false, column.Refuse("", "%s is no genotype", column.Quote(string(g[:min(len(g), 100)]))).InColumn(s.header.samples[sample]).
			WithHint("A genotype is allele numbers or dots separated by / or |, such as 0/1, 1|2 or ./.")
	}
	at, ploidy := 0, 0
	if len(g) > 0 && (g[0] == '/' || g[0] == '|') { // VCFv4.4 can also say how the first allele is phased
		at = 1
	}
	for {
		if at == len(g) {
			return bad()
		}
		if ploidy++; ploidy > ploidyMax {
			return false, column.Refuse("", "a genotype of more than %d alleles", ploidyMax).InColumn(s.header.samples[sample]).WithHint("Check the columns of the record.")
		}
		if g[at] == '.' {
			complete = false
			at++
		} else {
			from, allele := at, 0
			for ; at < len(g) && g[at]-'0' < 10; at++ {
				if allele = allele*10 + int(g[at]-'0'); allele > s.alleles {
					return false, s.outOfRange(g, sample)
				}
			}
			if at == from {
				return bad()
			}
			s.called = append(s.called, int32(allele))
		}
		if at == len(g) {
			return complete, nil
		}
		if g[at] != '/' && g[at] != '|' {
			return bad()
		}
		at++
	}
}

func (s *sampleScanner) outOfRange(g []byte, sample int) *column.InputError {
	have := "one alternative allele"
	if s.alleles != 1 {
		have = strconv.Itoa(s.alleles) + " alternative alleles"
	}
	return column.Refuse("", "genotype %s has an allele that the record does not have: it has %s", column.Quote(string(g[:min(len(g), 100)])), have).
		InColumn(s.header.samples[sample]).WithHint("Allele numbers go from 0, the reference, to the number of alleles in ALT. Make the file anew.")
}

// addGenotype counts the alleles in s.called for a sample.
func (s *sampleScanner) addGenotype(complete bool, sample int) {
	if s.outputs > 0 {
		for k := range s.alleles {
			n := int64(0)
			for _, a := range s.called {
				if int(a) == k+1 {
					n++
				}
			}
			if len(s.called) == 0 {
				n = noDosage
			}
			s.dosage[k*s.outputs+s.output[sample]] = n
		}
		return
	}
	if len(s.called) == 0 {
		s.missing++
		return
	}
	s.an += int64(len(s.called))
	mixed := false
	for _, a := range s.called {
		mixed = mixed || a != s.called[0]
		if a > 0 {
			s.ac[a-1]++
		}
	}
	switch {
	case mixed:
		for i, a := range s.called {
			if a > 0 && !slices.Contains(s.called[:i], a) {
				s.het[a-1]++
			}
		}
	case complete && s.called[0] > 0:
		s.hom[s.called[0]-1]++
	}
}
