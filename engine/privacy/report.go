package privacy

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// PrivacyMetadata is the key of the metadata of a decrypted table (Parquet, Arrow) that has its PrivacyReport as JSON.
const PrivacyMetadata = "cipherfold.privacy"

// summary is the report but for its columns.
func summary(place, mechanism string, g noise.Guarantee, delta *big.Rat, p Request) *job.PrivacyReport {
	r := &job.PrivacyReport{Place: place, Mechanism: mechanism, Guarantee: guaranteeText(g, delta), Records: p.Records, Counts: p.Counts, Owners: p.Owners, Honest: p.Honest}
	r.Rho, _ = g.Rho.Float64()
	if delta != nil {
		r.Delta, _ = delta.Float64()
	}
	r.Epsilon = g.EpsilonAt(r.Delta)
	return r
}

// Report describes the noise with so many terms in each number.
func (n *Noise) Report(terms int64) *job.PrivacyReport {
	if n == nil {
		return nil
	}
	r := summary(n.Request.Noise, n.mechanism, n.guarantee, n.delta, n.Request)
	for _, x := range n.Per {
		if x.Distribution == nil {
			r.Public = append(r.Public, x.column)
			continue
		}
		r.Columns = append(r.Columns, noisyColumn(x.column, x.decimals, x.Distribution, terms))
	}
	return r
}

func noisyColumn(name string, decimals int, d noise.Distribution, terms int64) job.NoisyColumn {
	unit := math.Pow10(-decimals)
	c := job.NoisyColumn{Name: name, Terms: terms, MeanError: d.MeanAbs(terms) * unit}
	switch d := d.(type) {
	case noise.Laplace:
		c.Parameter, _ = d.Scale().Float64()
	case noise.Gaussian:
		c.Parameter, _ = d.Parameter().Float64()
		c.Parameter = math.Sqrt(c.Parameter)
	}
	c.Parameter *= unit
	return c
}

// columnOf names a quantity as the columns of a result do: a sum or a count. What is in no column of its own, such as a sum of
// squares, keeps its name.
func columnOf(m ctfile.Measure) string {
	switch {
	case len(m.Terms) == 0 && len(m.Given) == 1:
		return m.Given[0] + "_count"
	case len(m.Terms) == 1 && len(m.Given) == 1:
		return m.Name + "_sum"
	}
	return m.Name
}

// CheckShares refuses a table in which a sum has fewer shares of noise than the promise needs.
func CheckShares(file string, n *ctfile.Noise) error {
	if n == nil {
		return nil
	}
	if len(n.Groups) > 0 && len(n.Shares) == 0 {
		return column.Refuse(file, "its noise is in records of its own, one for each group, and no fusion has added these up with the others").
			WithHint("Fuse it, with those of the other owners: «fuse ‹by› %s».", strings.Join(n.Groups, ","))
	}
	for _, q := range n.Quantities {
		if q.Tables < n.Honest {
			return column.Refuse(file, "the sum has the noise of %s, and the promise needs that of %s", job.Count(int(q.Tables), "table"), job.Count(int(n.Honest), "honest owner")).InColumn(q.Name).
				WithHint("Fuse the tables of more owners before anything is released.")
		}
	}
	return nil
}

// OfTable describes the noise that an encrypted table came with; nil for a table without.
func OfTable(file string, t *ctfile.Table) (*job.PrivacyReport, error) {
	n := t.Noise
	if n == nil {
		return nil, nil
	}
	bad := func(err error) error {
		return column.Refuse(file, "unusable noise: %w", err).WithHint(job.ForeignFooter)
	}
	g, err := Release{Rho: n.Rho, Epsilon: n.Epsilon}.guarantee()
	if err != nil {
		return nil, bad(err)
	}
	var delta *big.Rat
	if n.Delta != "" {
		var ok bool
		if delta, ok = exact(n.Delta); !ok {
			return nil, bad(fmt.Errorf("δ = %s", column.Quote(n.Delta)))
		}
	}
	if delta == nil && !g.IsPure() {
		return nil, bad(fmt.Errorf("a guarantee that is not pure, without δ"))
	}
	r := summary(n.Place, n.Mechanism, g, delta, Request{Records: n.Records, Counts: n.Counts, Owners: n.Owners, Honest: n.Honest})
	r.Quiet = n.Quiet
	quantities := ByQuantity(n)
	for _, m := range t.Measures {
		q := quantities[m.Name]
		if q == nil {
			r.Public = append(r.Public, columnOf(m))
			continue
		}
		d, err := distribution(n.Mechanism, q.Parameter)
		if err != nil {
			return nil, bad(fmt.Errorf("%s: %w", column.Quote(m.Name), err))
		}
		terms := max(1, codec.SaturatingMul(t.AddsUsed, max(1, t.WeightMax))) // a weight w counts w² times, of which |w| are in AddsUsed
		if n.Groups != nil {
			terms = q.Tables
		}
		c := noisyColumn(columnOf(m), m.Decimals, d, terms)
		c.AtLeast = len(t.IDs) < len(n.Groups)
		r.Columns = append(r.Columns, c)
	}
	return r, nil
}

// ReportMetadata is the report for the metadata of a decrypted table.
func ReportMetadata(r *job.PrivacyReport) (map[string]string, error) {
	if r == nil {
		return nil, nil
	}
	c := *r
	c.Budget = nil // what is left changes; the budget's file has it
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return map[string]string{PrivacyMetadata: string(text)}, nil
}

// WithMetadata returns the schema with keys and values beside those it has.
func WithMetadata(schema *arrow.Schema, more map[string]string) *arrow.Schema {
	old := schema.Metadata()
	keys, values := slices.Clone(old.Keys()), slices.Clone(old.Values())
	for key, value := range more {
		keys, values = append(keys, key), append(values, value)
	}
	metadata := arrow.NewMetadata(keys, values)
	return arrow.NewSchema(schema.Fields(), &metadata)
}
