// Package privacy decides which noise a table or a release needs to keep a promise of differential privacy, reports what was
// promised, and keeps the account of a privacy budget. docs/privacy.md has the promise and its proof.
package privacy

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// Request asks for noise: differential privacy for the people whose data are in the tables. docs/privacy.md says what is
// promised, to whom, and why. Parameters are texts, so that they are exact: decimals or fractions.
type Request struct {
	Noise   string // where noise is added: NoiseLocal or NoiseShare by an encryption, NoiseRelease by a decryption; "" nowhere
	Epsilon string // alone: pure differential privacy, by discrete Laplace noise
	Delta   string // with Epsilon: (ε, δ), by discrete Gaussian noise. With Rho: the δ at which ε is reported
	Rho     string // instead of Epsilon: zero-concentrated differential privacy, by discrete Gaussian noise

	Records     int64    // that a person is in, at most, over all owners
	Sensitivity []string // MEASURE=S: a person changes a value by S at most, where that is less than its bound
	Counts      string   // CountsNoisy, the default, or CountsPublic: which values are missing is no secret
	Owners      int64    // with NoiseShare: how many owners there are,
	Honest      int64    // and how many of them add their share at least
	Groups      []string // with NoiseShare: files with all groups, each of which gets a share, instead of every record
	Budget      string   // file of the budget that is charged
}

// Places where noise can be added.
const (
	NoiseLocal   = "local"   // every owner, to every record
	NoiseShare   = "share"   // every owner, a share of what the sums need
	NoiseRelease = "release" // the key holder, once to every released number
)

// Treatments of counts.
const (
	CountsNoisy  = "noisy"
	CountsPublic = "public"
)

// Mechanisms.
const (
	mechanismLaplace  = "discrete-laplace"
	mechanismGaussian = "discrete-gaussian"
)

// Wanted reports whether there is anything to do.
func (p *Request) Wanted() bool { return p.Noise != "" }

// CheckFlags refuses combinations that make no sense in any place, and fills in defaults.
func (p *Request) CheckFlags(places ...string) error {
	if !p.Wanted() {
		for _, x := range []struct {
			flag  string
			given bool
		}{
			{"‹epsilon›", p.Epsilon != ""}, {"‹delta›", p.Delta != ""}, {"‹rho›", p.Rho != ""}, {"‹person_records›", p.Records != 0},
			{"‹sensitivity›", p.Sensitivity != nil}, {"‹counts›", p.Counts != ""}, {"‹owners›", p.Owners != 0}, {"‹honest›", p.Honest != 0},
			{"‹noise_groups›", p.Groups != nil}, {"‹budget›", p.Budget != ""},
		} {
			if x.given {
				return job.Misuse("Say where noise is added: ‹noise› "+strings.Join(places, " or ")+".", "%s without ‹noise›", x.flag)
			}
		}
		return nil
	}
	if !slices.Contains(places, p.Noise) {
		return job.Misuse("Here it can be "+strings.Join(places, " or ")+". Owners add noise when they encrypt (local, share), the key holder when the result is decrypted (release).",
			"‹noise› %s", p.Noise)
	}
	switch {
	case p.Epsilon == "" && p.Rho == "":
		return job.Misuse("Give ‹epsilon› E, ‹epsilon› E ‹delta› D, or ‹rho› R.", "‹noise› without a guarantee")
	case p.Epsilon != "" && p.Rho != "":
		return job.Misuse("They are two ways to say the same.", "‹epsilon› and ‹rho› together")
	case p.Noise == NoiseShare && p.Epsilon != "" && p.Delta == "":
		return job.Misuse("Add ‹delta›, or give ‹rho›: shares are discrete Gaussian noise, which has no pure guarantee.", "‹noise› share with ‹epsilon› alone")
	case p.Records == 0:
		return job.Misuse("Say how many records, over all owners, one person can be in: ‹person_records› 1 where every person has one.", "‹noise› without ‹person_records›")
	case p.Records < 0 || p.Records > math.MaxInt32:
		return job.Misuse("It is the number of records that one person can be in.", "‹person_records› %d", p.Records)
	}
	if p.Counts == "" {
		p.Counts = CountsNoisy
	}
	if p.Counts != CountsNoisy && p.Counts != CountsPublic {
		return job.Misuse("Choose noisy, or public where it is no secret which values are missing.", "unknown ‹counts› %s", p.Counts)
	}
	if p.Noise == NoiseShare {
		if p.Owners < 1 || p.Honest < 1 || p.Honest > p.Owners || p.Owners > math.MaxInt32 {
			return job.Misuse("Say how many owners there are and how many of them add their share at least: ‹owners› 5 ‹honest› 4.", "‹noise› share with ‹owners› %d ‹honest› %d", p.Owners, p.Honest)
		}
	} else if p.Owners != 0 || p.Honest != 0 || p.Groups != nil {
		return job.Misuse("These are about the shares of several owners: ‹noise› share.", "‹owners›, ‹honest› or ‹noise_groups› with ‹noise› %s", p.Noise)
	}
	g, _, err := p.promise()
	if err == nil && p.Noise == NoiseShare && g.Rho.Cmp(leastShared) < 0 {
		return job.Misuse("Allow a larger ‹epsilon› or ‹rho›.", "‹noise› share with a guarantee below ρ = 2^-70, for which shares are not known to suffice")
	}
	return err
}

