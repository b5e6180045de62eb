package bigmodtest

import (
	"runtime/debug"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// testAllocations checks that calls allocate nothing once their scratch is there, and inversions nothing that grows with
// the number of elements.
func testAllocations(t *testing.T, impl bigmod.Implementation) {
	s := newSetup(t, impl, randomModulus(newRand(3), 1024))
	r := s.ring
	const n = 19
	x, y, z, c := r.NewVec(n), r.NewVec(n), r.NewVec(n), r.NewVec(1)
	s.set(x, 0x21)
	s.set(y, 0x43)
	s.set(c, 0x65)
	be := make([]byte, n*r.Modulus().Size())
	r.Bytes(be, x)
	w := make([]uint64, n*r.Modulus().Limbs())
	wide := make([]uint64, 2*len(w))
	e := make([]byte, 16)
	s.fill(e)
	table := r.NewTable([]byte{3}, 48)
	es := make([]byte, 6*n)
	s.fill(es)
	zi, xi := []int32{4, 1, 2}, []int32{0, 0, 18}
	counts := []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 300}
	shorter := newSetup(t, impl, randomModulus(newRand(4), 500)).ring
	crt, err := bigmod.NewCRT(shorter, r)
	if err != nil {
		t.Fatal(err)
	}
	combined := make([]uint64, n*crt.Limbs())
	small := make([]uint64, n*shorter.Modulus().Limbs())
	for name, f := range map[string]func(){
		"SetBytes":   func() { _ = r.SetBytes(z, be) },
		"Bytes":      func() { r.Bytes(be, x) },
		"SetWords":   func() { r.SetWords(z, w) },
		"Words":      func() { r.Words(w, x) },
		"SetWide":    func() { r.SetWide(z, wide, 2*r.Modulus().Limbs()) },
		"ToMont":     func() { r.ToMont(z, x) },
		"FromMont":   func() { r.FromMont(z, x) },
		"Mul":        func() { r.Mul(z, x, y) },
		"Sqr":        func() { r.Sqr(z, x) },
		"MulElem":    func() { r.MulElem(z, x, c) },
		"Add":        func() { r.Add(z, x, y) },
		"Sub":        func() { r.Sub(z, x, y) },
		"Exp":        func() { r.Exp(z, x, e) },
		"ExpVarTime": func() { r.ExpVarTime(z, x, e) },
		"Table.Exp":  func() { table.Exp(z, es) },
		"MulAt":      func() { r.MulAt(z, zi, x, xi) },
		"CopyAt":     func() { r.CopyAt(z, zi, x, xi) },
		"MulRPow":    func() { r.MulRPow(z, counts) },
		"Combine":    func() { crt.Combine(combined, n, small, w) },
	} {
		// The race detector makes sync.Pool drop some of what is put back.
		if allocs := testing.AllocsPerRun(20, f); allocs > 0 && (!raceEnabled() || allocs > 4) {
			t.Errorf("%s of %d elements: %.0f allocations", name, n, allocs)
		}
	}
	one := r.NewVec(1)
	s.set(one, 0x21)
	invert := func(v *bigmod.Vec) float64 {
		return testing.AllocsPerRun(20, func() {
			if err := r.InverseVarTime(v, v); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := invert(one), invert(x); many > few+4 {
		t.Errorf("InverseVarTime: %.0f allocations for %d elements, %.0f for one", many, n, few)
	}
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
