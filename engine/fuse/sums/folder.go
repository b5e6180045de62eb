package sums

import (
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// folder multiplies the ciphertexts of groups in pairs, then the products in pairs, and so on. So every step has as
// many independent products as possible, across all groups.
type folder struct {
	mult *paillier.Multiplier
	size int

	// Of the items to be multiplied.
	group   []int32
	row     [][]byte
	factors []uint32
	owned   []bool // row is scratch

	pending   []int32 // of a group: the item that waits for another one, or -1
	now, next []int32
	dst, a, b [][]byte

	scratch [][]byte // pieces of scratchRows rows
	used    int      // rows of them
}

// itemsTogether is about how many rows are multiplied together, of several sums where each has few: kernels compute several
// products at a time, and need as many that are independent.
const itemsTogether = 512

// slotsTogether is how many sums of so many rows are multiplied together.
func slotsTogether(rows int) int { return max(1, itemsTogether/max(1, rows)) }

// scratchRows is how many rows scratch memory grows by.
const scratchRows = 64

func newFolder(s Shape) *folder { return &folder{mult: s.Key.NewMultiplier(), size: s.size()} }

// scratchRow returns memory for a row, until free.
func (f *folder) scratchRow() []byte {
	piece := f.used / scratchRows
	if piece == len(f.scratch) {
		f.scratch = append(f.scratch, make([]byte, scratchRows*f.size))
	}
	at := f.used % scratchRows * f.size
	f.used++
	return f.scratch[piece][at : at+f.size : at+f.size]
}

// free gives all scratch rows back, and with them all results.
func (f *folder) free() { f.used = 0 }

// begin starts with no items.
func (f *folder) begin() {
	f.group, f.row, f.factors, f.owned = f.group[:0], f.row[:0], f.factors[:0], f.owned[:0]
}

// add adds a product to a group, counted from 0. The row is not changed, and is in use until free.
func (f *folder) add(group int, row []byte, factors uint32) error {
	owned := false
	if factors >= refactorAt {
		made := f.scratchRow()
		if err := f.mult.Finish(made, [][]byte{row}, []uint32{factors}); err != nil {
			return err
		}
		row, factors, owned = made, 1, true
	}
	f.group, f.row, f.factors, f.owned = append(f.group, int32(group)), append(f.row, row), append(f.factors, factors), append(f.owned, owned)
	return nil
}

// fold sets products[g] and factors[g] to the product of group g and its number of factors, 0 when nothing was added
// to it. Products are given rows or scratch.
func (f *folder) fold(products [][]byte, factors []uint32) error {
	clear(products)
	clear(factors)
	f.pending = f.pending[:0]
	for range products {
		f.pending = append(f.pending, -1)
	}
	f.now = f.now[:0]
	for i := range f.group {
		f.now = append(f.now, int32(i))
	}
	for {
		f.dst, f.a, f.b, f.next = f.dst[:0], f.a[:0], f.b[:0], f.next[:0]
		for _, i := range f.now {
			waiting := &f.pending[f.group[i]]
			if *waiting < 0 {
				*waiting = i
				continue
			}
			j := *waiting
			*waiting = -1
			dst := f.row[j]
			if !f.owned[j] {
				dst = f.scratchRow()
			}
			f.dst, f.a, f.b, f.next = append(f.dst, dst), append(f.a, f.row[j]), append(f.b, f.row[i]), append(f.next, j)
			f.row[j], f.owned[j] = dst, true
			f.factors[j] += f.factors[i]
		}
		for _, i := range f.now {
			if waiting := &f.pending[f.group[i]]; *waiting == i {
				f.next = append(f.next, i)
				*waiting = -1
			}
		}
		if len(f.dst) == 0 {
			break
		}
		if err := f.mult.Mul(f.dst, f.a, f.b); err != nil {
			return err
		}
		f.now, f.next = f.next, f.now
	}
	for _, i := range f.now {
		products[f.group[i]], factors[f.group[i]] = f.row[i], f.factors[i]
	}
	return nil
}
