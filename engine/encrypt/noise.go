package encrypt

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// checkPrivacy refuses a request for noise that would not keep its promise, before any file is opened.
func (e *Request) checkPrivacy() error {
	p := &e.Privacy
	if err := p.CheckFlags(privacy.NoiseLocal, privacy.NoiseShare); err != nil || !p.Wanted() {
		return err
	}
	if p.Budget != "" {
		if err := privacy.LocalBudget(p.Budget); err != nil {
			return err
		}
	}
	switch {
	case p.Noise == privacy.NoiseLocal && p.Sensitivity != nil:
		return job.Misuse("Leave it out: local noise hides all of a record, which its max bounds.", "‹sensitivity› with ‹noise› local")
	case p.Noise == privacy.NoiseShare && len(e.Universe) == 0 && p.Groups == nil:
		return job.Misuse("Give the public list of all records (‹universe›) or of all groups (‹noise_groups›): every sum needs a share of every owner, also of one who has nothing in it.",
			"‹noise› share without a list")
	case p.Groups != nil && len(e.Universe) > 0:
		return job.Misuse("With a universe every record gets a share, with groups every group.", "‹noise_groups› with ‹universe›")
	case e.TokenSamples:
		return job.Misuse("Leave out ‹token_samples›: the tokens tell everybody how many people are in the table, and of each whether it is in others.", "‹token_samples› with ‹noise›")
	case p.Groups != nil && e.Layout != slots.Records:
		return job.Misuse("Use ‹layout› records, or ‹universe›.", "‹noise_groups› needs records that can be grouped")
	case p.Groups != nil && e.RowsPerFile > 0 && e.Duplicates == slots.DuplicatesRefuse:
		return job.Misuse("Leave out ‹duplicates›.", "‹noise_groups› with ‹duplicates› refuse")
	}
	return nil
}

// declaredBounds refuses noise on measures whose bounds would be found in the data.
func (e *Request) declaredBounds() error {
	for _, m := range e.Measures {
		if e.Privacy.Wanted() && m.Bound == 0 {
			return job.Misuse("Write ‹measure› "+m.Name+":max=M, where M is what the quantity can be, not what the data have.",
				"measure %s: noise needs a declared max, because one that is found in the data tells about them", column.Quote(m.Name))
		}
	}
	return nil
}

// planNoise decides on the noise of an encryption, once every measure has a bound. No value may depend on other records.
func (x *encryption) planNoise() error {
	p := x.request.Privacy
	if !p.Wanted() {
		return nil
	}
	for _, s := range x.table.Preparation {
		if why, hint := privacy.Entangles(s); why != "" && (s.On != "" || p.Noise == privacy.NoiseShare) {
			return job.Misuse(hint, "%s", why)
		}
	}
	probe := x.table
	if err := slots.LayOut(&probe, x.request.Key.Public.Bits(), x.request.Measures, x.tuples, nil); err != nil {
		return err
	}
	var err error
	x.noise, err = privacy.NewNoise(p, probe.Measures, 1)
	return err
}

// chargeFor enters an encryption that is about to be committed into its budget, and reports on its noise.
func (x *encryption) chargeFor(ctx context.Context) (*job.PrivacyReport, error) {
	r := x.noise.Report(1)
	if r == nil || x.request.Privacy.Budget == "" {
		return r, nil
	}
	return r, privacy.Charge(ctx, r, x.request.Privacy.Budget, x.noise, &x.table, x.request.Out)
}
