package vcfio

import (
	"cmp"
	"maps"
	"slices"

	"github.com/cipherfold/cipherfold/io/column"
)

// order compares the records of a file with each other as chunks arrive: chromosomes do not come back, positions do
// not go down, and no variant comes twice.
type order struct {
	seen   map[string]int64 // chromosomes that have ended: the line of their last record
	chrom  string
	pos    int64            // POS of the last record
	line   int64            // and its line; 0 before the first
	window map[string]int64 // variants from POS of the last record onwards, with their lines
	last   int64            // the last position of these
}

// chromosomes are all that came, in their order.
func (o *order) chromosomes() []string {
	if o.line == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(o.seen), func(a, b string) int { return cmp.Compare(o.seen[a], o.seen[b]) })
	return append(out, o.chrom)
}

// windowMax bounds the variants at one place.
const windowMax = 1 << 20

// check compares the rows of a chunk with those before it.
func (o *order) check(runs []run) *column.InputError {
	for i := range runs {
		r := &runs[i]
		switch {
		case o.line == 0 || r.chrom != o.chrom:
			if o.seen == nil {
				o.seen, o.window = map[string]int64{}, map[string]int64{}
			}
			if o.line > 0 {
				o.seen[o.chrom] = o.line
			}
			if before, ok := o.seen[r.chrom]; ok {
				return column.Refuse("", "not sorted: chromosome %s comes again, after others; it was left on line %d", r.chrom, before).
					AtLine(r.line).InColumn("CHROM").WithHint("Sort the file by chromosome and position, for example with bcftools sort.")
			}
			clear(o.window)
			o.last = -1
		case r.from < o.pos:
			return unsorted(r.chrom, r.from, o.pos, o.line).AtLine(r.line)
		}
		for _, v := range r.variants {
			if err := o.add(r.chrom, v); err != nil {
				return err
			}
		}
		o.chrom, o.pos, o.line = r.chrom, r.to, r.lastLine
	}
	return nil
}

// add refuses a variant that came before. Trimming moves variants only to the right, so those before the record's POS
// can be forgotten.
func (o *order) add(chrom string, v variant) *column.InputError {
	if v.pos-int64(v.shift) > o.last {
		clear(o.window)
		o.last = v.pos
	}
	if before, twice := o.window[v.key]; twice {
		return column.Refuse("", "duplicate variant: %s:%d %s was already on line %d", chrom, v.pos, column.Quote(v.key[8:]), before).
			AtLine(v.line).InColumn("POS").WithHint("Every variant comes once (after trimming bases that its alleles share). Remove one, or join the records, for example with bcftools norm.")
	}
	if len(o.window) >= windowMax {
		return column.Refuse("", "more than %d variants at one position", windowMax).AtLine(v.line).InColumn("POS")
	}
	o.window[v.key] = v.line
	o.last = max(o.last, v.pos)
	return nil
}
