package decrypt

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// planNoise decides on the noise of a release; nil without any.
func (d *Request) planNoise(t *ctfile.Table) (*privacy.Noise, error) {
	p := &d.Privacy
	if err := p.CheckFlags(privacy.NoiseRelease); err != nil || !p.Wanted() {
		return nil, err
	}
	switch {
	case p.Budget == "":
		return nil, job.Misuse("Make one with «budget FILE ‹rho› R», and give ‹budget› FILE: what is released about the same people adds up.", "‹noise› release without a budget")
	case t.Repeats:
		return nil, column.Refuse(d.In, "a table may be in the sum more than once, as ‹allow_repeats› allowed, and the noise is for one that is there once").
			WithHint("Fuse the owners' tables again without ‹allow_repeats›.")
	case t.Noise != nil:
		return nil, column.Refuse(d.In, "the owners added noise already (‹noise› %s)", t.Noise.Place).WithHint("Leave out ‹noise› release.")
	}
	if err := privacy.LocalBudget(p.Budget); err != nil {
		return nil, err
	}
	for _, s := range t.Preparation {
		if why, hint := privacy.Entangles(s); why != "" {
			return nil, column.Refuse(d.In, "%s", why).WithHint("%s Encrypt again.", hint)
		}
	}
	return privacy.NewNoise(*p, t.Measures, t.WeightMax)
}

// planRelease plans the noise of the release. If the table came with noise, it reports that instead.
func (o *decryption) planRelease(n *privacy.Noise) error {
	var err error
	if n == nil {
		if err := privacy.CheckShares(o.d.In, o.table.Noise); err != nil {
			return err
		}
		if o.privacy, err = privacy.OfTable(o.d.In, o.table); err != nil {
			return err
		}
	} else {
		for q := range n.Per {
			x := &n.Per[q]
			if x.Distribution == nil {
				continue
			}
			x.Limit = o.limits[q].Plus(privacy.TailBound(x.Tail))
			if x.Limit.Cmp(codec.PowerOfTen(codec.MaxDigits)) >= 0 {
				return column.Refuse(o.d.In, "no headroom: with its noise the sum of %s can exceed %d digits", column.Quote(x.Name), codec.MaxDigits).
					WithHint("Allow a larger ‹epsilon› or ‹rho›, or encrypt with a lower max, fewer decimals or a smaller ‹max_adds›.")
			}
		}
		o.noise, o.privacy = n, n.Report(1)
	}
	metadata, err := privacy.ReportMetadata(o.privacy)
	if err == nil && metadata != nil {
		o.schema = privacy.WithMetadata(o.schema, metadata)
	}
	return err
}

// charge enters the release into its budget, before it is committed, and reports on its noise.
func (o *decryption) charge(ctx context.Context) (*job.PrivacyReport, error) {
	if o.noise == nil {
		return o.privacy, nil
	}
	r := *o.privacy
	return &r, privacy.Charge(ctx, &r, o.d.Privacy.Budget, o.noise, o.table, o.d.Out)
}
