package mont52

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// groupOf makes a group of 8 numbers below R.
func (r *ring) groupOf(xs []*big.Int) []uint64 {
	size := (limbBits*r.k + 7) / 8
	z := r.newGroups(1)
	fromBytesGeneric(z, rows(xs, size), size, r.k)
	return z
}

// extremeLimbs are limbs of a group that are random, all ones, or either all ones or zero.
func extremeLimbs(rng *rand.Rand, z []uint64) {
	style := rng.IntN(3)
	for i := range z {
		switch z[i] = rng.Uint64() & limbMask; style {
		case 1:
			z[i] = limbMask
		case 2:
			z[i] = limbMask * (z[i] & 1)
		}
	}
}

// TestTwins compares each function of the assembly with its twin in Go, at every length, on extreme and random values,
// inside and outside the range of residues.
func TestTwins(t *testing.T) {
	if ok, why := supported(); !ok {
		t.Skip(why)
	}
	for _, bits := range lengths() {
		rng := newRand(bits)
		for _, m := range moduli(rng, bits) {
			a, g := newRing(modulusOf(m), true), newRing(modulusOf(m), false)
			same := func(what string, x, y []uint64) {
				t.Helper()
				if !slices.Equal(x, y) {
					t.Fatalf("%s differs for a modulus of %d bits, %x...", what, bits, m.Bytes()[:1])
				}
			}
			same("setup", slices.Concat(a.one, a.rr, a.rrr), slices.Concat(g.one, g.rr, g.rrr))
			s1, s2 := a.take(), g.take()
			z1, z2 := a.newGroups(1), a.newGroups(1)
			x, y := a.newGroups(1), a.newGroups(1)
			for range thoroughtest.Pick(2, 6) {
				extremeLimbs(rng, x)
				extremeLimbs(rng, y)
				for i := range s1.sums {
					s1.sums[i] = rng.Uint64() // whatever was there must not matter
				}
				a.product(s1.sums, x, y, &x[0])
				g.product(s2.sums, x, y, nil)
				same("product", s1.sums[:2*lanes*a.k], s2.sums[:2*lanes*a.k])
				a.square(s1.sums, x)
				g.square(s2.sums, x)
				same("square", s1.sums[:2*lanes*a.k], s2.sums[:2*lanes*a.k])
			}

			// Residues, and numbers up to 2m.
			list := edges(m)
			for range 3 * lanes {
				list = append(list, randomBelow(rng, m))
			}
			for i := range list {
				list = append(list, new(big.Int).Add(list[i], m))
			}
			for range thoroughtest.Pick(4, 12) {
				xs, ys := make([]*big.Int, lanes), make([]*big.Int, lanes)
				for l := range lanes {
					xs[l], ys[l] = list[rng.IntN(len(list))], list[rng.IntN(len(list))]
				}
				x, y := a.groupOf(xs), a.groupOf(ys)
				a.product(s1.sums, x, y, &x[0])
				g.product(s2.sums, x, y, nil)
				a.reduce(z1, s1.sums)
				g.reduce(z2, s2.sums)
				same("reduce", z1, z2)
				a.canonical(z1, x)
				g.canonical(z2, x)
				same("canonical", z1, z2)
				if b1, b2 := a.below(x), g.below(x); b1 != b2 {
					t.Fatalf("below: %08b and %08b", b1, b2)
				}
				a.canonical(y, y)
				x = z1
				a.add(z1, x, y)
				g.add(z2, z2, y)
				same("add", z1, z2)
				a.sub(z1, x, y)
				g.sub(z2, z2, y)
				same("sub", z1, z2)
			}
			testTwinsOfConversions(t, rng, a, g, same)
			testTwinsOfTables(rng, a, g, same)
		}
	}
}

func testTwinsOfConversions(t *testing.T, rng *rand.Rand, a, g *ring, same func(string, []uint64, []uint64)) {
	x, z1, z2 := a.newGroups(1), a.newGroups(1), a.newGroups(1)
	size, n := a.modulus.Size(), a.modulus.Limbs()
	be := make([]byte, lanes*size)
	for i := range be {
		be[i] = byte(rng.Uint32())
	}
	a.fromBytes(z1, be, size)
	g.fromBytes(z2, be, size)
	same("fromBytes", z1, z2)
	// Bytes around the rows must stay as they are.
	guarded := make([]byte, 64+len(be)+64)
	for i := range guarded {
		guarded[i] = byte(i)
	}
	a.toBytes(guarded[64:64+len(be)], z1, size)
	if !slices.Equal(guarded[64:64+len(be)], be) {
		t.Fatalf("toBytes does not give back what fromBytes read, of %d bytes", size)
	}
	for i, b := range guarded {
		if (i < 64 || i >= 64+len(be)) && b != byte(i) {
			t.Fatalf("toBytes of %d bytes wrote at %d", size, i-64)
		}
	}
	g.toBytes(guarded[:len(be)], z1, size)
	if !slices.Equal(guarded[:len(be)], be) {
		t.Fatal("toBytes of the twin differs")
	}

	w, w1, w2 := make([]uint64, lanes*n), make([]uint64, lanes*n+8), make([]uint64, lanes*n)
	extreme := rng.IntN(2) == 0
	for i := range w {
		if w[i] = rng.Uint64(); extreme {
			w[i] = -(w[i] & 1)
		}
	}
	for k := 1; k <= 2*a.k; k += 1 + rng.IntN(7) {
		wide1, wide2 := alignedWords(lanes*(k+1)), alignedWords(lanes*(k+1))
		a.fromWords(wide1, w, n, k)
		g.fromWords(wide2, w, n, k)
		same("fromWords", wide1, wide2)
	}
	extremeLimbs(rng, x)
	a.toWords(w1[:lanes*n], x, n)
	g.toWords(w2, x, n)
	same("toWords", w1, append(w2, make([]uint64, 8)...))

	vec := a.newGroups(4)
	for i := range vec {
		vec[i] = rng.Uint64()
	}
	var at [lanes]int32
	for l, i := range rng.Perm(4 * lanes)[:lanes] {
		at[l] = int32(i)
	}
	a.gather(z1, vec, &at)
	g.gather(z2, vec, &at)
	same("gather", z1, z2)
	for count := 1; count <= lanes; count++ {
		v1, v2 := a.newGroups(4), a.newGroups(4)
		a.scatter(v1, &at, count, x)
		g.scatter(v2, &at, count, x)
		same("scatter", v1, v2)
	}
}

func testTwinsOfTables(rng *rand.Rand, a, g *ring, same func(string, []uint64, []uint64)) {
	const width = 4
	table := alignedWords(lanes * a.k << width)
	for i := range table {
		table[i] = rng.Uint64()
	}
	z1, z2 := a.newGroups(1), a.newGroups(1)
	for _, d := range []uint64{0, 1, 1<<width - 1, rng.Uint64N(1 << width)} {
		a.selectGroup(z1, table, d, width)
		g.selectGroup(z2, table, d, width)
		same("select", z1, z2)
	}
	for _, width := range []int{tableWidthMin, 5, tableWidth} {
		table := alignedWords(a.k << width)
		for i := range table {
			table[i] = rng.Uint64()
		}
		for _, n := range []int{1, 4, 6} {
			z1, z2 := a.newGroups(n), a.newGroups(n)
			d := make([]uint64, lanes*n)
			for i := range d {
				d[i] = rng.Uint64N(1 << width)
			}
			d[0], d[1] = 0, 1<<width-1
			a.lookup(z1, table, d, width)
			g.lookup(z2, table, d, width)
			same("lookup", z1, z2)
		}
	}
}