// leastShared is the smallest ρ that noise.Share keeps.
var leastShared = big.NewRat(1, 1<<62).Mul(big.NewRat(1, 1<<62), big.NewRat(1, 1<<8))

// promise is what the parameters guarantee, and the δ at which it is reported: nil for a pure guarantee.
func (p *Request) promise() (noise.Guarantee, *big.Rat, error) {
	parse := func(flag, text string) (*big.Rat, error) {
		x, err := noise.ParseRational(text)
		if err != nil {
			return nil, job.Misuse("It is a positive number such as 0.5, 1e-6 or 1/3.", "%s %s: %v", flag, text, err)
		}
		return x, nil
	}
	var delta *big.Rat
	if p.Delta != "" {
		var err error
		if delta, err = parse("‹delta›", p.Delta); err != nil {
			return noise.Guarantee{}, nil, err
		}
		if delta.Cmp(big.NewRat(1, 1)) >= 0 {
			return noise.Guarantee{}, nil, job.Misuse("It is a small probability, such as 1e-6: less than one in the number of people.", "‹delta› %s is not below 1", p.Delta)
		}
	}
	if p.Rho != "" {
		rho, err := parse("‹rho›", p.Rho)
		if err != nil {
			return noise.Guarantee{}, nil, err
		}
		if delta == nil {
			delta = big.NewRat(1, 1_000_000)
		}
		return noise.Concentrated(rho), delta, nil
	}
	epsilon, err := parse("‹epsilon›", p.Epsilon)
	if err != nil {
		return noise.Guarantee{}, nil, err
	}
	if delta == nil {
		return noise.Pure(epsilon), nil, nil
	}
	return noise.Concentrated(noise.RhoFor(epsilon, delta)), delta, nil
}

// sensitivities reads MEASURE=S for measures with the given decimals: scaled integers, by measure.
func (p *Request) sensitivities(decimals map[string]int) (map[string]*big.Int, error) {
	out := map[string]*big.Int{}
	for _, spec := range p.Sensitivity {
		at := strings.LastIndexByte(spec, '=')
		if at < 0 {
			return nil, job.Misuse("Write MEASURE=S, such as AC=2.", "‹sensitivity› %s", column.Quote(spec))
		}
		name, text := spec[:at], spec[at+1:]
		d, ok := decimals[name]
		switch {
		case !ok:
			return nil, job.Misuse("Name one of the measures.", "‹sensitivity› of %s, which is no measure", column.Quote(name))
		case out[name] != nil:
			return nil, job.Misuse("Give it once.", "two sensitivities of %s", column.Quote(name))
		}
		s, err := noise.ParseRational(text)
		if err == nil {
			s.Mul(s, new(big.Rat).SetInt(powerOfTen(d)))
			if !s.IsInt() {
				err = fmt.Errorf("it has more than the measure's %s", job.Count(d, "decimal"))
			}
		}
		if err != nil {
			return nil, job.Misuse("It is what one person changes a value by at most, such as AC=2.", "‹sensitivity› %s: %v", column.Quote(spec), err)
		}
		out[name] = s.Num()
	}
	return out, nil
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// guaranteeText writes a guarantee for people: "ε = 1", or "ε = 1, δ = 1e-6 (ρ = 0.0244)".
func guaranteeText(g noise.Guarantee, delta *big.Rat) string {
	if delta == nil {
		return "ε = " + noise.FormatRational(g.Epsilon)
	}
	d, _ := delta.Float64()
	rho, _ := g.Rho.Float64()
	return fmt.Sprintf("ε = %s, δ = %s (ρ = %s)", roundedUp(g.EpsilonAt(d)), strconv.FormatFloat(d, 'g', -1, 64), strconv.FormatFloat(rho, 'g', 4, 64))
}

// roundedUp writes x > 0 with six digits, the last one rounded up unless x is, to rounding, a number of six digits.
func roundedUp(x float64) string {
	if math.IsInf(x, 1) {
		return "∞"
	}
	nearest, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	if err == nil && nearest < x*(1-1e-9) {
		unit := math.Pow(10, math.Floor(math.Log10(x))-5)
		nearest += unit
	}
	return strconv.FormatFloat(nearest, 'g', 6, 64)
}
