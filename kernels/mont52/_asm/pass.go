package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// passRows are the numbers of rows that a pass may have; the first is that of a fresh pass. A column receives two
// products, of latency 4, in each step of a pass, while the step issues 2·rows of them, 2 a clock: that leaves no slack with
// 8 rows (93% of the limit were seen) and enough with 12 and more (99%). More than 14 do not fit the registers.
var passRows = []int{12, 13, 14, 8, 4, 2, 1}

// A pass adds the product of a few rows (multiplier limbs, in z(0)...z(rows-1), the window in z(rows)...z(2·rows)) and a whole multiplicand to column sums in
// memory: sum[c] += lo(x[j]·row[r]) for c = j+r and hi(x[j]·row[r]) for c = j+r+1. Columns j...j+rows are in registers
// while limb j is at hand; each step completes one column, stores it, and takes in another. The steps are unrolled
// rows+1 times, so that a column keeps its register while it moves through the window. A number of steps that is not
// a multiple of that starts in the middle of the loop.
type pass struct {
	rows      int
	broadcast bool // the multiplicand is words, the same for all lanes; otherwise vectors
	// fresh passes find column sums undefined, and take them as zero. Beside each column they complete, they
	// clear one at clear.
	fresh bool

	sums  Register // column 0; changed
	limbs Register // limb 0; changed
	clear Register // of fresh passes; changed
	phase Register // (-steps) mod (rows+1)
	count Register // (steps+phase)/(rows+1), at least 1; changed
}

func newPass() pass {
	return pass{sums: R8, limbs: R9, phase: R11, count: R10}
}

func (p pass) window(i int) VecPhysical { return z(p.rows + i%(p.rows+1)) }

// next takes phase and count from the next element of a plan, of three words; the first one is the number of rows.
func (p pass) next(plan Register) {
	MOVQ(word(plan, 1), p.phase)
	MOVQ(word(plan, 2), p.count)
	ADDQ(imm(3*8), plan)
}

// dispatch emits code that runs the rest of a plan, up to an element of no rows.
func (p pass) dispatch(plan Register, rows []int, emit func(n int)) {
	next, end := label("next"), label("end")
	starts := make([]string, len(rows))
	Label(next)
	MOVQ(word(plan, 0), RAX)
	p.next(plan)
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

func (p pass) emit() {
	n := p.rows + 1
	width := 64
	if p.broadcast {
		width = 8
	}
	enter := make([]string, n)
	steps := make([]string, n)
	for i := range n {
		enter[i] = label("enter")
		steps[i] = label("step")
	}

	for i := 1; i < n; i++ {
		CMPQ(p.phase, imm(i))
		JEQ(LabelRef(enter[i]))
	}
	for i := range n {
		Label(enter[i])
		for c := range p.rows {
			if p.fresh {
				zero(p.window(i + c))
			} else {
				load(at(p.sums, c), p.window(i+c))
			}
		}
		if i > 0 {
			SUBQ(imm(64*i), p.sums)
			SUBQ(imm(width*i), p.limbs)
			if p.fresh {
				SUBQ(imm(64*i), p.clear)
			}
			JMP(LabelRef(steps[i]))
		} else {
			JMP(LabelRef(steps[0]))
		}
	}

	x, zeros := z(2*p.rows+1), z(2*p.rows+2)
	Label(steps[0])
	for i := range n {
		if i > 0 {
			Label(steps[i])
		}
		if p.broadcast {
			VPBROADCASTQ(word(p.limbs, i), x)
		} else {
			load(at(p.limbs, i), x)
		}
		if p.fresh {
			zero(p.window(i + p.rows))
			zero(zeros)
			store(zeros, at(p.clear, i))
		} else {
			load(at(p.sums, i+p.rows), p.window(i+p.rows))
		}
		for r := range p.rows {
			lo(x, z(r), p.window(i+r))
		}
		for r := range p.rows {
			hi(x, z(r), p.window(i+r+1))
		}
		store(p.window(i), at(p.sums, i))
	}
	ADDQ(imm(64*n), p.sums)
	ADDQ(imm(width*n), p.limbs)
	if p.fresh {
		ADDQ(imm(64*n), p.clear)
	}
	DECQ(p.count)
	JNZ(LabelRef(steps[0]))
	for c := range p.rows {
		store(p.window(c), at(p.sums, c))
	}
}
