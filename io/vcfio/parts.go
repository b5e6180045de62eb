package vcfio

import (
	"github.com/cipherfold/cipherfold/io/column"
)

// Parts compares files that are read one after the other as one table. There are two good reasons for several files:
// they hold the same samples and different ranges of the genome (a file per chromosome), or different samples. Files
// that share some samples and not others are refused, as these would count twice. So are files with the same samples
// whose ranges overlap. It is for one pass over the files and one goroutine.
type Parts struct {
	files []*part
}

type part struct {
	file    string
	samples map[string]bool
	// stretches are the positions read so far, by chromosome; only of the file being read and those before it.
	stretches map[string]*stretch
}

type stretch struct{ from, to int64 }

// open notes the samples of a file, in the order of its header, and compares them with those of the others.
func (p *Parts) open(file string, line int64, samples []string) (*part, *column.InputError) {
	for _, x := range p.files {
		if x.file == file && len(x.stretches) == 0 { // opened before only to look at its columns
			return x, nil
		}
	}
	x := &part{file: file, samples: make(map[string]bool, len(samples)), stretches: map[string]*stretch{}}
	for _, s := range samples {
		x.samples[s] = true
	}
	for _, other := range p.files {
		shared, first := 0, ""
		for _, s := range samples {
			if other.samples[s] {
				if shared++; shared == 1 {
					first = s
				}
			}
		}
		if shared > 0 && (shared < len(samples) || shared < len(other.samples)) {
			return nil, column.Refuse(file, "duplicate sample: %s is in %s too, as are %d of the %d samples here", column.Quote(first), other.file, shared, len(samples)).
				AtLine(line).InColumn(first).
				WithHint("Files read as one table have the same samples and different positions, or no sample in common. Choose samples with ‹samples›, or encrypt the files one by one.")
		}
	}
	p.files = append(p.files, x)
	return x, nil
}

// read notes records of a file, and refuses those within what another file with the same samples has.
func (p *Parts) read(x *part, runs []run) *column.InputError {
	for i := range runs {
		r := &runs[i]
		for _, other := range p.files {
			if other == x || !other.same(x) {
				continue
			}
			if s := other.stretches[r.chrom]; s != nil && r.from <= s.to && s.from <= r.to {
				return column.Refuse(x.file, "%s has the same samples and positions %d to %d of %s too", other.file, s.from, s.to, r.chrom).
					AtLine(r.line).InColumn("POS").WithHint("Give every record once: files with the same samples hold different stretches of the genome.")
			}
		}
		if s := x.stretches[r.chrom]; s != nil {
			s.from, s.to = min(s.from, r.from), max(s.to, r.to)
		} else {
			x.stretches[r.chrom] = &stretch{r.from, r.to}
		}
	}
	return nil
}

// same says whether two files have the same samples. Files that were accepted have all or none in common.
func (x *part) same(y *part) bool {
	for s := range x.samples {
		return y.samples[s]
	}
	return len(y.samples) == 0
}
