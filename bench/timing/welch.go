package timing

import (
	"math"
	"slices"

	"github.com/cipherfold/cipherfold/bench"
)

// moments are the number, mean and sum of squared deviations of a sample, kept up with every value (Welford, 1962).
type moments struct {
	n, mean, squares float64
}

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.squares += d * (x - m.mean)
}

// welch is Welch's t of two samples: the difference of their means in standard errors. It is 0 when a sample has fewer
// than two values, and at most tMax when different means have no spread.
func welch(a, b moments) float64 {
	if a.n < 2 || b.n < 2 {
		return 0
	}
	d := a.mean - b.mean
	if d == 0 {
		return 0
	}
	t := d / math.Sqrt(a.squares/(a.n-1)/a.n+b.squares/(b.n-1)/b.n)
	return max(-tMax, min(t, tMax))
}

// tMax represents an infinite t, which JSON has no number for.
const tMax = 1e9

// croppings is how many upper limits of time a leakTest tries, beside none. Times are cropped because a delay from
// outside, such as an interrupt, is long.
const croppings = 100

// fewest is how many times a cropping must leave for its t to mean something.
const fewest = 10_000

// leakTest compares the times of two classes of inputs as dudect does (Reparaz, Balasch and Verbauwhede, "Dude, is my
// code constant time?", DATE 2017). It computes Welch's t of all times, of those below each of several limits, and of
// squared deviations. Deviations are those of the times below the highest limit from a middle that is the same for
// both classes. Otherwise a single interrupt, which moves the mean of one class, would make all of its later
// deviations larger than those of the other class.
type leakTest struct {
	limits  []float64             // ascending; the last one is infinite
	classes [croppings + 1]sample // of the times below each limit
	middle  float64
	second  sample // of squared deviations
}

// sample is the times of the two classes.
type sample [2]moments

// newLeakTest sets the limits by a first lot of times, which do not count: percentiles that come closer to the top the
// higher they are, as in dudect.
func newLeakTest(first []float64) *leakTest {
	sorted := slices.Sorted(slices.Values(first))
	t := &leakTest{middle: sorted[len(sorted)/2]}
	for i := range croppings {
		share := 1 - math.Pow(0.5, 10*float64(i+1)/croppings)
		t.limits = append(t.limits, sorted[int(share*float64(len(sorted)))])
	}
	t.limits = append(t.limits, math.Inf(1))
	return t
}

func (t *leakTest) add(class int, time float64) {
	for i := croppings; i >= 0 && time < t.limits[i]; i-- {
		t.classes[i][class].add(time)
	}
	if time < t.limits[croppings-1] {
		d := time - t.middle
		t.second[class].add(d * d)
	}
}

// count is the number of times so far.
func (t *leakTest) count() int { return int(t.classes[croppings][0].n + t.classes[croppings][1].n) }

// worst is the t of largest magnitude and the share of the times that it is about, negative for the second order.
func (t *leakTest) worst() (worst, share float64) {
	total := float64(t.count())
	for _, c := range t.classes {
		if c[0].n+c[1].n < min(fewest, total/2) {
			continue // of too few
		}
		if x := welch(c[0], c[1]); math.Abs(x) >= math.Abs(worst) {
			worst, share = x, (c[0].n+c[1].n)/total
		}
	}
	if x := welch(t.second[0], t.second[1]); math.Abs(x) > math.Abs(worst) {
		worst, share = x, bench.SecondOrder
	}
	return worst, share
}

// plain is the t of all times.
func (t *leakTest) plain() float64 { return welch(t.classes[croppings][0], t.classes[croppings][1]) }
