package bigmod

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// tableWindow is the width w of the windows of a fixed-base table for residues of the given number of words. The time for
// an exponent goes like (multiplication + scan of 2^w rows) / w. Measured for w = 4, 5, 6, 7, relative to w = 6, with
// Portable and with the assembly of kernels/mont64:
//
//	1024 bits  0.97  0.91  1  1.26
//	2048 bits  1.15  1.02  1  1.21    1.34  1.11  1  1.00
//	3072 bits                         1.32  1.10  1  0.99
//	4096 bits  1.42  1.18  1  1.04    1.32  1.10  1  1.08
//	6144 bits  1.39  1.10  1  0.96    1.35  1.12  1  0.98
//
// Each step of w nearly doubles the table, so the smaller w is taken where two are alike.
func tableWindow(words int) int {
	if words <= 16 {
		return 5
	}
	return 6
}

// tableWindowMin is the narrowest window, for tables that must be small.
const tableWindowMin = 2

// tableGroup is how many exponents go through a window before the next one, so that the window's rows are fetched
// from memory once for all of them.
const tableGroup = 16

// genericTable holds base^(d·2^(w·j)) in Montgomery form for every window j and digit d (the method of Brickell,
// Gordon, McCurley and Wilson, EUROCRYPT '92): an exponentiation is one multiplication per window and no squaring.
type genericTable struct {
	ring   *generic
	bits   int
	window int
	rows   [][]uint64 // of each window: its powers d = 0, 1, ..., one after the other
}

// NewTable needs about one multiplication for every row of the table.
func (r *generic) NewTable(base []byte, bits int) Table {
	plan := r.PlanTable(bits, math.MaxInt64)
	plan.SetBase(base)
	for i := range plan.Pieces() {
		plan.Make(i)
	}
	return plan.Table()
}

// genericPlan makes a genericTable; the pieces are its windows.
type genericPlan struct {
	table *genericTable
	mu    sync.Mutex
	bases [][]uint64 // of the windows, as far as they are known
}

func (r *generic) PlanTable(bits int, limit int64) TablePlan {
	if bits < 1 {
		panic(fmt.Sprintf("bigmod: PlanTable: exponents of %d bits", bits))
	}
	t := &genericTable{ring: r, bits: bits, window: tableWindow(r.n)}
	for t.window > tableWindowMin && t.Bytes() > limit {
		t.window--
	}
	t.rows = make([][]uint64, t.windows())
	return &genericPlan{table: t}
}

func (p *genericPlan) Pieces() int { return len(p.table.rows) }

func (p *genericPlan) Bytes() int64 { return p.table.Bytes() }

func (p *genericPlan) Layout() string {
	form := "radix 2^64"
	if p.table.ring.pair != nil {
		form += ", pairs"
	}
	return fmt.Sprintf("%s, %d bits by %d", form, p.table.bits, p.table.window)
}

func (p *genericPlan) SetBase(base []byte) {
	r := p.table.ring
	for len(base) > r.modulus.Size() && base[0] == 0 {
		base = base[1:]
	}
	x := make([]uint64, r.n)
	if len(base) <= r.modulus.Size() {
		WordsFromBytes(x, base)
	}
	if len(base) > r.modulus.Size() || LessWords(x, r.m) == 0 {
		panic("bigmod: the base of a table is not below the modulus")
	}
	s := r.take(0)
	defer r.give(s)
	r.encode(x, s.mont)
	r.mul(x, x, r.rr, s.mont)
	p.bases = [][]uint64{x}
}

// base returns the base of a window: that of the one before, squared once for each of its bits.
func (p *genericPlan) base(window int) []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.table.ring
	s := r.take(0)
	defer r.give(s)
	for len(p.bases) <= window {
		x := slices.Clone(p.bases[len(p.bases)-1])
		for range p.table.window {
			r.sqr(x, x, s.mont)
		}
		p.bases = append(p.bases, x)
	}
	return p.bases[window]
}

func (p *genericPlan) Make(piece int) {
	r := p.table.ring
	s := r.take(0)
	defer r.give(s)
	r.powers(p.Words(piece), p.base(piece), s.mont)
}

func (p *genericPlan) Words(piece int) []uint64 {
	rows := &p.table.rows[piece]
	if *rows == nil {
		*rows = make([]uint64, p.table.ring.n<<p.table.width(piece))
	}
	return *rows
}

// Table clears what is no residue in the first window, whose rows become results without a multiplication.
func (p *genericPlan) Table() Table {
	r := p.table.ring
	for rows := p.table.rows[0]; len(rows) > 0; rows = rows[r.n:] {
		row := rows[:r.n]
		mask := r.isResidue(row)
		for i := range row {
			row[i] &= mask
		}
	}
	return p.table
}

// isResidue returns all ones when x stands for a residue, and 0 for other words.
func (r *generic) isResidue(x []uint64) uint64 {
	if r.pair != nil {
		return r.pair.isPair(x)
	}
	return LessWords(x, r.m)
}

func (t *genericTable) windows() int { return (t.bits + t.window - 1) / t.window }

// width is the number of bits of a window. The topmost one is as wide as the exponents need.
func (t *genericTable) width(window int) int { return min(t.window, t.bits-window*t.window) }

func (t *genericTable) Bits() int { return t.bits }

func (t *genericTable) Bytes() int64 {
	var rows int64
	for i := range t.windows() {
		rows += 1 << t.width(i)
	}
	return 8 * rows * int64(t.ring.n)
}

func (t *genericTable) Exp(z *Vec, e []byte) {
	r := t.ring
	r.checkVec("Table.Exp", z)
	size := (t.bits + 7) / 8
	checkLen("Table.Exp", len(e), size*z.Len)
	s := r.take(r.n)
	defer r.give(s)
	row := s.more[:r.n]
	for first := 0; first < z.Len; first += tableGroup {
		last := min(first+tableGroup, z.Len)
		for j, rows := range t.rows {
			for i := first; i < last; i++ {
				acc := r.at(z, i)
				d := digit(e[i*size:(i+1)*size], j*t.window, t.window)
				if j == 0 {
					r.mont.Select(acc, rows, d)
					continue
				}
				r.mont.Select(row, rows, d)
				r.mul(acc, acc, row, s.mont)
			}
		}
	}
}
