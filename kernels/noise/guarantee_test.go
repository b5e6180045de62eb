package noise

import (
	"math"
	"math/big"
	"testing"
)

// A hundred releases against closed forms: rho and pure epsilon add up exactly, and the conversion to (ε, δ) stays below
// ρ + 2√(ρ·ln(1/δ)) and not far below.
func TestHundredReleases(t *testing.T) {
	rho := rational(t, "0.01")
	var concentrated, pure []Guarantee
	for range 100 {
		concentrated = append(concentrated, Concentrated(rho))
		pure = append(pure, Pure(rational(t, "0.1")))
	}
	c, p := Compose(concentrated...), Compose(pure...)
	if c.Rho.Cmp(big.NewRat(1, 1)) != 0 || c.IsPure() || c.Epsilon.Sign() != 0 {
		t.Errorf("100 releases of ρ = 0.01: %s, pure %v", c.Rho, c.Epsilon)
	}
	if p.Epsilon.Cmp(big.NewRat(10, 1)) != 0 || p.Rho.Cmp(big.NewRat(1, 2)) != 0 {
		t.Errorf("100 releases of ε = 0.1: ε %s, ρ %s", p.Epsilon, p.Rho)
	}
	if mixed := Compose(append(pure, concentrated...)...); mixed.IsPure() || mixed.Rho.Cmp(big.NewRat(3, 2)) != 0 || mixed.Rest.Cmp(big.NewRat(1, 1)) != 0 {
		t.Errorf("both: ε %v, ρ %s", mixed.Epsilon, mixed.Rho)
	}
	for _, delta := range []float64{1e-3, 1e-6, 1e-9, 1e-12} {
		closed := 1 + 2*math.Sqrt(math.Log(1/delta))
		if got := EpsilonClosed(1, delta); math.Abs(got-closed) > 1e-12 {
			t.Errorf("closed form at δ = %g: %v, want %v", delta, got, closed)
		}
		got := c.EpsilonAt(delta)
		if got > closed || got < 0.8*closed {
			t.Errorf("δ = %g: ε = %v, where the closed form has %v", delta, got, closed)
		}
		// What the conversion must not go below: the exact ε of 100 Gaussian mechanisms, which are one of ρ = 1.
		if exact := gaussianEpsilon(1, delta); got < exact {
			t.Errorf("δ = %g: ε = %v is below %v, which Gaussian noise needs", delta, got, exact)
		}
	}
	// Known values of the conversion, computed with 50 digits.
	for _, k := range []struct{ rho, delta, epsilon float64 }{
		{0.1, 1e-6, 2.1419389283854737}, {1, 1e-6, 7.7662166253117207}, {1, 1e-9, 9.5214636717922322},
		{0.005, 1e-5, 0.37526123569902315}, {10, 1e-6, 32.221660949097596},
	} {
		if got := EpsilonOf(k.rho, k.delta); math.Abs(got-k.epsilon) > 1e-9*k.epsilon {
			t.Errorf("ρ = %v, δ = %v: ε = %.15g, want %.15g", k.rho, k.delta, got, k.epsilon)
		}
	}
}

// gaussianEpsilon is the exact ε of a continuous Gaussian mechanism of rho = D²/(2σ²) (Balle and Wang, ICML 2018).
func gaussianEpsilon(rho, delta float64) float64 {
	s := math.Sqrt(2 * rho) // D/σ
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	lo, hi := 0.0, 1e3
	for range 200 {
		if e := (lo + hi) / 2; phi(s/2-e/s)-math.Exp(e)*phi(-s/2-e/s) > delta {
			lo = e
		} else {
			hi = e
		}
	}
	return lo
}

