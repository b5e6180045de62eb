package mont52

import "github.com/cipherfold/cipherfold/bigmod"

// tableWidth is the greatest width of the windows of a fixed-base table, in bits, tableWidthMin the least.
const (
	tableWidth    = 8
	tableWidthMin = 4
)

// tableGroups is how many groups of exponents go through a window before the next one, so that the window's entries are
// fetched from memory once for all of them.
const tableGroups = 32

// table holds base^(d·2^pos) in Montgomery form, lazily reduced, for every window, the digits d from bit pos on (the
// method of Brickell, Gordon, McCurley and Wilson, EUROCRYPT '92): an exponentiation is one multiplication per window
// and no squaring.
type table struct {
	ring    *ring
	bits    int
	windows []window
}

// window holds the powers for the digits of the given width from bit pos of the exponents on.
type window struct {
	pos, width int
	entries    []uint64 // in the layout of entryAt
}

// powersOf fills the entries of a window for the base x, the same in all lanes: entries d...d+7 are in the lanes of one
// group, made from those before by one multiplication with x^8.
func (r *ring) powersOf(entries, x []uint64, width int, s *scratch) {
	acc, step := r.newGroups(1), r.newGroups(1)
	copy(step, r.one) // x^l for lane l
	for l := range lanes {
		for j := range r.k {
			acc[lanes*j+l] = step[lanes*j]
		}
		r.mul(step, step, x, s)
	}
	for d := 0; ; {
		for j := range r.k {
			copy(entries[entryAt(j, d&^15, width, r.k)+d&15:], vector(acc, j))
		}
		if d += lanes; d == 1<<width {
			return
		}
		r.mul(acc, acc, step, s)
	}
}

func (t *table) Bits() int { return t.bits }

func (t *table) Bytes() int64 {
	var words int
	for _, w := range t.windows {
		words += len(w.entries)
	}
	return 8 * int64(words)
}

func (t *table) Exp(z *bigmod.Vec, e []byte) {
	r := t.ring
	r.checkVec("Table.Exp", z)
	size := (t.bits + 7) / 8
	checkLen("Table.Exp", len(e), size*z.Len)
	s := r.take()
	defer r.give(s)
	powers := s.words(tableGroups * lanes * r.k)
	var digits [tableGroups * lanes]uint64
	for first := 0; first < z.Len; first += tableGroups * lanes {
		last := min(first+tableGroups*lanes, z.Len)
		d := digits[:groups(last-first)*lanes]
		acc := z.Words[first*r.k:][:len(d)*r.k]
		for i, w := range t.windows {
			clear(d[last-first:])
			for j := range last - first {
				at := (first + j) * size
				d[j] = digit(e[at:at+size], w.pos, w.width)
			}
			if i == 0 {
				r.lookup(acc, w.entries, d, w.width)
				continue
			}
			r.lookup(powers, w.entries, d, w.width)
			// The multiplications fetch the next window, a group each.
			next := t.windows[(i+1)%len(t.windows)].entries
			for g := range groups(last - first) {
				ahead := r.group(next, g%(len(next)/(lanes*r.k)))
				r.mulAhead(r.group(acc, g), r.group(acc, g), r.group(powers, g), s, ahead)
			}
		}
	}
}
