package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Registers that the kernels share.
var (
	rowsBase   = 0  // the multipliers of the rows of a pass: z(0), z(1), ...
	windowBase = 8  // the column sums that a pass holds: z(8) ... z(16)
	limbReg    = 17 // the limb of the multiplicand
)

// A pass adds the product of a few rows (multiplier limbs, in z(0)...z(rows-1)) and a whole multiplicand to column sums in
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

func (p pass) window(i int) VecPhysical { return z(windowBase + i%(p.rows+1)) }

// phases computes phase and count from the number of steps. It changes RAX and RDX.
func phases(steps Register, rows int, phase, count GPPhysical) {
	// count = ceil(steps/(rows+1)), phase = count·(rows+1) - steps
	LEAQ(Mem{Base: steps, Disp: rows}, RAX)
	XORL(EDX, EDX)
	MOVQ(U32(rows+1), count)
	DIVQ(count)
	MOVQ(RAX, count)
	IMUL3Q(imm(rows+1), RAX, phase)
	SUBQ(steps, phase)
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
	done := label("done")

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

	x := z(limbReg)
	zeros := z(limbReg + 1)
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
			lo(x, z(rowsBase+r), p.window(i+r))
		}
		for r := range p.rows {
			hi(x, z(rowsBase+r), p.window(i+r+1))
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
	Label(done)
	for c := range p.rows {
		store(p.window(c), at(p.sums, c))
	}
}
