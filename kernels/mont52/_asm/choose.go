package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// choose reads tables at secret indices: all of the table, always in the same order.
func choose() {
	selectGroup()
	lookup()
}

// chooseLimbs is how many limbs a pass over the entries accumulates.
const chooseLimbs = 8

// eachBlock emits the body for blocks of chooseLimbs limbs, and for single limbs at the end. The body advances its
// pointers by n limbs.
func eachBlock(k GPPhysical, body func(n int)) {
	for _, n := range []int{chooseLimbs, 1} {
		loop, done := label("limbs"), label("end")
		CMPQ(k, imm(n))
		JL(LabelRef(done))
		Label(loop)
		body(n)
		SUBQ(imm(n), k)
		CMPQ(k, imm(n))
		JGE(LabelRef(loop))
		Label(done)
	}
}

func selectGroup() {
	TEXT("selectIFMA", NOSPLIT, "func(z, table *uint64, d, entries uint64, k int)")
	Doc("selectIFMA is selectGeneric, for a number of entries.")
	Pragma("noescape")
	out, table, k, entries := RDI, RSI, RCX, RBX
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("k"), k)
	Load(Param("entries"), entries)
	Load(Param("d"), RAX)
	d, row, one, mask := z(24), z(25), z(26), z(27)
	VPBROADCASTQ(RAX, d)
	MOVQ(U32(1), RAX)
	VPBROADCASTQ(RAX, one)
	size, entry, left := R8, R9, R10
	MOVQ(k, size)
	SHLQ(imm(6), size)
	eachBlock(k, func(n int) {
		for i := range n {
			zero(z(i))
		}
		zero(row)
		MOVQ(table, entry)
		MOVQ(entries, left)
		loop := label("entry")
		Label(loop)
		VPCMPEQQ(d, row, K1)
		VPADDQ(one, row, row)
		VPTERNLOGQ_Z(U8(0xff), mask, mask, K1, mask)
		for i := range n {
			VPTERNLOGQ(U8(0xf8), at(entry, i), mask, z(i)) // z | mask & entry
		}
		ADDQ(size, entry)
		DECQ(left)
		JNZ(LabelRef(loop))
		for i := range n {
			store(z(i), at(out, i))
		}
		ADDQ(imm(64*n), out)
		ADDQ(imm(64*n), table)
	})
	VZEROUPPER()
	RET()
}

// lookup permutes 16 entries at a time by the low 4 bits of the indices, and keeps those whose other bits agree. All
// lanes take the same time for all indices: they are operands of permutations and comparisons only.
func lookup() {
	TEXT("lookupIFMA", NOSPLIT, "func(z, table *uint64, d *[8]uint64, entries uint64, k int)")
	Doc("lookupIFMA is lookupGeneric, for a number of entries.")
	Pragma("noescape")
	out, table, k, entries := RDI, RSI, RCX, RBX
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("k"), k)
	Load(Param("entries"), entries)
	Load(Param("d"), RAX)
	d, high, row, one := z(24), z(25), z(26), z(27)
	VMOVDQU64(Mem{Base: RAX}, d)
	VPSRLQ(imm(4), d, high)
	MOVQ(U32(1), RAX)
	VPBROADCASTQ(RAX, one)
	entry, left, size := R9, R10, R8
	SHRQ(imm(4), entries) // in steps of 16
	MOVQ(entries, size)
	SHLQ(imm(7), size) // the bytes of a limb of all entries
	eachBlock(k, func(n int) {
		for i := range n {
			zero(z(i))
		}
		zero(row)
		MOVQ(entries, left)
		loop := label("entries")
		Label(loop)
		VPCMPEQQ(high, row, K1)
		VPADDQ(one, row, row)
		MOVQ(table, entry)
		for i := range n {
			t := z(chooseLimbs + i)
			load(at(entry, 0), t)
			VPERMT2Q(at(entry, 1), d, t)
			VMOVDQA64(t, K1, z(i))
			if i+1 < n {
				ADDQ(size, entry)
			}
		}
		ADDQ(imm(2*64), table)
		DECQ(left)
		JNZ(LabelRef(loop))
		for i := range n {
			store(z(i), at(out, i))
		}
		// table has moved by one limb
		if n > 1 {
			IMUL3Q(imm(n-1), size, entry)
			ADDQ(entry, table)
		}
		ADDQ(imm(64*n), out)
	})
	VZEROUPPER()
	RET()
}
