//go:build !purego

package mont52

import (
	"fmt"
	"testing"
	"time"
)

// fastest is the shortest time of several runs of f, in nanoseconds.
func fastest(runs int, f func()) float64 {
	best := time.Duration(1<<63 - 1)
	for range runs {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds())
}

// BenchmarkLimit relates the kernels to what the multiplier of this machine can do, 4·K² products for a
// multiplication of K limbs. Limit and kernels take turns and the fastest time of each counts, so that the ratios hold
// on a machine that is busy with other things.
func BenchmarkLimit(b *testing.B) {
	if ok, why := supported(); !ok {
		b.Skip(why)
	}
	for _, bits := range []int{2048, 3072, 4096, 6144, 8192} {
		b.Run(fmt.Sprint(bits), func(b *testing.B) {
			rng := newRand(bits)
			r := newRing(modulusOf(moduli(rng, bits)[0]), true)
			s := r.take()
			x, y, z := r.newGroups(1), r.newGroups(1), r.newGroups(1)
			copy(x, r.rr)
			copy(y, r.rrr)
			size := r.modulus.Size()
			be := make([]byte, lanes*size)
			kernels := []struct {
				name string
				f    func()
			}{
				{"mul", func() { r.mul(z, x, y, s) }},
				{"sqr", func() { r.sqr(z, x, s) }},
				{"product", func() { r.product(s.sums, x, y, &x[0]) }},
				{"square", func() { r.square(s.sums, x) }},
				{"reduce", func() { r.reduce(z, s.sums) }},
				{"frombytes", func() { r.fromBytes(z, be, size); r.below(z) }},
				{"tobytes", func() { r.toBytes(be, x, size) }},
			}
			r.toBytes(be, x, size)
			times := make([]float64, len(kernels))
			for i := range times {
				times[i] = 1e18
			}
			const rounds, products, calls = 1000, 64, 10 // long enough for the clock not to matter
			limit := 1e18
			for b.Loop() {
				limit = min(limit, fastest(5, func() { limitIFMA(rounds) })/(rounds*products))
				for i, k := range kernels {
					times[i] = min(times[i], fastest(5, func() {
						for range calls {
							k.f()
						}
					})/calls)
				}
			}
			k := float64(r.k)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1/limit, "limit-products/ns")
			b.ReportMetric(times[0]/lanes, "mul-ns")
			b.ReportMetric(4*k*k*limit/times[0], "mul/limit")
			b.ReportMetric(times[1]/times[0], "sqr/mul")
			b.ReportMetric(2*k*k*limit/times[2], "product/limit")
			b.ReportMetric(times[3]/times[2], "square/product")
			b.ReportMetric(2*k*k*limit/times[4], "reduce/limit")
			b.ReportMetric(times[5]/times[0], "frombytes/mul")
			b.ReportMetric(times[6]/times[0], "tobytes/mul")
		})
	}
}
