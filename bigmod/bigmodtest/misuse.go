package bigmodtest

import (
	"bytes"
	"math/big"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// testMisuse checks that operands that do not belong together panic instead of giving a wrong result.
func testMisuse(t *testing.T, impl bigmod.Implementation) {
	s := newSetup(t, impl, randomModulus(newRand(1), 300))
	r := s.ring
	size, limbs := r.Modulus().Size(), r.Modulus().Limbs()
	v2, v3 := r.NewVec(2), r.NewVec(3)
	for name, f := range map[string]func(){
		"SetBytes, short":      func() { _ = r.SetBytes(v2, make([]byte, 2*size-1)) },
		"Bytes, long":          func() { r.Bytes(make([]byte, 2*size+1), v2) },
		"SetWords, short":      func() { r.SetWords(v2, make([]uint64, 2*limbs-1)) },
		"Words, long":          func() { r.Words(make([]uint64, 3*limbs), v2) },
		"SetWide, short":       func() { r.SetWide(v2, make([]uint64, 3), 2) },
		"SetWide, too wide":    func() { r.SetWide(v2, make([]uint64, 2*(2*limbs+1)), 2*limbs+1) },
		"SetWide, negative":    func() { r.SetWide(r.NewVec(0), nil, -1) },
		"ToMont":               func() { r.ToMont(v2, v3) },
		"FromMont":             func() { r.FromMont(v3, v2) },
		"Mul, z":               func() { r.Mul(v2, v3, v3) },
		"Mul, x":               func() { r.Mul(v3, v2, v3) },
		"Mul, y":               func() { r.Mul(v3, v3, v2) },
		"Sqr":                  func() { r.Sqr(v3, v2) },
		"MulElem":              func() { r.MulElem(v2, v3, r.NewVec(1)) },
		"MulElem, c":           func() { r.MulElem(v2, v2, v2) },
		"Add":                  func() { r.Add(v2, v2, v3) },
		"Sub":                  func() { r.Sub(v2, v2, v3) },
		"Exp":                  func() { r.Exp(v2, v3, []byte{1}) },
		"ExpVarTime":           func() { r.ExpVarTime(v2, v3, []byte{1}) },
		"MulAt, lengths":       func() { r.MulAt(v2, []int32{1}, v3, nil) },
		"MulAt, z index":       func() { r.MulAt(v2, []int32{2}, v3, []int32{0}) },
		"MulAt, x index":       func() { r.MulAt(v2, []int32{0}, v3, []int32{3}) },
		"MulAt, negative":      func() { r.MulAt(v2, []int32{-1}, v3, []int32{0}) },
		"CopyAt, lengths":      func() { r.CopyAt(v2, []int32{1}, v3, nil) },
		"CopyAt, x index":      func() { r.CopyAt(v2, []int32{0}, v3, []int32{-1}) },
		"CopyAt, z index":      func() { r.CopyAt(v2, []int32{5}, v3, []int32{0}) },
		"MulRPow":              func() { r.MulRPow(v2, []uint32{1}) },
		"InverseVarTime":       func() { _ = r.InverseVarTime(v2, v3) },
		"NewTable, bits":       func() { r.NewTable([]byte{2}, 0) },
		"NewTable, base":       func() { r.NewTable(r.Modulus().Bytes(), 8) },
		"NewTable, long base":  func() { r.NewTable(append([]byte{1}, make([]byte, size)...), 8) },
		"Table.Exp":            func() { r.NewTable([]byte{2}, 9).Exp(v2, make([]byte, 3)) },
		"a vector of no ring":  func() { r.Mul(v2, v2, &bigmod.Vec{Len: 2}) },
		"a vector cut shorter": func() { r.Sqr(v3, &bigmod.Vec{Len: 3, Words: v3.Words[1:]}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	// a base with leading zeros, or without those that fill Size(), is no misuse
	for _, base := range [][]byte{{3}, append(make([]byte, size), 3), {}} {
		z := r.NewVec(1)
		r.NewTable(base, 8).Exp(z, []byte{5})
		s.expect(t, "Table.Exp", z, func(int) *big.Int {
			return s.mont(new(big.Int).Exp(new(big.Int).SetBytes(base), big.NewInt(5), s.m))
		})
	}
}

// testConcurrent uses one ring and one table from several goroutines; the race detector is the judge of what is shared.
func testConcurrent(t *testing.T, impl bigmod.Implementation) {
	m := randomModulus(newRand(2), 512)
	s := newSetup(t, impl, m)
	r := s.ring
	const n = 11
	in := s.bytes(s.residues(n))
	e := make([]byte, 8*n)
	s.fill(e)
	base := s.residues(1)[0].Bytes()
	work := func(table bigmod.Table) []byte {
		x, y := r.NewVec(n), r.NewVec(n)
		if err := r.SetBytes(x, in); err != nil {
			panic(err) // residues are below the modulus
		}
		r.ToMont(x, x)
		r.Exp(y, x, e[:8])
		r.Mul(x, x, y)
		r.ExpVarTime(y, x, e[:5])
		table.Exp(x, e)
		r.Mul(x, x, y)
		r.MulRPow(x, []uint32{0, 1, 2, 3, 1000, 1001, 1002, 3, 2, 1, 70000})
		out := make([]byte, len(in))
		r.Bytes(out, x)
		return out
	}
	table := r.NewTable(base, 64)
	want := work(newSetup(t, impl, m).ring.NewTable(base, 64))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if got := work(table); !bytes.Equal(got, want) {
					t.Error("another result than alone")
				}
			}
		})
	}
	wg.Wait()
}
