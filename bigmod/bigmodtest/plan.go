package bigmodtest

import (
	"bytes"
	"math/big"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// testPlan makes tables in pieces, from last to first and in several goroutines, within limits of memory, and from the
// words of another one: all must give the same powers.
func (s *setup) testPlan(t *testing.T) {
	ring, ok := s.ring.(bigmod.TablePlanner)
	if !ok {
		return // making tables in pieces is optional
	}
	if s.m.BitLen() > 3072 {
		return // longer ones take long, and no other way
	}
	base := s.residues(1)[0].FillBytes(make([]byte, s.ring.Modulus().Size()))
	for _, bits := range []int{3, 13, 67} {
		if (s.m.BitLen() > 1024) != (bits == 13) {
			continue
		}
		const n = 9
		size := (bits + 7) / 8
		e := make([]byte, n*size)
		for i := range n {
			randomBits(s.rand, bits).FillBytes(e[i*size : (i+1)*size])
		}
		new(big.Int).Sub(pow2(bits), big.NewInt(1)).FillBytes(e[:size])
		powers := func(table bigmod.Table) []byte {
			z := s.ring.NewVec(n)
			table.Exp(z, e)
			out := make([]byte, n*s.ring.Modulus().Size())
			s.ring.Bytes(out, z)
			return out
		}
		whole := s.ring.NewTable(base, bits)
		want := powers(whole)

		var before int64
		sizes := map[string]int64{} // by layout
		for _, limit := range []int64{0, whole.Bytes() - 1, whole.Bytes()} {
			plan := ring.PlanTable(bits, limit)
			plan.SetBase(base)
			var group sync.WaitGroup
			for piece := plan.Pieces() - 1; piece >= 0; piece-- {
				group.Go(func() { plan.Make(piece) })
			}
			group.Wait()
			table := plan.Table()
			if got := powers(table); !bytes.Equal(got, want) {
				t.Errorf("%d bits, %d bytes: other powers than of the whole table", bits, limit)
			}
			var words int64
			for piece := range plan.Pieces() {
				words += int64(len(plan.Words(piece)))
			}
			if table.Bytes() != plan.Bytes() || 8*words != plan.Bytes() || table.Bits() != bits {
				t.Errorf("%d bits, %d bytes: planned %d, %d bytes in pieces, %d held", bits, limit, plan.Bytes(), 8*words, table.Bytes())
			}
			if plan.Bytes() < before || plan.Bytes() > whole.Bytes() || limit >= whole.Bytes() && plan.Bytes() != whole.Bytes() {
				t.Errorf("%d bits, %d bytes: planned %d after %d, the whole has %d", bits, limit, plan.Bytes(), before, whole.Bytes())
			}
			before = plan.Bytes()

			again := ring.PlanTable(bits, limit)
			for piece := range again.Pieces() {
				copy(again.Words(piece), plan.Words(piece))
			}
			if got := powers(again.Table()); again.Layout() != plan.Layout() || !bytes.Equal(got, want) {
				t.Errorf("%d bits, %d bytes: the copy of a table gives other powers", bits, limit)
			}
			other := ring.PlanTable(bits, limit) // of another base: what is in words is the ring's own affair
			other.SetBase(s.residues(1)[0].FillBytes(make([]byte, s.ring.Modulus().Size())))
			last := plan.Pieces() - 1
			other.Make(last)
			copy(plan.Words(last), other.Words(last))
			if s.m.BitLen() > 64 && bytes.Equal(powers(table), want) {
				t.Errorf("%d bits, %d bytes: the table does not use its words", bits, limit)
			}
			if b, ok := sizes[plan.Layout()]; ok && b != plan.Bytes() {
				t.Errorf("%d bits: one layout, %s, of tables of %d and %d bytes", bits, plan.Layout(), b, plan.Bytes())
			}
			sizes[plan.Layout()] = plan.Bytes()

			wild := ring.PlanTable(bits, limit)
			for piece := range wild.Pieces() {
				for i := range wild.Words(piece) {
					wild.Words(piece)[i] = ^uint64(0)
				}
			}
			powers(wild.Table()) // must not panic
		}
	}
}
