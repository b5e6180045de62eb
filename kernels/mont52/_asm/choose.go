package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// choose reads tables at secret indices: all of the table, always in the same order.
func choose() {
	selectGroup()
	lookup(1)
	lookup(lookupGroups)
}

// chooseLimbs is how many limbs of a group are read from all entries at a time.
const chooseLimbs = 8

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
	for _, n := range []int{chooseLimbs, 1} {
		limbs, done, loop := label("limbs"), label("end"), label("entry")
		CMPQ(k, imm(n))
		JL(LabelRef(done))
		Label(limbs)
		for i := range n {
			zero(z(i))
		}
		zero(row)
		MOVQ(table, entry)
		MOVQ(entries, left)
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
		SUBQ(imm(n), k)
		CMPQ(k, imm(n))
		JGE(LabelRef(limbs))
		Label(done)
	}
	VZEROUPPER()
	RET()
}

// lookupLimbs is how many limbs are looked up at a time, as many as the accumulators of lookupGroups groups allow.
const (
	lookupLimbs  = 4
	lookupGroups = 4
)

// lookup permutes 16 entries at a time by the low 4 bits of the indices, and keeps those whose other bits agree. It takes
// the same time for all indices: they are operands of permutations and comparisons only. One reading of the entries of a
// few limbs, which fit the first-level cache, serves all groups before the next limbs.
func lookup(groups int) {
	suffix := string(rune('0' + groups))
	TEXT("lookup"+suffix+"IFMA", NOSPLIT, "func(z, table, d *uint64, entries uint64, k, count int)")
	Doc("lookup"+suffix+"IFMA is lookupGeneric for count times "+suffix+" groups z, one after the other, with their",
		"indices d, likewise, and a number of entries.")
	Pragma("noescape")
	out, table, k, entries, indices, count := RDI, RSI, RCX, RBX, RDX, R11
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("k"), k)
	Load(Param("entries"), entries)
	sum := func(g, i int) VecPhysical { return z(lookupLimbs*g + i) }
	row, one, low, high, t := z(16), z(17), z(18), z(19), z(20)
	index := func(g int) VecPhysical { return z(21 + g) }
	rest := func(g int) VecPhysical { return z(25 + g) }
	found := []Register{K1, K2, K3, K4}
	MOVQ(U32(1), RAX)
	VPBROADCASTQ(RAX, one)
	left, size, group, entry := R9, R8, R10, R12
	SHRQ(imm(4), entries) // in steps of 16
	MOVQ(k, size)
	SHLQ(imm(6), size)
	for _, n := range []int{lookupLimbs, 1} {
		limbs, done, some, loop := label("limbs"), label("end"), label("groups"), label("entries")
		CMPQ(k, imm(n))
		JL(LabelRef(done))
		Label(limbs)
		MOVQ(out, group)
		Load(Param("d"), indices)
		Load(Param("count"), count)
		Label(some)
		for g := range groups {
			VMOVDQU64(at(indices, g), index(g))
			VPSRLQ(imm(4), index(g), rest(g))
			for i := range n {
				zero(sum(g, i))
			}
		}
		zero(row)
		MOVQ(table, entry)
		MOVQ(entries, left)
		Label(loop)
		for g := range groups {
			VPCMPEQQ(rest(g), row, found[g])
		}
		VPADDQ(one, row, row)
		for i := range n {
			load(at(entry, 2*i), low)
			load(at(entry, 2*i+1), high)
			for g := range groups {
				VMOVDQA64(low, t)
				VPERMT2Q(high, index(g), t)
				VMOVDQA64(t, found[g], sum(g, i))
			}
		}
		ADDQ(imm(2*64*n), entry)
		DECQ(left)
		JNZ(LabelRef(loop))
		for g := range groups {
			for i := range n {
				store(sum(g, i), at(group, i))
			}
			ADDQ(size, group)
		}
		ADDQ(imm(64*groups), indices)
		DECQ(count)
		JNZ(LabelRef(some))
		MOVQ(entry, table)
		ADDQ(imm(64*n), out)
		SUBQ(imm(n), k)
		CMPQ(k, imm(n))
		JGE(LabelRef(limbs))
		Label(done)
	}
	VZEROUPPER()
	RET()
}
