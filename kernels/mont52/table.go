package mont52

import (
	"fmt"
	"math"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

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

// NewTable needs about one multiplication for every 8 entries of the table.
func (r *ring) NewTable(base []byte, bits int) bigmod.Table {
	plan := r.PlanTable(bits, math.MaxInt64)
	plan.SetBase(base)
	for i := range plan.Pieces() {
		plan.Make(i)
	}
	return plan.Table()
}

// tablePlan makes a table; the pieces are its windows.
type tablePlan struct {
	table *table
	bytes int64
	mu    sync.Mutex
	next  []uint64   // base of the first window whose base is not known, a group
	bases [][]uint64 // of the windows before it, k limbs each
}

// tableLayout is part of a plan's layout, so that what was stored is not taken for something else. It must change with
// entryAt and with anything else that decides where in a window's entries a limb is, or what is in it.
const tableLayout = 1

func (r *ring) PlanTable(bits int, limit int64) bigmod.TablePlan {
	if bits < 1 {
		panic(fmt.Sprintf("mont52: PlanTable: exponents of %d bits", bits))
	}
	p := r.planWindows(bits, tableWidth)
	for width := tableWidth - 1; width >= tableWidthMin && p.bytes > limit; width-- {
		p = r.planWindows(bits, width)
	}
	return p
}

// planWindows divides exponents into windows of about equal width, none narrower than tableWidthMin unless it is the only
// one: a window reads that many bits.
func (r *ring) planWindows(bits, width int) *tablePlan {
	p := &tablePlan{table: &table{ring: r, bits: bits}}
	n := min(ceilDiv(bits, width), max(1, bits/tableWidthMin))
	for i := range n {
		w := window{pos: i * bits / n}
		w.width = max(tableWidthMin, (i+1)*bits/n-w.pos)
		p.table.windows = append(p.table.windows, w)
		p.bytes += 8 * int64(r.k) << w.width
	}
	return p
}

func (p *tablePlan) Pieces() int { return len(p.table.windows) }

func (p *tablePlan) Bytes() int64 { return p.bytes }

func (p *tablePlan) Layout() string {
	form := "residues"
	if p.table.ring.pair != nil {
		form = "pairs"
	}
	return fmt.Sprintf("%s in radix 2^%d, %d bits in %d windows, layout %d", form, limbBits, p.table.bits, len(p.table.windows), tableLayout)
}

func (p *tablePlan) SetBase(base []byte) {
	r := p.table.ring
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
	if len(base) > size || r.readBytes(x, rows, size, s) == 0 {
		panic("mont52: the base of a table is not below the modulus")
	}
	r.mul(x, x, r.rr, s)
	p.next, p.bases = x, nil
}

// base sets the group x to the base of a window, the same in all lanes: that of the window before, squared once for each
// position between them.
func (p *tablePlan) base(x []uint64, window int, s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.table
	for len(p.bases) <= window {
		limbs := make([]uint64, t.ring.k)
		for j := range limbs {
			limbs[j] = p.next[lanes*j]
		}
		p.bases = append(p.bases, limbs)
		if i := len(p.bases); i < len(t.windows) {
			for range t.windows[i].pos - t.windows[i-1].pos {
				t.ring.sqr(p.next, p.next, s)
			}
		}
	}
	spread(x, p.bases[window])
}

func (p *tablePlan) Make(piece int) {
	r := p.table.ring
	s := r.take()
	defer r.give(s)
	x := r.newGroups(1)
	p.base(x, piece, s)
	r.powersOf(p.Words(piece), x, p.table.windows[piece].width, s)
}

func (p *tablePlan) Words(piece int) []uint64 {
	w := &p.table.windows[piece]
	if w.entries == nil {
		w.entries = alignedWords(p.table.ring.k << w.width)
	}
	return w.entries
}

func (p *tablePlan) Table() bigmod.Table { return p.table }
