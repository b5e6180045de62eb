package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// passRows are the numbers of rows that a pass may have. A column receives two products, of latency 4, in each step of a
// pass, while the step issues 2·rows of them, 2 a clock: that leaves no slack with 8 rows (93% of the limit were seen)
// and enough with 12 and more (99%). More than 14 do not fit the registers.
var (
	longRows  = []int{10, 11, 12, 13, 14}
	shortRows = []int{8, 4, 2, 1}
)

// A pass adds the product of a few rows (multiplier limbs, in z(0)...z(rows-1)) and a whole multiplicand to column sums in
// memory: sum[c] += lo(x[j]·row[r]) for c = j+r and hi(x[j]·row[r]) for c = j+r+1. Columns j...j+rows are in a window of
// registers, z(rows)...z(2·rows), while limb j is at hand. A step completes one column, stores it, and shifts the
// window: register moves are executed by renaming, and the code remains small. (Unrolled by rows+1 steps, with
// columns that keep their registers, the kernels of one multiplication no longer fitted the decoded-instruction
// cache, and lost 2% at 4096 bits.)
type pass struct {
	rows      int
	broadcast bool // the multiplicand is words, the same for all lanes; otherwise vectors
	// A fresh pass finds column sums undefined, and takes them as zero. Beside each column it completes, it
	// clears one at clear.
	fresh bool
	// A pass may prefetch 64 bytes of unrelated memory in each step, from ahead on.
	prefetch bool

	sums  GPPhysical // column 0; changed
	limbs GPPhysical // limb 0; changed
	clear GPPhysical // of fresh passes; changed
	ahead GPPhysical // of prefetching passes; changed
	steps GPPhysical // limbs of the multiplicand
	index GPPhysical // changed
}

func newPass(steps GPPhysical) pass {
	return pass{sums: R8, limbs: R9, clear: R12, ahead: R11, steps: steps, index: R10}
}

func (p pass) emit() {
	window := func(i int) VecPhysical { return z(p.rows + i) }
	x, zeros := z(2*p.rows+1), z(2*p.rows+2)
	width := uint8(8)
	if p.broadcast {
		width = 1
	}
	for c := range p.rows {
		if p.fresh {
			zero(window(c))
		} else {
			load(at(p.sums, c), window(c))
		}
	}
	if p.fresh {
		zero(zeros)
	}
	// index runs from -8·steps to 0, so the bases point to the ends.
	MOVQ(p.steps, p.index)
	SHLQ(imm(3), p.index)
	indexed := func(base GPPhysical, i int) Mem {
		if base == p.limbs {
			return Mem{Base: base, Index: p.index, Scale: width}
		}
		return Mem{Base: base, Index: p.index, Scale: 8, Disp: 64 * i}
	}
	bases := []GPPhysical{p.sums, p.limbs}
	if p.fresh {
		bases = append(bases, p.clear)
	}
	if p.prefetch {
		bases = append(bases, p.ahead)
	}
	for _, base := range bases {
		LEAQ(indexed(base, 0), base)
	}
	NEGQ(p.index)

	step := label("step")
	Label(step)
	if p.broadcast {
		VPBROADCASTQ(indexed(p.limbs, 0), x)
	} else {
		load(indexed(p.limbs, 0), x)
	}
	if p.fresh {
		zero(window(p.rows))
		store(zeros, indexed(p.clear, 0))
	} else {
		load(indexed(p.sums, p.rows), window(p.rows))
	}
	if p.prefetch {
		PREFETCHT1(indexed(p.ahead, 0))
	}
	for r := range p.rows {
		lo(x, z(r), window(r))
	}
	for r := range p.rows {
		hi(x, z(r), window(r+1))
	}
	store(window(0), indexed(p.sums, 0))
	for c := range p.rows {
		VMOVDQA64(window(c+1), window(c))
	}
	ADDQ(imm(8), p.index)
	JNZ(LabelRef(step))
	for c := range p.rows {
		store(window(c), at(p.sums, c))
	}
}

// dispatch emits code that runs passes of the numbers of rows that a plan lists, up to one that is not among rows.
func (p pass) dispatch(plan Register, rows []int, emit func(n int)) {
	next, end := label("next"), label("end")
	starts := make([]string, len(rows))
	Label(next)
	MOVQ(Mem{Base: plan}, RAX)
	ADDQ(imm(8), plan)
	for i, n := range rows {
		starts[i] = label("rows")
		CMPQ(RAX, imm(n))
		JEQ(LabelRef(starts[i]))
	}
	JMP(LabelRef(end))
	for i, n := range rows {
		Label(starts[i])
		emit(n)
		JMP(LabelRef(next))
	}
	Label(end)
}
