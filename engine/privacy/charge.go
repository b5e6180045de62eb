package privacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// InOnePiece refuses an encryption with noise that cannot be done in parts.
func (p *Request) InOnePiece() error {
	switch {
	case p.Groups != nil:
		return job.Misuse("Use «encrypt».", "‹noise_groups› cannot be done in parts")
	case p.Wanted() && p.Budget != "":
		return job.Misuse("Use «encrypt».", "a budget cannot be charged for parts of an encryption")
	}
	return nil
}

// Entangles says why noise would not hide a record in values that were prepared by a step, and what to do about it.
// Steps of a whole table matter only where sums have noise, not the records.
func Entangles(s ctfile.Step) (why, hint string) {
	switch {
	case s.Step == "tpm":
		return fmt.Sprintf("measure %s: tpm divides by the sum of the column, so that one record changes all values; noise would not hide it", column.Quote(s.On)),
			"Scale the data before, by a number that does not depend on them."
	case s.Step == "missing" && (s.Value == "mean" || s.Value == "median"):
		return fmt.Sprintf("measure %s: missing=%s fills values from other records; noise would not hide one of them", column.Quote(s.On), s.Value),
			"Use missing=zero, or leave missing values missing."
	case s.On == "" && s.Step == "duplicates" && s.Value == slots.DuplicatesFirst:
		return "with ‹duplicates› first a row stands before another of its id, so that it changes a sum by twice max; the noise is for once", "Use ‹duplicates› sum or mean."
	}
	return "", ""
}

// Affordable refuses noise whose budget is already spent, before anything is computed. The decision itself is made by
// charge.
func (n *Noise) Affordable(ctx context.Context) error {
	if n == nil || n.Request.Budget == "" {
		return nil
	}
	b, err := ReadBudget(ctx, n.Request.Budget)
	if err != nil {
		return err
	}
	return b.allows(n.guarantee)
}

// SetLimits takes the bounds of values with noise from the layout that was made with tails.
func (n *Noise) SetLimits(t *ctfile.Table) error {
	if n == nil {
		return nil
	}
	for q, m := range t.Measures {
		bound, err := codec.ParseBound(m.Bound)
		if err != nil {
			return err
		}
		n.Per[q].Limit = bound
	}
	return nil
}

// Charge enters a release into a budget, and notes its state in the report.
func Charge(ctx context.Context, r *job.PrivacyReport, file string, n *Noise, t *ctfile.Table, out string) error {
	entry := Release{Place: n.Request.Noise, Mechanism: n.mechanism, Rho: n.guarantee.Rho.RatString(), Records: n.Request.Records,
		Key: t.Fingerprint, Table: t.JobID, Out: out}
	if n.guarantee.IsPure() {
		entry.Epsilon = n.guarantee.Epsilon.RatString()
	}
	if len(t.RowGroups) > 0 {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(text)
		entry.SHA256 = hex.EncodeToString(digest[:])
	}
	b, err := charge(ctx, file, entry)
	if err != nil {
		return err
	}
	state, err := b.State()
	r.Budget = &state
	return err
}

// RoomFor returns the table with bounds that leave room for noise, from which the types of columns follow.
func (n *Noise) RoomFor(t *ctfile.Table) *ctfile.Table {
	if n == nil {
		return t
	}
	c := *t
	c.Measures = append([]ctfile.Measure(nil), t.Measures...)
	for q := range c.Measures {
		if bound, err := codec.ParseBound(c.Measures[q].Bound); err == nil && n.Per[q].Distribution != nil {
			c.Measures[q].Bound = bound.Plus(TailBound(n.Per[q].Tail)).String()
		}
	}
	return &c
}

func TailBound(tail codec.Int) codec.Bound {
	return codec.Bound{tail.LowBits(), uint64(tail.HighBits())}
}
