package vcfio

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Extensions are the file name extensions of this format, as blob.Ext returns them. Files of the last one are refused
// with a hint.
var Extensions = []string{".vcf", ".vcf.gz", ".vcf.bgz", ".bcf"}

// Names of the columns.
var (
	idNames     = []string{"chrom", "pos", "ref", "alt"}
	countNames  = []string{"AC", "AN", "MISSING", "HET", "HOM"}
	dosageNames = []string{"AC", "AN", "MISSING"}
	infoNames   = []string{"AC", "AN", "AC_Het", "nhomalt"} // keys of INFO, too
)

// These are the choices for Options.Multiallelic, Options.Symbolic, Options.Alleles, Options.ChromPrefix and
// Options.Dosage. The first of each is the default.
const (
	Split  = "split"  // a row for each alternative allele
	Skip   = "skip"   // leave such records or alleles out, and count them
	Refuse = "refuse" // fail

	Keep  = "keep"  // as they are in the file
	Trim  = "trim"  // without the bases that reference and allele have in common
	Strip = "strip" // without "chr", and M as MT

	GT = "GT"
	DS = "DS"

	Genotypes = "genotypes" // count those of the samples
	Info      = "info"      // take the counts that INFO has
)

// Options say what to read of a file. The zero value reads everything of all samples.
type Options struct {
	// Samples are the samples counted, or with PerSample the columns; none means all. A sample that the file lacks, or
	// that is named twice, is refused.
	Samples   []string
	PerSample bool // a column for each sample instead of AC, AN, ...

	// Dosage is the FORMAT field that numbers come from: GT (default) or DS.
	Dosage string

	// Counts says where counts come from: Genotypes (default), or Info, as in files that list sites and no samples. Then the
	// columns are AC and AN of INFO, and AC_Het and nhomalt if the header defines them, null where a record has none. They
	// are of all samples, so that none may be chosen.
	Counts string

	// Multiallelic is what to do with records of several alternative alleles: Split (default), Skip or Refuse.
	Multiallelic string

	// Symbolic is what to do with alternative alleles that are not bases (<DEL>, *, breakends): Keep (default), Skip or
	// Refuse.
	Symbolic string

	// Alleles says how variants are written. Trim (default) removes the bases that reference and alternative allele
	// share, at the end and then at the beginning, except for one, and moves pos accordingly. Keep leaves them. Bases
	// are in upper case either way.
	Alleles string

	// ChromPrefix is Keep (default) or Strip: chr1 becomes 1, chrM and M become MT.
	ChromPrefix string

	// Filter keeps records with at least one of these in FILTER; none keeps all.
	Filter []string

	// AFMin and AFMax keep alleles whose INFO/AF is within, when AFMax > 0. Records without AF are left out and counted.
	AFMin, AFMax float64

	// Regions keep records whose POS is within one of them; none keeps all.
	Regions []Region

	// Parts, when not nil, compares the files opened with it one after the other: see Parts.
	Parts *Parts
	// Tally, when not nil, gets the counts of every file that was read to its end.
	Tally *Tally
	// Chromosomes, when not nil, gets those of every file that was read to its end: as they are delivered, in their
	// order, wanted or not, each once.
	Chromosomes *[]string
}