func TestLimit(t *testing.T) {
	release := Concentrated(rational(t, "0.01"))
	var spent []Guarantee
	limit := Limit{Rho: big.NewRat(1, 1)}
	for i := range 101 {
		spent = append(spent, release)
		if got := limit.Allows(Compose(spent...)); got != (i < 100) {
			t.Errorf("%d releases of 0.01 of 1: %v", i+1, got)
		}
	}
	spent = nil
	limit = Limit{Epsilon: big.NewRat(1, 1), Delta: new(big.Rat)}
	for i := range 11 {
		spent = append(spent, Pure(rational(t, "0.1")))
		if got := limit.Allows(Compose(spent...)); got != (i < 10) {
			t.Errorf("%d releases of ε = 0.1 of 1: %v", i+1, got)
		}
	}
	if limit.Allows(Compose(Concentrated(rational(t, "1e-9")))) {
		t.Error("δ = 0 allows a guarantee that is not pure")
	}
	// Of many small pure releases, zCDP allows more than pure composition does.
	limit.Delta = rational(t, "1e-6")
	n := 0
	for sum := Compose(); limit.Allows(sum); n++ {
		sum = Compose(sum, Pure(rational(t, "0.01")))
	}
	if n < 200 {
		t.Errorf("(1, 1e-6) has room for %d releases of ε = 0.01", n-1)
	}
	if !limit.Allows(Compose()) {
		t.Error("nothing is too much")
	}
	// One large pure release beside one of (1, δ): ε adds up, where ρ would make 5 of the pure one.
	limit = Limit{Epsilon: big.NewRat(2, 1), Delta: rational(t, "1e-6")}
	gaussian := Concentrated(RhoFor(big.NewRat(1, 1), limit.Delta))
	if both := Compose(gaussian, Pure(big.NewRat(1, 1))); !limit.Allows(both) {
		t.Errorf("(1, 1e-6) and 1 make (%v, 1e-6)", both.EpsilonAt(1e-6))
	}
	if limit.Allows(Compose(gaussian, Pure(rational(t, "1.00001")))) {
		t.Error("(1, 1e-6) and 1.00001 make no more than (2, 1e-6)")
	}
}

func TestRhoFor(t *testing.T) {
	for _, epsilon := range []string{"1/100", "0.5", "1", "4", "20", "300"} {
		for _, delta := range []string{"1e-12", "1e-6", "0.01", "0.9"} {
			e, d := rational(t, epsilon), rational(t, delta)
			rho := RhoFor(e, d)
			if rho.Sign() <= 0 || rho.Denom().BitLen() > 120 {
				t.Fatalf("ε = %s, δ = %s: ρ = %s", epsilon, delta, rho)
			}
			limit := Limit{Epsilon: e, Delta: d}
			if !limit.Allows(Concentrated(rho)) {
				t.Errorf("ε = %s, δ = %s: ρ = %s is too much", epsilon, delta, rho)
			}
			more := new(big.Rat).Mul(rho, big.NewRat(1_000_001, 1_000_000))
			if limit.Allows(Concentrated(more)) {
				t.Errorf("ε = %s, δ = %s: ρ = %s could be more", epsilon, delta, rho)
			}
		}
	}
}

// These are the guarantees of the distributions themselves, computed from exact probabilities. For every α the Rényi
// divergence between noise and shifted noise is at most α·ρ. For every ε the δ is at most that of the conversion.
func TestDistributionsKeepTheirGuarantees(t *testing.T) {
	for _, c := range []struct{ variance, sensitivity float64 }{{1. / 2, 1}, {3, 1}, {10, 3}, {50, 7}} {
		p := tabulate(int(40*math.Sqrt(c.variance))+20, gaussianProbabilities(c.variance))
		checkGuarantee(t, p, int(c.sensitivity), c.sensitivity*c.sensitivity/(2*c.variance))
	}
	rate := 0.25
	l := tabulate(400, func(x int) float64 { return math.Tanh(rate/2) * math.Exp(-math.Abs(float64(x))*rate) })
	if loss := largestLoss(l, 3); loss > 3*rate+1e-9 {
		t.Errorf("Laplace of scale 4, sensitivity 3: pure ε = %v", loss)
	}
	checkGuarantee(t, l, 3, 9*rate*rate/2)
}

// One of five owners is silent: the sum of the four shares that are there keeps the guarantee that was asked for with
// four honest owners, and all five lose no more.
func TestSilentOwner(t *testing.T) {
	for _, c := range []struct {
		sensitivity int
		rho         string
	}{{1, "1/2"}, {6, "1/8"}, {20, "1/2"}} {
		const honest = 4
		rho := rational(t, c.rho)
		required := new(big.Rat).Quo(big.NewRat(int64(c.sensitivity*c.sensitivity), 2), rho)
		g, err := Share(required, honest)
		if err != nil {
			t.Fatal(err)
		}
		one := tabulate(int(30*math.Sqrt(g.parameter())), gaussianProbabilities(g.parameter()))
		sum := one
		for range honest - 1 {
			sum = sum.convolve(one)
		}
		checkGuarantee(t, sum, c.sensitivity, ratFloat(rho))
		checkGuarantee(t, sum.convolve(one), c.sensitivity, ratFloat(rho))
		variance := 0.0
		for i, p := range sum {
			x := float64(i - len(sum)/2)
			variance += p * x * x
		}
		if variance < ratFloat(required) {
			t.Errorf("four shares have the variance %v, and %s is required", variance, required.RatString())
		}
		// Two silent owners are one more than was allowed for: three shares do not suffice. (Where the shares had to be
		// widened to be smooth, they do.)
		if c.sensitivity == 20 {
			if three := one.convolve(one).convolve(one); renyi(three, c.sensitivity, 2) <= 2*ratFloat(rho) {
				t.Error("three shares keep what needs four: the shares are too wide")
			}
		}
	}
}

