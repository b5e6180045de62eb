package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// product multiplies x by one block of y after the other.
func product() {
	TEXT("product"+order, NOSPLIT, "func(t, x, y *uint64, n int)")
	Doc("product"+order+" sets the 2n words t to x·y, n words each, for a multiple n of 8. t overlaps neither.", orderDoc())
	Pragma("noescape")
	multiplier, y, rows, blocks, size := local(), AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	Load(Param("t"), sums)
	Load(Param("n"), RCX)
	clearWords(sums, RCX)

	Load(Param("t"), sums)
	Load(Param("x"), offset)
	SUBQ(sums, offset)
	Load(Param("n"), RCX)
	SHLQ(imm(3), RCX)
	MOVQ(RCX, size)
	SHRQ(imm(6), RCX)
	MOVQ(RCX, blocks)
	Load(Param("y"), RAX)
	MOVQ(RAX, y)

	Label("pass")
	MOVQ(y, RAX)
	copyBlock(multiplier, RAX)
	ADDQ(imm(8*block), y)
	Load(Param("n"), RAX)
	SHRQ(imm(3), RAX)
	MOVQ(RAX, rows)
	w := newWindow()
	w.clear()
	w.rows(rows, multiplier)
	w.store()
	// on to the second block of what this pass has added to
	SUBQ(size, sums)
	ADDQ(imm(8*block), sums)
	SUBQ(imm(8*block), offset)
	SUBQ(imm(1), blocks)
	JNZ(LabelRef("pass"))
	RET()
}
