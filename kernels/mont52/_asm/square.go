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
	sums, x, steps := RDI, RSI, RCX
	Load(Param("sums"), sums)
	Load(Param("x"), x)
	Load(Param("k"), steps)
	p := newPass(steps)
	p.rows = blockRows

	// Columns 0...7 meet no pass; the first pass clears those from k+8 on.
	zero(z(0))
	for c := range blockRows {
		store(z(0), at(sums, c))
	}
	// rows loads the multipliers of a block. The block is they times the limbs after them, by a pass, then the
	// products among them.
	rows := func() {
		loadRows(x, blockRows)
		LEAQ(at(sums, blockRows), p.sums)
		LEAQ(at(x, blockRows), p.limbs)
	}
	SUBQ(imm(blockRows), steps)
	MOVQ(steps, p.clear)
	SHLQ(imm(6), p.clear)
	LEAQ(Mem{Base: sums, Index: p.clear, Scale: 1, Disp: 2 * 64 * blockRows}, p.clear)
	for _, p.fresh = range []bool{true, false} {
		block := label("block")
		Label(block)
		rows()
		p.emit()
		triangle(sums, blockRows)
		ADDQ(imm(2*64*blockRows), sums)
		ADDQ(imm(64*blockRows), x)
		SUBQ(imm(blockRows), steps)
		JLE(LabelRef("last"))
		if !p.fresh {
			JMP(LabelRef(block))
		}
	}

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
		loadRows(x, n)
		triangle(sums, n)
		JMP(LabelRef(end))
	}
	Label(end)
	VZEROUPPER()
	RET()
}

func loadRows(x GPPhysical, n int) {
	for r := range n {
		load(at(x, r), z(r))
	}
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