// Unseen returns the chromosomes of Regions that are not among those given, which are written as they are delivered.
func (o *Options) Unseen(chromosomes []string) []string {
	var out []string
	for _, r := range o.Regions {
		if name := o.chromName(r.Chrom); !slices.Contains(chromosomes, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// withDefaults fills in the defaults, or says which choice does not exist.
func (o Options) withDefaults() (Options, error) {
	for _, x := range []struct {
		field   *string
		what    string
		choices []string
	}{
		{&o.Dosage, "dosage", []string{GT, DS}},
		{&o.Counts, "counts", []string{Genotypes, Info}},
		{&o.Multiallelic, "multiallelic", []string{Split, Skip, Refuse}},
		{&o.Symbolic, "symbolic", []string{Keep, Skip, Refuse}},
		{&o.Alleles, "alleles", []string{Trim, Keep}},
		{&o.ChromPrefix, "chrom-prefix", []string{Keep, Strip}},
	} {
		if *x.field == "" {
			*x.field = x.choices[0]
		}
		if !slices.Contains(x.choices, *x.field) {
			return o, fmt.Errorf("%s %q is none of %s", x.what, *x.field, strings.Join(x.choices, ", "))
		}
	}
	if o.AFMin < 0 || o.AFMax > 1 || o.AFMax > 0 && o.AFMin > o.AFMax {
		return o, fmt.Errorf("allele frequencies from %v to %v", o.AFMin, o.AFMax)
	}
	if o.Counts == Info && (len(o.Samples) > 0 || o.PerSample || o.Dosage != GT) {
		return o, fmt.Errorf("counts of INFO are of all samples together: no samples, columns by sample or dosages can be chosen")
	}
	return o, nil
}

// Check reports a choice that does not exist.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// Region is the positions From to To, both included, of a chromosome.
type Region struct {
	Chrom    string
	From, To int64
}

// ParseRegion reads CHROM, CHROM:POS, CHROM:FROM-TO or CHROM:FROM-. It has no commas: names of contigs have none, and
// commas between the digits of a number would look like those between regions.
func ParseRegion(s string) (Region, error) {
	bad := fmt.Errorf("%q is not CHROM, CHROM:FROM-TO or CHROM:POS", s)
	if s == "" || strings.Contains(s, ",") {
		return Region{}, bad
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return Region{Chrom: s, To: math.MaxInt64}, nil
	}
	r := Region{Chrom: s[:i]}
	from, to, isRange := strings.Cut(s[i+1:], "-")
	var err error
	if r.From, err = strconv.ParseInt(from, 10, 64); err != nil || r.Chrom == "" || r.From < 0 {
		return Region{}, bad
	}
	switch {
	case !isRange:
		r.To = r.From
	case to == "":
		r.To = math.MaxInt64
	default:
		if r.To, err = strconv.ParseInt(to, 10, 64); err != nil || r.To < r.From {
			return Region{}, bad
		}
	}
	return r, nil
}

// ParseAF reads MIN-MAX, two frequencies from 0 to 1, MAX above 0.
func ParseAF(s string) (low, high float64, err error) {
	a, b, ok := strings.Cut(s, "-")
	if ok {
		low, err = strconv.ParseFloat(a, 64)
	}
	if ok && err == nil {
		high, err = strconv.ParseFloat(b, 64)
	}
	if !ok || err != nil || !(0 <= low && low <= high && 0 < high && high <= 1) {
		return 0, 0, fmt.Errorf("%q is not MIN-MAX, two frequencies from 0 to 1 such as 0.01-0.5", s)
	}
	return low, high, nil
}

// Tally is what was read and what an option left out. Records are lines, alleles are would-be rows.
type Tally struct {
	Records      int64 `json:"records"`                // all of the file
	Rows         int64 `json:"rows"`                   // delivered
	Filtered     int64 `json:"filtered,omitempty"`     // records by Filter
	Outside      int64 `json:"outside,omitempty"`      // records outside Regions
	Frequency    int64 `json:"frequency,omitempty"`    // alleles outside AFMin to AFMax
	WithoutAF    int64 `json:"without_af,omitempty"`   // alleles without INFO/AF
	Multiallelic int64 `json:"multiallelic,omitempty"` // records skipped
	Symbolic     int64 `json:"symbolic,omitempty"`     // alleles skipped
	Monomorphic  int64 `json:"monomorphic,omitempty"`  // records without an alternative allele
}

// Omission is how many records or alleles were left out for one reason.
type Omission struct {
	Count        int64
	Noun, Reason string // such as "record", "by FILTER"
}

// Omissions are what was left out, for each reason that occurred.
func (t *Tally) Omissions() []Omission {
	all := []Omission{
		{t.Filtered, "record", "by FILTER"}, {t.Outside, "record", "outside the regions"}, {t.Multiallelic, "record", "of several alleles"},
		{t.Monomorphic, "record", "without an alternative allele"}, {t.Frequency, "allele", "by frequency"},
		{t.WithoutAF, "allele", "without AF"}, {t.Symbolic, "allele", "without bases"},
	}
	return slices.DeleteFunc(all, func(x Omission) bool { return x.Count == 0 })
}

func (t *Tally) add(x *Tally) {
	t.Records += x.Records
	t.Rows += x.Rows
	t.Filtered += x.Filtered
	t.Outside += x.Outside
	t.Frequency += x.Frequency
	t.WithoutAF += x.WithoutAF
	t.Multiallelic += x.Multiallelic
	t.Symbolic += x.Symbolic
	t.Monomorphic += x.Monomorphic
}
