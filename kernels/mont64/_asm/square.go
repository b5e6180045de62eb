package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// square computes the products of different words once, doubles them, and adds the squares of the words.
func square() {
	TEXT("square"+order, NOSPLIT, "func(t, x *uint64, n int)")
	Doc("square" + order + " is product" + order + " for x = y.")
	Pragma("noescape")
	multiplier, x, rows, blocks := local(), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	Load(Param("t"), sums)
	Load(Param("n"), RCX)
	clearWords(sums, RCX)

	// Block b of x times itself, in words 16b on, and times all blocks after it
	Load(Param("t"), sums)
	Load(Param("x"), RAX)
	MOVQ(RAX, x)
	Load(Param("n"), RCX)
	SHRQ(imm(3), RCX)
	MOVQ(RCX, blocks)
	Label("pass")
	MOVQ(x, RAX)
	copyBlock(multiplier, RAX)
	ADDQ(imm(8*block), x)
	w := triangle(multiplier)
	ADDQ(imm(8*block), sums)
	MOVQ(blocks, RCX)
	SUBQ(imm(1), RCX)
	JZ(LabelRef("last"))
	MOVQ(RCX, rows)
	MOVQ(x, offset)
	SUBQ(sums, offset)
	w.rows(rows, multiplier)
	w.store()
	// Two blocks of t for each of x: sums is now at word 8b+n of t, where the last pass has yet to go.
	MOVQ(blocks, RCX)
	SUBQ(imm(1), RCX)
	MOVQ(RCX, blocks)
	SUBQ(imm(1), RCX)
	SHLQ(imm(6), RCX)
	SUBQ(RCX, sums)
	JMP(LabelRef("pass"))
	Label("last")
	w.store()

	double()
	RET()
}

// triangle adds the products of different words of a block to words 1...7 of the sum in memory and returns the window of
// words 8...15. Word i of the product begins as word i of memory and is in register i mod 8 until it is complete, two
// of them in each row; words above 7 take what is in memory only in the rows that follow.
func triangle(x []Mem) window {
	w := newWindow()
	reg := func(i int) GPPhysical { return w[i%block] }
	for i := 1; i < block; i++ {
		MOVQ(word(sums, i), reg(i))
	}
	for j := range block - 1 {
		// x[j] times x[j+1]...x[7] are words 2j+1...j+8.
		XORL(temps[0].As32(), temps[0].As32())
		MOVQ(x[j], factor)
		var sum []GPPhysical
		for i := 2*j + 1; i < j+block; i++ {
			sum = append(sum, reg(i))
		}
		products(x[j+1:], sum, reg(j+block), func() {})
		for i := 2*j + 1; i <= 2*j+2 && i < block; i++ {
			MOVQ(reg(i), word(sums, i))
		}
	}
	XORL(reg(15).As32(), reg(15).As32())
	return w
}

// double sets t to 2t plus the squares of the words of x.
func double() {
	x, count := RSI, RCX
	chains := carries{R8, R9} // of the squares, of the doubling
	Load(Param("t"), sums)
	Load(Param("x"), x)
	Load(Param("n"), count)
	for _, r := range chains {
		XORL(r.As32(), r.As32())
	}
	Label("double")
	chains.restore()
	for i := range block {
		square := [2]GPPhysical{RAX, RBX}
		MOVQ(word(x, i), factor)
		MULXQ(factor, square[0], square[1])
		for j, half := range square {
			sum := []GPPhysical{R10, R11}[j]
			MOVQ(word(sums, 2*i+j), sum)
			ADOXQ(sum, sum)
			ADCXQ(half, sum)
			MOVQ(sum, word(sums, 2*i+j))
		}
	}
	chains.save()
	ADDQ(imm(8*block), x)
	ADDQ(imm(16*block), sums)
	SUBQ(imm(block), count)
	JNZ(LabelRef("double"))
}
