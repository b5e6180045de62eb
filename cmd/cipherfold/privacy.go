package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/privacy"
)

// privacyFlags are the flags of noise that owners and key holder share.
func privacyFlags(f *pflag.FlagSet, p *privacy.Request, places string) {
	f.StringVar(&p.Noise, "noise", "", "`WHERE` add noise for differential privacy: "+places)
	f.StringVar(&p.Epsilon, "epsilon", "", "`E` the guarantee: alone pure ε, by discrete Laplace noise; with --delta (ε, δ), by discrete Gaussian noise")
	f.StringVar(&p.Delta, "delta", "", "`D` with --epsilon; a small probability such as 1e-6")
	f.StringVar(&p.Rho, "rho", "", "`R` instead: ρ of zero-concentrated differential privacy, by discrete Gaussian noise")
	f.Int64Var(&p.Records, "person-records", 0, "`N` records that one person is in, at most, over all owners")
	noiseCountsFlag(f, p)
	f.StringVar(&p.Budget, "budget", "", "`FILE` charge this budget (cipherfold budget)")
}

// ownerPrivacyFlags are those of owners alone.
func ownerPrivacyFlags(f *pflag.FlagSet, p *privacy.Request) {
	privacyFlags(f, p, "local (to every record) or share (each owner a part of what sums need)")
	sensitivityFlag(f, p)
	f.Int64Var(&p.Owners, "owners", 0, "`N` with --noise share: owners that there are,")
	f.Int64Var(&p.Honest, "honest", 0, "`N` of whom so many add their share at least")
	f.StringArrayVar(&p.Groups, "noise-groups", nil, "`FILE...` with --noise share: public list of all groups of --id; each gets a share instead of every record")
}

// releasePrivacyFlags are those of the key holder.
func releasePrivacyFlags(f *pflag.FlagSet, p *privacy.Request) {
	privacyFlags(f, p, "release (once to every released number)")
	sensitivityFlag(f, p)
}

func sensitivityFlag(f *pflag.FlagSet, p *privacy.Request) {
	f.StringArrayVar(&p.Sensitivity, "sensitivity", nil, "`MEASURE=S...` one person changes a value by at most S, where that is less than max")
}

// writePrivacy says what noise an output carries: for every number its error and the guarantee.
func writePrivacy(w io.Writer, r *job.PrivacyReport) {
	if r == nil {
		return
	}
	place := map[string]string{privacy.NoiseLocal: "every record", privacy.NoiseShare: "a share of every owner", privacy.NoiseRelease: "once at release"}[r.Place]
	mechanism := strings.NewReplacer("discrete-gaussian", "discrete Gaussian", "discrete-laplace", "discrete Laplace").Replace(r.Mechanism)
	fmt.Fprintf(w, "  noise: %s, %s; for a person in at most %s\n", mechanism, place, count(r.Records, "record"))
	if r.Honest > 0 {
		fmt.Fprintf(w, "  holds if %d of %s added their shares\n", r.Honest, count(r.Owners, "owner"))
	}
	if r.Quiet > 0 {
		fmt.Fprintf(w, "  without a share: %s\n", count(r.Quiet, "table"))
	}
	width := 0
	for _, c := range r.Columns {
		width = max(width, len([]rune(c.Name)))
	}
	for _, c := range r.Columns {
		note := ""
		switch {
		case c.AtLeast:
			note = ", or more: groups that have shares each are added up"
		case c.Terms > 1:
			note = fmt.Sprintf(", a sum of up to %s", count(c.Terms, "term"))
		case r.Place == privacy.NoiseShare:
			note = ", for the sum; the error is that of one share"
		case r.Place == privacy.NoiseLocal:
			note = ", each record"
		}
		fmt.Fprintf(w, "  %-*s  mean |error| %-10s %s%s\n", width, c.Name, strconv.FormatFloat(c.MeanError, 'g', 5, 64), r.Guarantee, note)
	}
	if len(r.Public) > 0 {
		fmt.Fprintf(w, "  without noise, stated to be public: %s\n", strings.Join(r.Public, ", "))
	}
	if b := r.Budget; b != nil {
		fmt.Fprintf(w, "  budget %s: %s of %s is spent, in %s\n", b.File, b.Used, b.Limit, count(int64(b.Releases), "release"))
	}
}
