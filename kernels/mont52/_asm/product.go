package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// product multiplies without reduction, in the passes of a plan.
func product() {
	TEXT("productIFMA", NOSPLIT, "func(sums, x, y, plan *uint64, k int, ahead *uint64)")
	Doc("productIFMA is productGeneric, in the passes of a plan, and prefetches k vectors from ahead on. Without ahead it is",
		"productAddGeneric.")
	Pragma("noescape")
	sums, x, y, plan, k := RDI, RSI, RBX, R13, RCX
	Load(Param("sums"), sums)
	Load(Param("x"), x)
	Load(Param("y"), y)
	Load(Param("plan"), plan)
	Load(Param("k"), k)
	p := newPass(k)
	emit := func(n int) {
		loadRows(y, n)
		MOVQ(sums, p.sums)
		MOVQ(x, p.limbs)
		ADDQ(imm(64*n), sums)
		ADDQ(imm(64*n), y)
		p.rows = n
		p.emit()
	}
	// The first pass fills columns 0...k+rows-1 and clears as many beyond them as it has steps.
	p.fresh, p.prefetch = true, true
	Load(Param("ahead"), p.ahead)
	TESTQ(p.ahead, p.ahead)
	JZ(LabelRef("others"))
	MOVQ(Mem{Base: plan}, RAX)
	ADDQ(imm(8), plan)
	starts := make([]string, len(longRows))
	for i, n := range longRows {
		starts[i] = label("first")
		CMPQ(RAX, imm(n))
		JEQ(LabelRef(starts[i]))
	}
	for i, n := range longRows {
		Label(starts[i])
		MOVQ(k, RAX)
		SHLQ(imm(6), RAX)
		LEAQ(Mem{Base: sums, Index: RAX, Scale: 1, Disp: 64 * n}, p.clear)
		emit(n)
		if i+1 < len(longRows) {
			JMP(LabelRef("others"))
		}
	}
	Label("others")
	p.fresh, p.prefetch = false, false
	p.dispatch(plan, append(longRows, shortRows...), emit)
	VZEROUPPER()
	RET()
}
