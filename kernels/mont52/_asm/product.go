package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// product multiplies without reduction, in the passes of a plan.
func product() {
	TEXT("productIFMA", NOSPLIT, "func(sums, x, y, plan *uint64, k int)")
	Doc("productIFMA is productGeneric, in the passes of a plan.")
	Pragma("noescape")
	sums, x, y, plan := RDI, RSI, RBX, R13
	Load(Param("sums"), sums)
	Load(Param("x"), x)
	Load(Param("y"), y)
	Load(Param("plan"), plan)
	Load(Param("k"), R12)
	p := newPass()
	SHLQ(imm(6), R12)
	LEAQ(Mem{Base: sums, Index: R12, Scale: 1, Disp: 64 * passRows[0]}, R12)
	p.clear = R12

	emit := func(n int, fresh bool) {
		for r := range n {
			load(at(y, r), z(r))
		}
		MOVQ(sums, p.sums)
		MOVQ(x, p.limbs)
		ADDQ(imm(64*n), sums)
		ADDQ(imm(64*n), y)
		p.rows, p.fresh = n, fresh
		p.emit()
	}
	p.next(plan)
	emit(passRows[0], true)
	p.dispatch(plan, passRows, func(n int) { emit(n, false) })
	VZEROUPPER()
	RET()
}
