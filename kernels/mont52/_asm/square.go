package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// blockRows is how many limbs of a square are taken at a time: as many as triangle can hold.
const blockRows = 8

// square computes each product of two different limbs once and doubles the column sums.
func square() {
	TEXT("squareIFMA", NOSPLIT, "func(sums, x *uint64, k int)")
	Doc("squareIFMA is squareGeneric.")
	Pragma("noescape")
	sums, x, k := RDI, RSI, RCX
	Load(Param("sums"), sums)
	Load(Param("x"), x)
	Load(Param("k"), k)
	p := newPass()
	p.rows, p.fresh, p.clear = blockRows, true, R12
	steps, count := R13, R15

	// Columns 0...7 meet no pass.
	zero(z(0))
	for c := range blockRows {
		store(z(0), at(sums, c))
	}
	// Block i: rows i...i+7 times the limbs from i+8 on by a pass, then the products among the rows.
	block := func(n int) {
		for r := range n {
			load(at(x, r), z(r))
		}
		LEAQ(at(sums, n), p.sums.(GPPhysical))
		LEAQ(at(x, n), p.limbs.(GPPhysical))
	}
	advance := func() {
		ADDQ(imm(2*64*blockRows), sums)
		ADDQ(imm(64*blockRows), x)
		// One block fewer steps: steps-8 = (count-1)·9 - (phase-1).
		SUBQ(imm(blockRows), steps)
		next := label("next")
		SUBQ(imm(1), R11)
		JNC(LabelRef(next))
		MOVQ(U32(blockRows), R11)
		INCQ(count)
		Label(next)
		DECQ(count)
	}
	LEAQ(Mem{Base: k, Disp: -blockRows}, steps)
	// count = ceil(steps/(rows+1)), phase = count·(rows+1) - steps
	LEAQ(Mem{Base: steps, Disp: blockRows}, RAX)
	XORL(EDX, EDX)
	MOVQ(U32(blockRows+1), count)
	DIVQ(count)
	MOVQ(RAX, count)
	IMUL3Q(imm(blockRows+1), RAX, R11)
	SUBQ(steps, R11)
	MOVQ(count, R10)
	MOVQ(k, R12)
	SHLQ(imm(6), R12)
	LEAQ(Mem{Base: sums, Index: R12, Scale: 1, Disp: 64 * blockRows}, R12)
	block(blockRows)
	p.emit()
	triangle(sums, blockRows)
	advance()

	p.fresh = false
	CMPQ(steps, imm(0))
	JLE(LabelRef("last"))
	Label("block")
	block(blockRows)
	MOVQ(count, R10)
	p.emit()
	triangle(sums, blockRows)
	advance()
	CMPQ(steps, imm(0))
	JGT(LabelRef("block"))

	// The last block of 1 to 8 rows has no limbs beyond it.
	Label("last")
	ADDQ(imm(blockRows), steps)
	end := label("end")
	tri := make([]string, blockRows)
	for n := 1; n < blockRows; n++ {
		tri[n] = label("triangle")
		CMPQ(steps, imm(n))
		JEQ(LabelRef(tri[n]))
	}
	for n := blockRows; n > 0; n-- {
		if n < blockRows {
			Label(tri[n])
		}
		block(n)
		triangle(sums, n)
		JMP(LabelRef(end))
	}
	Label(end)
	VZEROUPPER()
	RET()
}

// triangle completes columns 0...2n-1: it adds the products of different rows, doubles, and adds the squares.
func triangle(sums GPPhysical, n int) {
	row := func(r int) VecPhysical { return z(r) }
	col := func(c int) VecPhysical { return z(blockRows + c) }
	for c := range 2 * n {
		load(at(sums, c), col(c))
	}
	for d := 1; d < n; d++ { // by distance, so that neighbours in the code go to different columns
		for r := 0; r+d < n; r++ {
			lo(row(r), row(r+d), col(2*r+d))
		}
		for r := 0; r+d < n; r++ {
			hi(row(r), row(r+d), col(2*r+d+1))
		}
	}
	for c := range 2 * n {
		VPADDQ(col(c), col(c), col(c))
	}
	for r := range n {
		lo(row(r), row(r), col(2*r))
		hi(row(r), row(r), col(2*r+1))
	}
	for c := range 2 * n {
		store(col(c), at(sums, c))
	}
}
