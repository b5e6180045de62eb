package bigmodtest

import (
	"fmt"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// BenchmarkImplementation measures an implementation in nanoseconds per element at the moduli that keys of 2048 and
// 3072 bits use: p² and N² of either. Exponents have a quarter of the bits of the modulus.
func BenchmarkImplementation(b *testing.B, impl bigmod.Implementation) {
	if !impl.Available {
		b.Fatalf("%s is not available: %s", impl.Name, impl.Why)
	}
	const n = 16 // elements in a batch
	for _, bits := range []int{2048, 3072, 4096, 6144} {
		s := newSetup(b, impl, randomModulus(newRand(bits), bits))
		x, y, z := s.vec(s.residues(n)...), s.vec(s.residues(n)...), s.ring.NewVec(n)
		units := s.vec(s.units(n)...)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, bits), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
		run("Mul", func() { s.ring.Mul(z, x, y) })
		run("Sqr", func() { s.ring.Sqr(z, x) })
		e := make([]byte, bits/4/8)
		s.fill(e)
		run("Exp", func() { s.ring.Exp(z, x, e) })
		run("ExpVarTime", func() { s.ring.ExpVarTime(z, x, e) })
		run("InverseVarTime", func() {
			if err := s.ring.InverseVarTime(z, units); err != nil {
				b.Fatal(err)
			}
		})
		var table bigmod.Table
		b.Run(fmt.Sprintf("NewTable/%d", bits), func(b *testing.B) {
			for b.Loop() {
				table = s.ring.NewTable(s.residues(1)[0].Bytes(), bits/4)
			}
		})
		if table == nil { // deselected
			table = s.ring.NewTable(s.residues(1)[0].Bytes(), bits/4)
		}
		es := make([]byte, n*len(e))
		s.fill(es)
		run("TableExp", func() { table.Exp(z, es) })
	}
}
