package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// checkPrivacy refuses a request for noise that would not keep its promise, before any file is opened.
func (e *Encryption) checkPrivacy() error {
	p := &e.Privacy
	if err := p.checkFlags(NoiseLocal, NoiseShare); err != nil || !p.wanted() {
		return err
	}
	if p.Budget != "" {
		if err := localBudget(p.Budget); err != nil {
			return err
		}
	}
	switch {
	case p.Noise == NoiseLocal && p.Sensitivity != nil:
		return usage("Leave it out: local noise hides all of a record, which its max bounds.", "--sensitivity with --noise local")
	case p.Noise == NoiseShare && len(e.Universe) == 0 && p.Groups == nil:
		return usage("Give the public list of all records (--universe) or of all groups (--noise-groups): every sum needs a share of every owner, also of one who has nothing in it.",
			"--noise share without a list")
	case p.Groups != nil && len(e.Universe) > 0:
		return usage("With a universe every record gets a share, with groups every group.", "--noise-groups with --universe")
	case e.TokenSamples:
		return usage("Leave out --token-samples: the tokens tell everybody how many people are in the table, and of each whether it is in others.", "--token-samples with --noise")
	case p.Groups != nil && e.Layout != Records:
		return usage("Use --layout records, or --universe.", "--noise-groups needs records that can be grouped")
	case p.Groups != nil && e.RowsPerFile > 0 && e.Duplicates == DuplicatesRefuse:
		return usage("Leave out --duplicates.", "--noise-groups with --duplicates refuse")
	}
	return nil
}

// declaredBounds refuses noise on measures whose bounds would be found in the data.
func (e *Encryption) declaredBounds() error {
	for _, m := range e.Measures {
		if e.Privacy.wanted() && m.Bound == 0 {
			return usage("Write --measure "+m.Name+":max=M, where M is what the quantity can be, not what the data have.",
				"measure %s: noise needs a declared max, because one that is found in the data tells about them", column.Quote(m.Name))
		}
	}
	return nil
}

// inOnePiece refuses an encryption with noise that cannot be done in parts.
func (p *Privacy) inOnePiece() error {
	switch {
	case p.Groups != nil:
		return usage("Use cipherfold encrypt.", "--noise-groups cannot be done in parts")
	case p.wanted() && p.Budget != "":
		return usage("Use cipherfold encrypt.", "a budget cannot be charged for parts of an encryption")
	}
	return nil
}

// planNoise decides on the noise of an encryption, once every measure has a bound. No value may depend on other records.
func (x *encrypting) planNoise() error {
	p := x.Privacy
	if !p.wanted() {
		return nil
	}
	for _, s := range x.table.Preparation {
		if why, hint := entangles(s); why != "" && (s.On != "" || p.Noise == NoiseShare) {
			return usage(hint, "%s", why)
		}
	}
	probe := x.table
	if err := layOut(&probe, x.Key.Public.Bits(), x.Measures, x.tuples, nil); err != nil {
		return err
	}
	var err error
	x.noise, err = newNoising(p, probe.Measures, 1)
	return err
}

// entangles says of a step of preparation why noise would not hide a record in values that were prepared so, and what to do
// about it. Steps of a whole table matter only where sums have noise, not the records.
func entangles(s ctfile.Step) (why, hint string) {
	switch {
	case s.Step == "tpm":
		return fmt.Sprintf("measure %s: tpm divides by the sum of the column, so that one record changes all values; noise would not hide it", column.Quote(s.On)),
			"Scale the data before, by a number that does not depend on them."
	case s.Step == "missing" && (s.Value == "mean" || s.Value == "median"):
		return fmt.Sprintf("measure %s: missing=%s fills values from other records; noise would not hide one of them", column.Quote(s.On), s.Value),
			"Use missing=zero, or leave missing values missing."
	case s.On == "" && s.Step == "duplicates" && s.Value == DuplicatesFirst:
		return "with --duplicates first a row stands before another of its id, so that it changes a sum by twice max; the noise is for once", "Use --duplicates sum or mean."
	}
	return "", ""
}

// affordable refuses noise whose budget is spent already, before anything is computed. What counts is charge.
func (n *noising) affordable(ctx context.Context) error {
	if n == nil || n.request.Budget == "" {
		return nil
	}
	b, err := ReadBudget(ctx, n.request.Budget)
	if err != nil {
		return err
	}
	return b.allows(n.guarantee)
}

