package mont52

import (
	"math/rand/v2"
	"testing"
	"time"
)

func minTime(reps, calls int, f func()) float64 {
	best := time.Hour
	for range reps {
		t := time.Now()
		for range calls {
			f()
		}
		best = min(best, time.Since(t))
	}
	return float64(best.Nanoseconds()) / float64(calls)
}

func TestRatioTmp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{1024, 2048, 3072, 4096, 6144, 8192} {
		r := newRing(testModulus(rng, bits), true)
		x, y := r.newGroups(1), r.newGroups(1)
		copy(x, r.rr)
		s := r.take()
		k := float64(r.k)
		calls := 200000/(r.k*r.k) + 1
		limit, prod, squ, red, laz, mul, sqr, mlazy, slazy := 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9
		for range 60 {
			limit = min(limit, minTime(5, 1, func() { limitIFMA(1000) })/64000)
			prod = min(prod, minTime(5, calls, func() { r.product(s.sums, x, x) }))
			squ = min(squ, minTime(5, calls, func() { r.square(s.sums, x) }))
			red = min(red, minTime(5, calls, func() { r.reduce(y, s.sums, canonical) }))
			laz = min(laz, minTime(5, calls, func() { r.reduce(y, s.sums, lazy) }))
			mul = min(mul, minTime(5, calls, func() { r.mul(x, x, x, s, canonical) }))
			sqr = min(sqr, minTime(5, calls, func() { r.sqr(x, x, s, canonical) }))
			mlazy = min(mlazy, minTime(5, calls, func() { r.mul(x, x, x, s, lazy) }))
			slazy = min(slazy, minTime(5, calls, func() { r.sqr(x, x, s, lazy) }))
		}
		t.Logf("%d K=%d limit %.2f/ns: product %.3f square %.3f(of k²) reduce %.3f lazy %.3f | mul %.3f (%.0f ns/lane) sqr/mul %.3f | lazy mul %.3f sqr/mul %.3f", bits, r.k, 1/limit,
			2*k*k*limit/prod, k*k*limit/squ, 2*k*k*limit/red, 2*k*k*limit/laz, 4*k*k*limit/mul, mul/8, sqr/mul, 4*k*k*limit/mlazy, slazy/mlazy)
	}
}
