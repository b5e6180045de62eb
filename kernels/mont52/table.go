package mont52

import (
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/bigmod"
)

// tableWindow is the width of the windows of a fixed-base table.
const tableWindow = 6

// tableGroups is how many groups of exponents go through a window before the next one, so that the window's entries are
// fetched from memory once for all of them.
const tableGroups = 16

// table holds base^(d·2^(w·j)) in Montgomery form, lazily reduced, for every window j and digit d (the method of
// Brickell, Gordon, McCurley and Wilson, EUROCRYPT '92): an exponentiation is one multiplication per window and no
// squaring.
type table struct {
	ring    *ring
	bits    int
	windows [][]uint64 // each in the layout of lookupGeneric
}

// NewTable needs about one multiplication for every 8 entries of the table.
func (r *ring) NewTable(base []byte, bits int) bigmod.Table {
	if bits < 1 {
		panic(fmt.Sprintf("mont52: NewTable: exponents of %d bits", bits))
	}
	size := r.modulus.Size()
	for len(base) > size && base[0] == 0 {
		base = base[1:]
	}
	rows := make([]byte, lanes*size)
	if len(base) <= size {
		for l := range lanes {
			copy(rows[(l+1)*size-len(base):], base)
		}
	}
	s := r.take()
	defer r.give(s)
	x := r.newGroups(1)
	r.fromBytes(x, rows, size)
	if len(base) > size || r.below(x) == 0 {
		panic("mont52: NewTable: the base is not below the modulus")
	}
	r.mul(x, x, r.rr, s, lazy)

	t := &table{ring: r, bits: bits}
	for pos := 0; pos < bits; pos += tableWindow {
		t.windows = append(t.windows, r.window(x, s))
		for range tableWindow {
			r.sqr(x, x, s, lazy)
		}
	}
	return t
}

// window makes one window of a table for the base x, the same in all lanes: entries d...d+7 are in the lanes of one
// group, made from those before by one multiplication with x^8.
func (r *ring) window(x []uint64, s *scratch) []uint64 {
	entries := alignedWords(r.k << tableWindow)
	acc, step := r.newGroups(1), r.newGroups(1)
	power := slices.Clone(r.one) // x^l for lane l
	for l := range lanes {
		for j := range r.k {
			acc[lanes*j+l] = power[lanes*j]
		}
		r.mul(s.x, power, x, s, lazy)
		copy(power, s.x)
	}
	copy(step, power)
	for d := 0; ; {
		for j := range r.k {
			copy(entries[j<<tableWindow+d:], vector(acc, j))
		}
		if d += lanes; d == 1<<tableWindow {
			return entries
		}
		r.mul(s.x, acc, step, s, lazy)
		copy(acc, s.x)
	}
}

func (t *table) Bits() int { return t.bits }

func (t *table) Bytes() int64 {
	return int64(len(t.windows)) * int64(8*t.ring.k<<tableWindow)
}

func (t *table) Exp(z *bigmod.Vec, e []byte) {
	r := t.ring
	r.checkVec("Table.Exp", z)
	size := (t.bits + 7) / 8
	checkLen("Table.Exp", len(e), size*z.Len)
	s := r.take()
	defer r.give(s)
	for first := 0; first < groups(z.Len); first += tableGroups {
		last := min(first+tableGroups, groups(z.Len))
		for j, window := range t.windows {
			for g := first; g < last; g++ {
				var d [lanes]uint64
				for l := range min(lanes, z.Len-g*lanes) {
					i := g*lanes + l
					d[l] = digit(e[i*size:(i+1)*size], j*tableWindow, tableWindow)
				}
				acc := r.group(z.Words, g)
				if j == 0 {
					r.lookup(acc, window, &d, tableWindow)
					continue
				}
				r.lookup(s.y, window, &d, tableWindow)
				r.mul(acc, acc, s.y, s, lazy)
			}
		}
		for g := first; g < last; g++ {
			acc := r.group(z.Words, g)
			r.canonical(acc, acc)
		}
	}
}
