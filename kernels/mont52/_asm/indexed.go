package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// indexed reads and writes single lanes at public indices.
func indexed() {
	group, vec, offsets, k := RDI, RSI, RBX, RCX
	index := z(0)

	TEXT("gatherIFMA", NOSPLIT, "func(z, x *uint64, offsets *[8]uint64, k int)")
	Doc("gatherIFMA is gatherGeneric, for the offsets in bytes of limb 0 of the elements.")
	Pragma("noescape")
	Load(Param("z"), group)
	Load(Param("x"), vec)
	Load(Param("offsets"), offsets)
	Load(Param("k"), k)
	VMOVDQU64(Mem{Base: offsets}, index)
	Label("limb")
	KXNORB(K1, K1, K1)
	VPGATHERQQ(Mem{Base: vec, Index: index, Scale: 1}, K1, z(1))
	store(z(1), at(group, 0))
	ADDQ(imm(64), group)
	ADDQ(imm(64), vec)
	DECQ(k)
	JNZ(LabelRef("limb"))
	VZEROUPPER()
	RET()

	TEXT("scatterIFMA", NOSPLIT, "func(z *uint64, offsets *[8]uint64, mask uint64, x *uint64, k int)")
	Doc("scatterIFMA is scatterGeneric, for the offsets in bytes of limb 0 of the elements and a mask of lanes.")
	Pragma("noescape")
	Load(Param("z"), vec)
	Load(Param("offsets"), offsets)
	Load(Param("mask"), RAX)
	Load(Param("x"), group)
	Load(Param("k"), k)
	VMOVDQU64(Mem{Base: offsets}, index)
	Label("limb")
	KMOVB(EAX, K1)
	load(at(group, 0), z(1))
	VPSCATTERQQ(z(1), K1, Mem{Base: vec, Index: index, Scale: 1})
	ADDQ(imm(64), group)
	ADDQ(imm(64), vec)
	DECQ(k)
	JNZ(LabelRef("limb"))
	VZEROUPPER()
	RET()
}