// The sum of shares is a discrete Gaussian up to a factor within exp(±2^-80), of which a float64 sees nothing; narrower
// noise would show it.
func TestSharesAreSmooth(t *testing.T) {
	g, err := Share(rational(t, "1/1000"), 3)
	if err != nil {
		t.Fatal(err)
	}
	ripple := func(variance float64) float64 {
		one := tabulate(40, gaussianProbabilities(variance))
		sum := one.convolve(one).convolve(one)
		ideal := gaussianProbabilities(3 * variance)
		most := 0.0
		for x := -6; x <= 6; x++ {
			most = math.Max(most, math.Abs(math.Log(sum.at(x)/ideal(x))))
		}
		return most
	}
	if r := ripple(g.parameter()); r > 1e-12 {
		t.Errorf("σ² = %v: the sum of three is off by %g", g.parameter(), r)
	}
	if r := ripple(0.2); r < 1e-3 {
		t.Errorf("σ² = 0.2: the sum of three is off by %g only: this test sees nothing", r)
	}
	if _, err := Share(rational(t, "1"), 0); err == nil {
		t.Error("no honest owner is accepted")
	}
}

func checkGuarantee(t *testing.T, p pmf, shift int, rho float64) {
	t.Helper()
	const rounding = 1e-9
	for _, alpha := range []float64{1.001, 1.1, 1.5, 2, 3, 5, 10} {
		if d := renyi(p, shift, alpha); d > alpha*rho*(1+rounding) {
			t.Errorf("shift %d: Rényi divergence of order %v is %v, more than %v", shift, alpha, d, alpha*rho)
		}
	}
	for _, epsilon := range []float64{0.1, 0.5, 1, 2, 4} {
		delta := 0.0
		for x := -len(p); x <= len(p); x++ {
			delta += math.Max(0, p.at(x)-math.Exp(epsilon)*p.at(x-shift))
		}
		if delta < 1e-14 { // what is cut off
			continue
		}
		if e := EpsilonOf(rho, delta); epsilon > e*(1+rounding) {
			t.Errorf("shift %d: δ(%v) = %g, where %v is promised", shift, epsilon, delta, e)
		}
	}
}

// renyi is the divergence of order α between p and p shifted. The far tails, where float64 has no digits, are left out.
func renyi(p pmf, shift int, alpha float64) float64 {
	sum := 0.0
	for x := -len(p); x <= len(p); x++ {
		a, b := p.at(x), p.at(x-shift)
		if a > 1e-280 && b > 1e-280 {
			sum += math.Exp(alpha*math.Log(a) + (1-alpha)*math.Log(b))
		}
	}
	return math.Log(sum) / (alpha - 1)
}

func largestLoss(p pmf, shift int) float64 {
	most := 0.0
	for x := -len(p) / 2; x <= len(p)/2; x++ {
		if a, b := p.at(x), p.at(x-shift); a > 0 && b > 0 {
			most = math.Max(most, math.Abs(math.Log(a/b)))
		}
	}
	return most
}

