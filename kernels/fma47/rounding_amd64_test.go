//go:build !purego

package fma47

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/cipherfold/cipherfold/kernels/fma47/internal/mxcsr"
)

// TestControlWord runs the assembly under control words that a library in C may have left behind: other roundings, flush to
// zero, exceptions that are not masked. Results must be the same, and the word must be back afterwards.
func TestControlWord(t *testing.T) {
	const usual = 0x1f80
	for _, k := range kernelsUnderTest(t) {
		if !k.assembly {
			continue
		}
		for _, bits := range []int{1024, 2048, 8192} {
			rng := newRand(bits)
			m := newModulus(modulusOf(moduli(rng, bits)[0]), k)
			w := m.work()
			x, y := m.space(m.n), m.space(m.n)
			be := make([]byte, m.lanes*bits/8)
			extremeBytes(rng, be)
			m.fromBytes(x, be, m.fields, bits/8, m.n)
			m.extremeDigits(rng, y)
			z := m.space(m.n)
			fields, quotient := words(m.space(m.n)), m.space(m.n+11)
			// all is the results of all functions, one after the other.
			all := func(out []float64) {
				keep := func(x []float64) { out = out[copy(out, x):] }
				m.fromBytes(z, be, m.fields, bits/8, m.n)
				keep(z)
				m.product(w.t, x, y)
				keep(w.t)
				m.productAdd(w.t, y, y)
				keep(w.t)
				m.reduce(z, w.t, quotient)
				keep(z)
				m.square(w.t, x, w.twice)
				keep(w.t)
				m.reducePair(z, w.t, w.q, quotient, m.consts)
				keep(z)
				m.canonical(fields, z, m.fields, m.n)
				keep(floats(fields))
			}
			size := 7 * (2*m.n + 2) * m.lanes
			want, got := make([]float64, size), make([]float64, size)
			all(want)
			for _, word := range []uint32{0x3f80, 0x5f80, 0x7f80, 0x9fc0, 0xffc0, 0x0f80} {
				clear(got)
				percent := debug.SetGCPercent(-1) // Go itself is not to meet the word
				runtime.LockOSThread()
				before := mxcsr.Swap(word)
				all(got)
				after := mxcsr.Swap(before)
				runtime.UnlockOSThread()
				debug.SetGCPercent(percent)
				if after&^0x3f != word&^0x3f || before&^0x3f != usual {
					t.Errorf("the control word was %#x, then %#x, then %#x", before, word, after)
				}
				same(t, "under another control word", got, want)
			}
		}
	}
}
