package dataset

import (
	"context"
	"math"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// constants are what Spec.Constants says of each measure.
type constants map[string]constant

type constant struct{ mean, sd, low, high string }

// readConstants reads the files of constants.
func (e *Spec) readConstants(ctx context.Context, o job.Options) (constants, error) {
	if len(e.Constants) == 0 {
		return nil, nil
	}
	src, err := List(ctx, o, e.Constants, nil)
	if err != nil {
		return nil, err
	}
	schema, err := src.RawSchema(ctx)
	if err != nil {
		return nil, err
	}
	have := column.Names(schema)
	columns := []string{"measure"}
	for _, name := range []string{"mean", "sd", "low", "high"} {
		if slices.Contains(have, name) {
			columns = append(columns, name)
		}
	}
	r, err := src.OpenFiles(ctx, columns)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := constants{}
	return out, column.Each(ctx, r, func(b column.Batch) error {
		for i := range int(b.NumRows()) {
			if b.Column(0).IsNull(i) {
				return b.Refuse(i, "measure", "the name of the measure is missing").WithHint("Every row names a measure.")
			}
			name := b.Column(0).ValueStr(i)
			if _, twice := out[name]; twice {
				return b.Refuse(i, "measure", "%s is there twice", column.Quote(name)).WithHint("Give every measure one row.")
			}
			var c constant
			for k, to := range map[string]*string{"mean": &c.mean, "sd": &c.sd, "low": &c.low, "high": &c.high} {
				at := slices.Index(columns, k)
				if at < 0 || b.Column(at).IsNull(i) {
					continue
				}
				text, v, err := slots.Canonical(b.Column(at).ValueStr(i))
				if err != nil || k == "sd" && v <= 0 {
					return b.Refuse(i, k, "%s is not %s", column.Quote(b.Column(at).ValueStr(i)), map[bool]string{true: "a positive number", false: "a number"}[k == "sd"]).
						WithHint("Write a decimal number.")
				}
				*to = text
			}
			out[name] = c
		}
		return nil
	})
}

// fillIn replaces settings that stand for constants.
func (c constants) fillIn(m *slots.Measure) error {
	wanting := func(setting, columns string) error {
		return job.Misuse("Give a table with the columns measure, "+columns+" by ‹constants› FILE, or the numbers themselves.",
			"measure %s: %s has no constants", column.Quote(m.Name), setting)
	}
	x, ok := c[m.Name]
	if m.Prepare.ZScore == slots.FromConstants {
		if !ok || x.mean == "" || x.sd == "" {
			return wanting("zscore", "mean, sd")
		}
		m.Prepare.ZScore = x.mean + "/" + x.sd
	}
	if m.Prepare.Clip.Low == slots.FromConstants {
		if !ok || x.low == "" && x.high == "" {
			return wanting("clip", "low, high")
		}
		m.Prepare.Clip = slots.Interval{Low: x.low, High: x.high}
		low, high := math.Inf(-1), math.Inf(1)
		if x.low != "" {
			_, low, _ = slots.Canonical(x.low)
		}
		if x.high != "" {
			_, high, _ = slots.Canonical(x.high)
		}
		if low > high {
			return job.Misuse("Correct the file of constants.", "measure %s: clip=%s begins above its end", column.Quote(m.Name), m.Prepare.Clip)
		}
	}
	return nil
}
