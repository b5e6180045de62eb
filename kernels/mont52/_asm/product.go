package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// product multiplies without reduction.
func product() {
	TEXT("productIFMA", NOSPLIT, "func(sums, x, y *uint64, k int)")
	Doc("productIFMA is productGeneric.")
	Pragma("noescape")
	sums, x, y, k := RDI, RSI, RBX, RCX
	Load(Param("sums"), sums)
	Load(Param("x"), x)
	Load(Param("y"), y)
	Load(Param("k"), k)
	p := pass{rows: blockRows, fresh: true, sums: R8, limbs: R9, clear: R12, phase: R11, count: R10}
	blocks, count := R13, R15

	rows := func(n int) {
		for r := range n {
			load(at(y, r), z(rowsBase+r))
		}
		MOVQ(sums, p.sums)
		MOVQ(x, p.limbs)
		ADDQ(imm(64*n), sums)
		ADDQ(imm(64*n), y)
	}

	phases(k, blockRows, R11, R10)
	MOVQ(R10, count)
	MOVQ(k, R12)
	SHLQ(imm(6), R12)
	LEAQ(Mem{Base: sums, Index: R12, Scale: 1, Disp: 64 * blockRows}, R12)
	rows(blockRows)
	p.emit()

	p.fresh = false
	MOVQ(k, blocks)
	SHRQ(imm(3), blocks)
	DECQ(blocks)
	JZ(LabelRef("rest"))
	Label("block")
	rows(blockRows)
	MOVQ(count, R10)
	p.emit()
	DECQ(blocks)
	JNZ(LabelRef("block"))

	Label("rest")
	for n := blockRows / 2; n > 0; n /= 2 {
		skip := label("skip")
		TESTQ(U32(uint32(n)), k)
		JZ(LabelRef(skip))
		p.rows = n
		phases(k, n, R11, R10)
		rows(n)
		p.emit()
		Label(skip)
	}
	VZEROUPPER()
	RET()
}
