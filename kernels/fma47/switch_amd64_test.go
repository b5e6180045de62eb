//go:build !purego

package fma47

import (
	"bytes"
	"testing"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// TestSwitch turns off the processor feature, as a machine without it would have it: the implementation says so, and a ring
// that is made all the same computes the same.
func TestSwitch(t *testing.T) {
	m := modulusOf(moduli(newRand(1), 1025)[0])
	be := make([]byte, 9*m.Size())
	be[m.Size()-1], be[len(be)-1] = 5, 7
	e := []byte{0x81, 0x7f}
	power := func() []byte {
		r := Implementation().New(m)
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
	defer cpu.Disable("noavx2")()
	if i := Implementation(); i.Available {
		t.Fatal("available without its instructions:", i.Why)
	}
	if !bytes.Equal(power(), want) {
		t.Fatal("the assembly and its twins disagree")
	}
}
