package decrypt

import (
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// suppression decides on what is hidden for want of values; nil where counts do not tell how many values were added up.
func (d *Request) suppression(t *ctfile.Table) (*stats.Suppression, error) {
	refuse := func(why, hint string) (*stats.Suppression, error) {
		if d.MinCount == 0 {
			return nil, nil
		}
		return nil, column.Refuse(d.In, "‹min_count› needs counts of values: %s", why).WithHint("%s", hint)
	}
	const again = "Fuse the owners' tables again without it, or leave out ‹min_count›."
	switch {
	case d.Privacy.Wanted() || t.Noise != nil && t.Noise.Counts == "noisy":
		return refuse("these have noise", "Noise protects people in sums of few values, too. Leave out ‹min_count›.")
	case t.WithoutID() > 0:
		return refuse("in tables of an earlier version a value may count twice", "Owners must encrypt their tables again.")
	case t.Repeats:
		return refuse("a table may be in the sum twice, as ‹allow_repeats› allowed", again)
	case t.WeightMax > 1 || slices.ContainsFunc(t.Contents(), func(o ctfile.Original) bool { return o.Weight != 1 }):
		return refuse("these are multiplied by weights", again)
	}
	return stats.NewSuppression(t, d.MinCount), nil
}

// hide says what is to be hidden of the records of a batch, whose rows begin with the records first.
func (o *decryption) hide(tally *stats.Tally, b column.Batch, sums [][]codec.Int, first []int32) [][]bool {
	if o.hiding == nil {
		return nil
	}
	row := 0
	return o.hiding.Hide(tally, sums, int(first[len(first)-1]), func(record int) stats.Place {
		for int(first[row+1]) <= record { // records ascend
			row++
		}
		file, at := b.Place(row)
		return stats.Place{File: file, Row: at, Record: record - int(first[row])}
	})
}

// tell reports what was hidden, or rests on one value.
func (o *decryption) tell(report *job.Report, t *stats.Tally) {
	report.Single = t.Single
	if o.d.MinCount > 0 {
		report.Suppressed = &job.Suppressed{Least: o.d.MinCount, Small: t.Small, Further: t.Further}
	}
}

// warnOfSingle warns of sums that rest on one value. Of an owner's own table that is no news.
func (o *decryption) warnOfSingle(sums int64) {
	if sums > 0 && !o.d.Unfused {
		o.d.Log.Warn("some sums rest on one value, and are that value; ‹min_count› suppresses them", "sums", sums, "file", o.d.In)
	}
}
