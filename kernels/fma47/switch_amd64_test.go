//go:build !purego

package fma47

import (
	"bytes"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/cpu"
)

// TestSwitch turns off the processor features, as a machine without them would have it: each implementation says so, and a ring
// that is made all the same computes the same.
func TestSwitch(t *testing.T) {
	m := modulusOf(moduli(newRand(1), 1025)[0])
	be := make([]byte, 9*m.Size())
	be[m.Size()-1], be[len(be)-1] = 5, 7
	for word, of := range map[string]func() bigmod.Implementation{"noavx2": Implementation, "noavx512": Wide} {
		testSwitch(t, word, of, m, be)
	}
}

func testSwitch(t *testing.T, word string, of func() bigmod.Implementation, m *bigmod.Modulus, be []byte) {
	e := []byte{0x81, 0x7f}
	power := func() []byte {
		r := of().New(m)
		x, out := r.NewVec(9), make([]byte, len(be))
		if err := r.SetBytes(x, be); err != nil {
			t.Fatal(err)
		}
		r.ToMont(x, x)
		r.Exp(x, x, e)
		r.FromMont(x, x)
		r.Bytes(out, x)
		return out
	}
	want := power()
	defer cpu.Disable(word)()
	if i := of(); i.Available {
		t.Fatal("available without its instructions:", i.Why)
	}
	if !bytes.Equal(power(), want) {
		t.Fatal("the assembly and its twins disagree")
	}
}