func TestRationals(t *testing.T) {
	for text, want := range map[string]string{"0.5": "0.5", "1e-6": "0.000001", "1/3": "1/3", "2/4": "0.5", "12": "12", "1E3": "1000", "+2": "2"} {
		x, err := ParseRational(text)
		if err != nil || FormatRational(x) != want {
			t.Errorf("%q: %v, %v", text, x, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "0.0", "1/0", "x", "1e31", "1e-999999999", "1e", "NaN", "Inf", "0x10", "1_0", "1.2.3", "1/3/5", " 1", "1/2e5x",
		"123456789012345678901234567890123"} {
		if x, err := ParseRational(text); err == nil {
			t.Errorf("%q: %v", text, x)
		}
	}
}

// Whatever the parameters, a distribution is refused or draws within its tail, with a parameter that is not below what
// was asked for and next to it.
func FuzzParameters(f *testing.F) {
	f.Add(uint64(10), uint64(3), int16(0), uint64(1))
	f.Add(uint64(1)<<62, uint64(1), int16(0), uint64(2))
	f.Add(uint64(12345), uint64(1)<<63, int16(-40), uint64(3))
	f.Add(uint64(3), uint64(7), int16(60), uint64(4))
	f.Fuzz(func(t *testing.T, num, den uint64, shift int16, seed uint64) {
		if num == 0 || den == 0 {
			return
		}
		x := new(big.Rat).SetFrac(new(big.Int).SetUint64(num), new(big.Int).SetUint64(den))
		factor := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(shift&0xff)))
		if shift < 0 {
			x.Quo(x, factor)
		} else {
			x.Mul(x, factor)
		}
		var s [32]byte
		s[0], s[1], s[2], s[3] = byte(seed), byte(seed>>8), byte(seed>>16), byte(seed>>24)
		r := NewSeeded(s)
		check := func(d Distribution, parameter *big.Rat) {
			if parameter.Cmp(x) < 0 {
				t.Fatalf("%v for %s", d, x)
			}
			slack := new(big.Rat).Mul(x, big.NewRat(1<<50+1, 1<<50))
			slack.Add(slack, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 60)))
			if parameter.Cmp(slack) > 0 {
				t.Fatalf("%v for %s", d, x)
			}
			tail := d.Tail(100)
			for range 20 {
				if v := d.Draw(r).Abs(); tail.Cmp(v) < 0 {
					t.Fatalf("%v: %v", d, v.BigInt())
				}
			}
			if m := d.MeanAbs(1 + int64(seed%100)); math.IsNaN(m) || m < 0 {
				t.Fatalf("%v: mean %v", d, m)
			}
		}
		if l, err := NewLaplace(x); err == nil {
			check(l, l.Scale())
		} else if x.Cmp(new(big.Rat).SetInt64(1<<61)) < 0 {
			t.Fatal(err)
		}
		if g, err := NewGaussian(x); err == nil {
			check(g, g.Parameter())
		} else if x.Cmp(new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 123))) < 0 {
			t.Fatal(err)
		}
	})
}

func BenchmarkDraw(b *testing.B) {
	for _, d := range []Distribution{newLaplace(b, "20/3"), newLaplace(b, "1e15"), newGaussian(b, "100"), newGaussian(b, "1e30")} {
		b.Run(d.String(), func(b *testing.B) {
			r := seeded(b)
			for b.Loop() {
				d.Draw(r)
			}
		})
	}
}

// Sums of honest releases are exact, and so are those of fractions with denominators of thousands of bits.
func TestComposeIsExact(t *testing.T) {
	var all []Guarantee
	want := new(big.Rat)
	for i := range int64(300) {
		x := big.NewRat(1, 1000+7*i%90)
		all = append(all, Concentrated(x))
		want.Add(want, x)
	}
	if got := Compose(all...).Rho; got.Cmp(want) != 0 {
		t.Errorf("%v, want %v", got, want)
	}
}

// A sum of fractions each of which has a long denominator of its own would have as many digits as all of them together. It is
// rounded up, by next to nothing, and its digits stay few: so the time for four times as many is four times as long.
func TestComposeOfLongFractions(t *testing.T) {
	long := func(n int) ([]Guarantee, *big.Rat) {
		var all []Guarantee
		exact := new(big.Rat)
		d := new(big.Int).Exp(big.NewInt(10), big.NewInt(180), nil)
		for range n {
			d.Add(d, big.NewInt(2))
			x := new(big.Rat).SetFrac(big.NewInt(1), d)
			all = append(all, Concentrated(x))
			if n < 200 {
				exact.Add(exact, x)
			}
		}
		return all, exact
	}
	all, exact := long(100)
	got := Compose(all...)
	if above := new(big.Rat).Sub(got.Rho, exact); above.Sign() <= 0 || above.Cmp(new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 1000))) > 0 || got.Rest.Cmp(got.Rho) != 0 || got.Epsilon.Sign() != 0 {
		t.Errorf("the sum is %v above the exact one", above)
	}
	if pure := Compose(Pure(big.NewRat(1, 3)), Pure(big.NewRat(1, 7))); !pure.IsPure() {
		t.Errorf("%+v", pure)
	}
	for _, n := range []int{1000, 4000} {
		all, _ := long(n)
		sum := Compose(all...)
		if bits := sum.Rho.Denom().BitLen(); bits > exactBits {
			t.Errorf("the sum of %d has a denominator of %d bits", n, bits)
		}
	}
}
