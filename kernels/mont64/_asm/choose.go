package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// choose reads all rows of a table, a few columns after the other, and keeps the one that is wanted under a mask.
func choose() {
	TEXT("selectAVX2", NOSPLIT, "func(z, table *uint64, d, rows uint64, n int)")
	Doc("selectAVX2 sets the n words z to row d of a table of so many rows, for a multiple n of 8. It reads all of the table.")
	Pragma("noescape")
	out, table, columns, stride := RDI, RSI, RCX, R8
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("n"), columns)
	MOVQ(columns, stride)
	SHLQ(imm(3), stride)
	// VMOVQ and not MOVQ: an instruction without the VEX prefix costs a hundred nanoseconds once upper halves are in use.
	Load(Param("d"), RAX)
	VMOVQ(RAX, X15)
	VPBROADCASTQ(X15, Y15)
	MOVQ(U32(1), RAX)
	VMOVQ(RAX, X14)
	VPBROADCASTQ(X14, Y14)
	for _, some := range []int{32, 16, 8} {
		begin, end, row := label("columns"), label("end"), label("row")
		acc := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}[:some/4]
		Label(begin)
		CMPQ(columns, imm(some))
		JLT(LabelRef(end))
		for _, a := range acc {
			VPXOR(a, a, a)
		}
		index, mask, temp := Y13, Y12, []VecPhysical{Y8, Y9, Y10, Y11}
		VPXOR(index, index, index)
		MOVQ(table, RBX)
		Load(Param("rows"), RAX)
		Label(row)
		VPCMPEQQ(index, Y15, mask)
		VPADDQ(Y14, index, index)
		for i, a := range acc {
			VPAND(Mem{Base: RBX, Disp: 32 * i}, mask, temp[i%4])
			VPOR(temp[i%4], a, a)
		}
		ADDQ(stride, RBX)
		SUBQ(imm(1), RAX)
		JNZ(LabelRef(row))
		for i, a := range acc {
			VMOVDQU(a, Mem{Base: out, Disp: 32 * i})
		}
		ADDQ(imm(8*some), out)
		ADDQ(imm(8*some), table)
		SUBQ(imm(some), columns)
		JMP(LabelRef(begin))
		Label(end)
	}
	VZEROUPPER()
	RET()
}
