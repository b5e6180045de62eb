//go:build !purego

package fma47

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

// BenchmarkLimit relates the kernels to what a stream of nothing but their products takes: 2n² for a multiplication of n limbs,
// 5n² for one of pairs. Limit and kernels take turns and the fastest time of each counts, so that the ratios hold on a
// machine that is busy with other things.
func BenchmarkLimit(b *testing.B) {
	for _, k := range kernelsUnderTest(b) {
		if !k.assembly {
			continue
		}
		for _, bits := range []int{1024, 1536, 2048, 3072, 4096, 6144} {
			b.Run(fmt.Sprint(nameOf(k), "/", bits), func(b *testing.B) {
				rng := newRand(bits)
				m := newModulus(modulusOf(moduli(rng, bits)[0]), k)
				w := m.work()
				x, y, z := m.space(m.n), m.space(m.n), m.space(m.n)
				t2 := m.space(2 + 2*m.n)
				m.extremeDigits(rng, x)
				m.extremeDigits(rng, y)
				quotient := m.space(m.n + 11)
				kernels := []func(){
					func() { m.product(w.t, x, y); m.reduce(z, w.t, w.q) },
					func() { m.square(w.t, x, w.twice); m.reduce(z, w.t, w.q) },
					func() { m.product(w.t, x, y) },
					func() { m.square(w.t, x, w.twice) },
					func() { m.reduce(z, w.t, w.q) },
					func() {
						m.sum(t2, x, y, y, x)
						m.product(w.t, x, y)
						m.reduce(z, w.t, quotient)
						m.reducePair(y, t2, w.q, quotient, m.consts)
					},
					func() {
						m.product(t2, x, y)
						m.square(w.t, x, w.twice)
						m.reduce(z, w.t, quotient)
						m.reducePair(y, t2, w.q, quotient, m.twice)
					},
				}
				times := make([]float64, len(kernels))
				for i := range times {
					times[i] = 1e18
				}
				const rounds, calls = 2000, 10
				limit := 1e18
				for b.Loop() {
					limit = min(limit, fastest(5, func() { m.limit(rounds) })/(16*rounds))
					for i, f := range kernels {
						times[i] = min(times[i], fastest(5, func() {
							for range calls {
								f()
							}
						})/calls)
					}
				}
				n := float64(m.n)
				lanes := float64(m.lanes)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(limit*1000, "ps/product")
				b.ReportMetric(times[0]/lanes, "mul-ns")
				b.ReportMetric(times[1]/lanes, "sqr-ns")
				b.ReportMetric(2*n*n*limit/times[0], "mul/limit")
				b.ReportMetric(n*n*limit/times[2], "product/limit")
				b.ReportMetric(n*n*limit/times[4], "reduce/limit")
				b.ReportMetric(times[3]/times[2], "square/product")
				b.ReportMetric(times[5]/lanes, "pairmul-ns")
				b.ReportMetric(times[6]/lanes, "pairsqr-ns")
				b.ReportMetric(5*n*n*limit/times[5], "pairmul/limit")
				b.ReportMetric(3.5*n*n*limit/times[6], "pairsqr/limit")
			})
		}
	}
}
