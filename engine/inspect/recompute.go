package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Recomputation is a sum that was made again and is the same.
type Recomputation struct {
	Sum         string   `json:"sum"`
	Inputs      []string `json:"inputs"`
	Rows        int64    `json:"rows"`        // compared: of the file, so records or blocks
	Ciphertexts int64    `json:"ciphertexts"` // folded
	Signer      string   `json:"signer,omitempty"`
}

// Recompute makes a sum of inputs again, as its footer says: by the same columns, with the same weights. It compares ids,
// ciphertexts and footers, and refuses a sum that differs. minGroup is the one of the fusion, which no footer tells.
// The sum is made in a file named scratch, which the caller removes.
//
// A sum that was re-randomised differs from every other: fuse.Run does that when weights are given, unless asked not to.
// A total of blocks is masked at random and refused.
func Recompute(ctx context.Context, o job.Options, sum string, in []string, minGroup int64, scratch string) (*Recomputation, error) {
	o = o.WithDefaults()
	set, err := enctable.FindOne(ctx, o, sum)
	if err != nil {
		return nil, err
	}
	t := set.Table
	if t.Total && t.Layout == slots.Blocks {
		return nil, column.Refuse(sum, "a total of blocks is masked at random: it cannot be made again").WithHint("Compare a sum by record, or one of the layout records.")
	}
	out := &Recomputation{Sum: sum}
	for _, file := range set.Trusted().Files {
		s, err := trust.Signature(sum, file)
		if err != nil {
			return nil, err
		}
		if s != nil {
			out.Signer = s.Signer()
		}
	}
	u := fuse.Request{Options: o, In: in, Out: scratch, MinGroup: minGroup, Rerandomize: "never", AllowRepeats: t.Repeats}
	u.Overwrite = true
	for _, pattern := range in {
		sets, err := enctable.Find(ctx, o, pattern)
		if err != nil {
			return nil, err
		}
		for i := range sets {
			x := &sets[i]
			out.Inputs = append(out.Inputs, x.Name)
			weight, err := weightIn(t, sum, x)
			if err != nil {
				return nil, err
			}
			if weight != 1 {
				u.Weights = append(u.Weights, fuse.Weight{File: x.Name, Weight: weight})
			}
			if !slices.Equal(x.Table.IDs, t.IDs) {
				u.By = append([]string{}, t.IDs...) // not nil
			}
		}
	}
	report, err := fuse.Run(ctx, u)
	if err != nil {
		return nil, err
	}
	out.Ciphertexts = report.Ciphertexts
	again, err := enctable.FindOne(ctx, o, scratch)
	if err != nil {
		return nil, err
	}
	if why := otherFooter(t, again.Table); why != "" {
		return nil, differs(sum, "its footer says something else: %s", why)
	}
	out.Rows, err = compare(ctx, o, set, again)
	return out, err
}

// weightIn is the weight that an input has in a sum.
func weightIn(t *ctfile.Table, sum string, in *enctable.Set) (int64, error) {
	contents := in.Table.Contents()
	if len(contents) == 0 {
		return 1, nil
	}
	mine := &contents[0]
	for _, o := range t.Originals {
		if o.ID == mine.ID && slices.Equal(o.Parts, mine.Parts) && o.Weight%mine.Weight == 0 {
			return o.Weight / mine.Weight, nil
		}
	}
	return 0, differs(sum, "table %s of %s is not in it", mine.Name(), in.Name)
}

func differs(sum, format string, args ...any) *column.InputError {
	return column.Refuse(sum, "not the sum of the inputs: "+format, args...).
		WithHint("Give all inputs, and ‹min_group› as the fusion had it. A sum that was re-randomised (with weights, unless ‹rerandomize› never) cannot be compared.")
}

// otherFooter names what two footers say differently, but for what depends on how a table was written.
func otherFooter(a, b *ctfile.Table) string {
	fields := func(t *ctfile.Table) map[string]json.RawMessage {
		c := *t
		c.TableID, c.JobID, c.Part, c.LastPart, c.RowGroups = "", "", 0, false, nil
		text, err := json.Marshal(c)
		out := map[string]json.RawMessage{}
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		if err != nil {
			return map[string]json.RawMessage{"": nil}
		}
		return out
	}
	x, y := fields(a), fields(b)
	for name := range y {
		if _, ok := x[name]; !ok {
			return name
		}
	}
	for name := range x {
		if string(x[name]) != string(y[name]) {
			return name
		}
	}
	return ""
}

// compare compares the rows of two tables, and returns how many there are.
func compare(ctx context.Context, o job.Options, a, b *enctable.Set) (rows int64, err error) {
	n := enctable.BatchRows(len(a.Table.Columns), a.Table.CiphertextBytes())
	x, err := a.Open(ctx, o, n)
	if err != nil {
		return 0, err
	}
	defer x.Close()
	y, err := b.Open(ctx, o, n)
	if err != nil {
		return 0, err
	}
	defer y.Close()
	for {
		mine, err := x.Read(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return rows, err
		}
		ended := err != nil
		other, err := y.Read(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return rows, err
		}
		switch {
		case ended && err != nil:
			return rows, nil
		case ended || err != nil:
			return rows, differs(a.Name, "one of the two has %d rows, the other more", rows)
		}
		err = sameRows(a, mine, other)
		rows += mine.NumRows()
		mine.Release()
		other.Release()
		if err != nil {
			return rows, err
		}
	}
}

// sameRows refuses a batch of the sum that differs from the one that was made again.
func sameRows(a *enctable.Set, mine, other column.Batch) error {
	if mine.NumRows() != other.NumRows() {
		return differs(a.Name, "it has another number of rows")
	}
	for c := range int(mine.NumCols()) {
		if array.Equal(mine.Column(c), other.Column(c)) {
			continue
		}
		for i := range int(mine.NumRows()) {
			if !array.SliceEqual(mine.Column(c), int64(i), int64(i+1), other.Column(c), int64(i), int64(i+1)) {
				file, row := mine.Place(i)
				e := differs(file, "another %s", map[bool]string{true: "id", false: "ciphertext"}[c < len(a.Table.IDs)])
				return e.AtRow(row).InColumn(mine.ColumnName(c))
			}
		}
		return fmt.Errorf("%s: columns of the same values differ", a.Name)
	}
	return nil
}
