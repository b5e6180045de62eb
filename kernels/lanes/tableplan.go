package lanes

import (
	"fmt"
	"math"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// NewTable needs about one multiplication for every group of entries of the table.
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
	bases [][]uint64 // of the windows before it, K words each
}

// tableLayout is part of a plan's layout, so that what was stored is not taken for something else. It must change with
// Unit.Lookup and with anything else that decides where in a window's entries a limb is, or what is in it.
const tableLayout = 1

func (r *ring) PlanTable(bits int, limit int64) bigmod.TablePlan {
	if bits < 1 {
		panic(fmt.Sprintf("lanes: PlanTable: exponents of %d bits", bits))
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
		p.bytes += 8 * int64(r.K) << w.width
	}
	return p
}

func (p *tablePlan) Pieces() int { return len(p.table.windows) }

func (p *tablePlan) Bytes() int64 { return p.bytes }

func (p *tablePlan) Layout() string {
	r := p.table.ring
	return fmt.Sprintf("%s, %d bits in %d windows, layout %d", r.Form, p.table.bits, len(p.table.windows), tableLayout)
}

func (p *tablePlan) SetBase(base []byte) {
	r := p.table.ring
	size := r.Modulus().Size()
	for len(base) > size && base[0] == 0 {
		base = base[1:]
	}
	rows := make([]byte, r.Lanes*size)
	if len(base) <= size {
		for l := range r.Lanes {
			copy(rows[(l+1)*size-len(base):], base)
		}
	}
	s := r.take()
	defer r.give(s)
	x := r.newGroups(1)
	if len(base) > size || s.FromBytes(x, rows) == 0 {
		panic("lanes: the base of a table is not below the modulus")
	}
	s.Mul(x, x, r.R)
	p.next, p.bases = x, nil
}

// base sets the group x to the base of a window, the same in all lanes: that of the window before, squared once for each
// position between them.
func (p *tablePlan) base(x []uint64, window int, s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.table
	for len(p.bases) <= window {
		words := make([]uint64, t.ring.K)
		for j := range words {
			words[j] = p.next[t.ring.Lanes*j]
		}
		p.bases = append(p.bases, words)
		if i := len(p.bases); i < len(t.windows) {
			for range t.windows[i].pos - t.windows[i-1].pos {
				s.Sqr(p.next, p.next)
			}
		}
	}
	for j, v := range p.bases[window] {
		for l := range t.ring.Lanes {
			x[t.ring.Lanes*j+l] = v
		}
	}
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
		w.entries = Aligned(p.table.ring.K << w.width)
	}
	return w.entries
}

func (p *tablePlan) Table() bigmod.Table { return p.table }

func ceilDiv(x, y int) int { return (x + y - 1) / y }
