package timing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// Welch's t of two small samples, computed by hand: means 3 and 7 of 5 and 4 values, variances 5/2 and 10/3.
func TestWelch(t *testing.T) {
	var a, b moments
	for _, x := range []float64{1, 2, 3, 4, 5} {
		a.add(x)
	}
	for _, x := range []float64{5, 9, 8, 6} {
		b.add(x)
	}
	if got, want := welch(a, b), -4/math.Sqrt(2.5/5+10./3/4); math.Abs(got-want) > 1e-12 {
		t.Errorf("t = %v, want %v", got, want)
	}
	if got := welch(b, a); got != -welch(a, b) {
		t.Errorf("t = %v the other way round", got)
	}
	one := moments{n: 1, mean: 9}
	if got := welch(a, one); got != 0 {
		t.Errorf("t = %v with one value", got)
	}
	if got := welch(moments{n: 5, mean: 1}, moments{n: 5, mean: 2}); got != -tMax {
		t.Errorf("t = %v without spread", got)
	}
	if got := welch(moments{n: 5, mean: 2}, moments{n: 5, mean: 2}); got != 0 {
		t.Errorf("t = %v without difference", got)
	}
}

// machineNoise is the time of an operation of about 10 µs: a little noise, interrupts now and then, and once in a
// while the processor is gone for long.
func machineNoise(random *rand.Rand) float64 {
	t := 10_000 + 40*random.NormFloat64()
	switch {
	case random.IntN(2000) == 0:
		t += 50e6
	case random.IntN(50) == 0:
		t += 20_000 * random.Float64()
	}
	return t
}

func leakOf(seed uint64, n int, delay func(class int, random *rand.Rand) float64) *leakTest {
	random := rand.New(rand.NewPCG(seed, 1))
	first := make([]float64, 5000)
	for i := range first {
		first[i] = machineNoise(random) + delay(i%2, random)
	}
	test := newLeakTest(first)
	for range n {
		class := random.IntN(2)
		test.add(class, machineNoise(random)+delay(class, random))
	}
	return test
}

// What takes the same time passes in spite of noise; what takes a thousandth longer for one class is seen, and so is what
// takes as long on average but scatters more.
func TestLeak(t *testing.T) {
	const n = 200_000
	for seed := range thoroughtest.Pick[uint64](1, 5) {
		same := leakOf(seed, n, func(int, *rand.Rand) float64 { return 0 })
		if x, _ := same.worst(); math.Abs(x) > bench.TimingThreshold || same.count() != n {
			t.Errorf("seed %d: no difference, but t = %v of %d", seed, x, same.count())
		}
		late := leakOf(seed, n, func(class int, _ *rand.Rand) float64 { return 10 * float64(class) })
		if x, share := late.worst(); x > -2*bench.TimingThreshold || share < 0.05 {
			t.Errorf("seed %d: one class is late, but t = %v of a share of %v", seed, x, share)
		}
		if x := late.plain(); math.Abs(x) > bench.TimingThreshold {
			t.Errorf("seed %d: the noise does not hide the difference without cropping: t = %v", seed, x)
		}
		loose := leakOf(seed, n, func(class int, random *rand.Rand) float64 { return 20 * float64(class) * random.NormFloat64() })
		if x, _ := loose.worst(); math.Abs(x) < 2*bench.TimingThreshold {
			t.Errorf("seed %d: one class scatters, but t = %v", seed, x)
		}
	}
}

// Limits rise to the largest times.
func TestCroppings(t *testing.T) {
	first := make([]float64, 1000)
	for i := range first {
		first[i] = float64(1000 - i)
	}
	test := newLeakTest(first)
	if len(test.limits) != croppings+1 || test.middle != 501 || test.limits[0] < 60 || test.limits[croppings-1] < 999 || !math.IsInf(test.limits[croppings], 1) {
		t.Errorf("limits %v around %v", test.limits, test.middle)
	}
	for i := 1; i < len(test.limits); i++ {
		if test.limits[i] < test.limits[i-1] {
			t.Errorf("limits %v", test.limits)
		}
	}
	test.add(0, 500)
	below := 0
	for i, c := range test.classes {
		if (c[0].n == 1) != (500 < test.limits[i]) || c[1].n != 0 {
			t.Errorf("limit %v: %v", test.limits[i], c)
		}
		below += int(c[0].n)
	}
	if below == 0 || below > croppings || test.count() != 1 {
		t.Errorf("one time counts %d times", below)
	}
}
