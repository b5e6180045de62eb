package fma47

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTwinsOfConversions compares the conversions and the reading of tables with their twins in Go.
func TestTwinsOfConversions(t *testing.T) {
	for _, k := range kernelsUnderTest(t) {
		for _, bits := range lengths() {
			rng := newRand(bits)
			for _, mod := range moduli(rng, bits) {
				a := newModulus(modulusOf(mod), k)
				g := newModulus(modulusOf(mod), kernel{lanes: k.lanes})
				for range 4 {
					twinsOfConversions(t, rng, a, g, (bits+7)/8)
				}
				twinsOfTables(t, rng, a, g)
			}
		}
	}
}

// extremeBytes are random, or long runs of ones and zeros.
func extremeBytes(rng *rand.Rand, b []byte) {
	style := rng.IntN(3)
	for i := range b {
		switch b[i] = byte(rng.Uint32()); style {
		case 1:
			b[i] = byte(int8(b[i]) >> 7)
		case 2:
			b[i] = 255
		}
	}
}

func twinsOfConversions(t *testing.T, rng *rand.Rand, a, g *modulus, size int) {
	t.Helper()
	z1, z2 := a.space(a.n), a.space(a.n)
	be := make([]byte, a.lanes*size)
	extremeBytes(rng, be)
	for l := range a.lanes { // the modulus itself, and one less and one more, in some of them
		if rng.IntN(2) == 0 {
			m := bytesOfFields(a.fields, size, a.w)
			m[size-1] += byte(rng.IntN(3) - 1)
			copy(be[l*size:], m)
		}
	}
	b1, b2 := a.fromBytes(z1, be, a.fields, size, a.n), g.fromBytes(z2, be, a.fields, size, a.n)
	same(t, "fromBytes", z1, z2)
	if b1 != b2 {
		t.Fatalf("fromBytes: below %04b and %04b", b1, b2)
	}

	limbs := (size + 7) / 8
	w := make([]uint64, a.lanes*limbs)
	style := rng.IntN(2)
	for i := range w {
		if w[i] = rng.Uint64(); style == 1 {
			w[i] = -(w[i] & 1)
		}
	}
	for _, bit := range []int{0, a.w, 7 * a.w, 64*limbs - 5, 64*limbs + 3} {
		for n := 2; n <= a.n; n += 1 + rng.IntN(9) {
			clear(z1)
			clear(z2)
			a.fromWords(z1, w, limbs, bit, n)
			g.fromWords(z2, w, limbs, bit, n)
			same(t, "fromWords", z1, z2)
		}
	}

	// Numbers between -m and m, as digits that are larger than those of the conversions.
	for i := range z1 {
		z1[i] = float64(rng.Int64N(1<<48) - 1<<47)
	}
	for l := range a.lanes { // the top of the modulus, less what the other limbs may be
		for j := range a.n - 1 {
			if rng.IntN(8) == 0 {
				z1[a.lanes*j+l] = 0
			}
		}
		top := int64(a.fields[a.n-1])
		z1[a.lanes*(a.n-1)+l] = float64(rng.Int64N(2*top+1) - top)
	}
	f1, f2 := words(a.space(a.n)), words(a.space(a.n))
	a.canonical(f1, z1, a.fields, a.n)
	g.canonical(f2, z1, a.fields, a.n)
	if !slices.Equal(f1, f2) {
		t.Fatal("canonical differs")
	}

	for _, size := range []int{size, 8 * limbs} {
		guarded1, guarded2 := make([]byte, a.lanes*size+128), make([]byte, a.lanes*size+128)
		a.toBytes(guarded1[64:len(guarded1)-64], f1, size, a.n)
		g.toBytes(guarded2[64:len(guarded2)-64], f1, size, a.n)
		if !slices.Equal(guarded1, guarded2) {
			t.Fatalf("toBytes of %d bytes differs", size)
		}
	}
	w1, w2 := make([]uint64, a.lanes*limbs+16), make([]uint64, a.lanes*limbs+16)
	a.toWords(w1[8:len(w1)-8], f1, limbs, a.n)
	g.toWords(w2[8:len(w2)-8], f1, limbs, a.n)
	if !slices.Equal(w1, w2) {
		t.Fatal("toWords differs")
	}
}

// bytesOfFields is a value of w-bit fields in size bytes, big-endian.
func bytesOfFields(f []uint64, size, w int) []byte {
	be := make([]byte, size)
	toBytesGeneric(be, f, size, len(f), w, 1)
	return be
}

func twinsOfTables(t *testing.T, rng *rand.Rand, a, g *modulus) {
	t.Helper()
	n := a.n * a.lanes
	for width := 2; width <= 5; width++ {
		table := words(a.space(a.n << width))
		for i := range table {
			table[i] = rng.Uint64()
		}
		for _, d := range []uint64{0, 1, 1<<width - 1, rng.Uint64N(1 << width)} {
			z1, z2 := words(a.space(a.n)), words(a.space(a.n))
			a.selectNumber(z1, table, d, width, n)
			g.selectNumber(z2, table, d, width, n)
			if !slices.Equal(z1, z2) {
				t.Fatalf("select of entry %d of %d differs", d, 1<<width)
			}
		}
	}
	for width := 4; width <= 8; width++ {
		table := words(floats(make([]uint64, a.n<<width)))
		for i := range table {
			table[i] = rng.Uint64()
		}
		for _, groups := range []int{1, 3} {
			d := make([]uint64, groups*a.lanes)
			for i := range d {
				d[i] = rng.Uint64N(1 << width)
			}
			d[0], d[1] = 0, 1<<width-1
			z1, z2 := words(a.space(a.n*groups)), words(a.space(a.n*groups))
			a.lookup(z1, table, d, width, a.n)
			g.lookup(z2, table, d, width, a.n)
			if !slices.Equal(z1, z2) {
				t.Fatalf("lookup in %d entries differs", 1<<width)
			}
		}
	}
}