// setLimits takes the bounds of values with noise from the layout that was made with tails.
func (n *noising) setLimits(t *ctfile.Table) error {
	if n == nil {
		return nil
	}
	for q, m := range t.Measures {
		bound, err := codec.ParseBound(m.Bound)
		if err != nil {
			return err
		}
		n.per[q].limit = bound
	}
	return nil
}

// chargeFor enters an encryption that is about to be committed into its budget, and reports on its noise.
func (x *encrypting) chargeFor(ctx context.Context) (*PrivacyReport, error) {
	r := x.noise.report(1)
	if r == nil || x.Privacy.Budget == "" {
		return r, nil
	}
	return r, chargeRelease(ctx, r, x.Privacy.Budget, x.noise, &x.table, x.Out)
}

// chargeRelease enters a release into a budget, and notes its state in the report.
func chargeRelease(ctx context.Context, r *PrivacyReport, file string, n *noising, t *ctfile.Table, out string) error {
	entry := Release{Place: n.request.Noise, Mechanism: n.mechanism, Rho: n.guarantee.Rho.RatString(), Records: n.request.Records,
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

// planNoise decides on the noise of a release; nil without any.
func (d *Decryption) planNoise(t *ctfile.Table) (*noising, error) {
	p := &d.Privacy
	if err := p.checkFlags(NoiseRelease); err != nil || !p.wanted() {
		return nil, err
	}
	switch {
	case p.Budget == "":
		return nil, usage("Make one with cipherfold budget FILE --rho R, and give --budget FILE: what is released about the same people adds up.", "--noise release without a budget")
	case t.Noise != nil:
		return nil, column.Refuse(d.In, "the owners added noise already (--noise %s)", t.Noise.Place).WithHint("Leave out --noise release.")
	}
	if err := localBudget(p.Budget); err != nil {
		return nil, err
	}
	for _, s := range t.Preparation {
		if why, hint := entangles(s); why != "" {
			return nil, column.Refuse(d.In, "%s", why).WithHint("%s Encrypt again.", hint)
		}
	}
	return newNoising(*p, t.Measures, t.WeightMax)
}

// roomFor returns the table with bounds that leave room for noise, from which the types of columns follow.
func (n *noising) roomFor(t *ctfile.Table) *ctfile.Table {
	if n == nil {
		return t
	}
	c := *t
	c.Measures = append([]ctfile.Measure(nil), t.Measures...)
	for q := range c.Measures {
		if bound, err := codec.ParseBound(c.Measures[q].Bound); err == nil && n.per[q].distribution != nil {
			c.Measures[q].Bound = bound.Plus(tailBound(n.per[q].tail)).String()
		}
	}
	return &c
}

// planRelease makes noise the release's, or, of a table that came with noise, reports on that.
func (o *opening) planRelease(n *noising) error {
	var err error
	if n == nil {
		if err := enoughShares(o.d.In, o.table.Noise); err != nil {
			return err
		}
		if o.privacy, err = tableNoise(o.d.In, o.table); err != nil {
			return err
		}
	} else {
		for q := range n.per {
			x := &n.per[q]
			if x.distribution == nil {
				continue
			}
			x.limit = o.limits[q].Plus(tailBound(x.tail))
			if x.limit.Cmp(codec.PowerOfTen(codec.MaxDigits)) >= 0 {
				return column.Refuse(o.d.In, "no headroom: with its noise the sum of %s can exceed %d digits", column.Quote(x.name), codec.MaxDigits).
					WithHint("Allow a larger --epsilon or --rho, or encrypt with a lower max, fewer decimals or a smaller --max-adds.")
			}
		}
		o.noise, o.privacy = n, n.report(1)
	}
	metadata, err := reportMetadata(o.privacy)
	if err == nil && metadata != nil {
		o.schema = withMetadata(o.schema, metadata)
	}
	return err
}

// charge enters the release into its budget, before it is committed, and reports on its noise.
func (o *opening) charge(ctx context.Context) (*PrivacyReport, error) {
	if o.noise == nil {
		return o.privacy, nil
	}
	r := *o.privacy
	return &r, chargeRelease(ctx, &r, o.d.Privacy.Budget, o.noise, o.table, o.d.Out)
}

func tailBound(tail codec.Int) codec.Bound {
	return codec.Bound{tail.LowBits(), uint64(tail.HighBits())}
}
