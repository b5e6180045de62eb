package lanes

import "github.com/cipherfold/cipherfold/bigmod"

// tableWidth is the greatest width of the windows of a fixed-base table, in bits, tableWidthMin the least.
const (
	tableWidth    = 8
	tableWidthMin = 4
)

// tableGroups is how many groups of exponents go through a window before the next one, so that the window's entries are
// fetched from memory once for all of them.
const tableGroups = 32

// table holds base^(d·2^pos) in Montgomery form for every window, the digits d from bit pos on (the
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
	entries    []uint64 // in the layout of Unit.Lookup
}

// powersOf fills the entries of a window for the base x, the same in all lanes: entries d, d+1, ... are in the lanes of one
// group, made from those before by one multiplication with a power of x.
func (r *ring) powersOf(entries, x []uint64, width int, s *scratch) {
	acc, step := r.newGroups(1), r.newGroups(1)
	copy(step, r.One) // x^l for lane l
	for l := range r.Lanes {
		for j := range r.K {
			acc[r.Lanes*j+l] = step[r.Lanes*j]
		}
		s.Mul(step, step, x)
	}
	for d := 0; ; {
		for j := range r.K {
			copy(entries[j<<width+d:], acc[r.Lanes*j:][:r.Lanes])
		}
		if d += r.Lanes; d == 1<<width {
			return
		}
		s.Mul(acc, acc, step)
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
	r.checkLen("Table.Exp", len(e), size*z.Len)
	s := r.take()
	defer r.give(s)
	powers := s.words(tableGroups * r.Lanes * r.K)
	digits := s.digits[:tableGroups*r.Lanes]
	for first := 0; first < z.Len; first += tableGroups * r.Lanes {
		last := min(first+tableGroups*r.Lanes, z.Len)
		d := digits[:r.groups(last-first)*r.Lanes]
		acc := z.Words[first*r.K:][:len(d)*r.K]
		for i, w := range t.windows {
			clear(d[last-first:])
			for j := range last - first {
				at := (first + j) * size
				d[j] = digit(e[at:at+size], w.pos, w.width)
			}
			if i == 0 {
				s.Lookup(acc, w.entries, d, w.width)
				continue
			}
			s.Lookup(powers, w.entries, d, w.width)
			for g := range r.groups(last - first) {
				s.Mul(r.group(acc, g), r.group(acc, g), r.group(powers, g))
			}
		}
	}
}
