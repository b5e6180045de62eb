package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Registers of the functions of this file, which go through the limbs once or twice.
var (
	carryReg  = z(0)
	borrowReg = z(1)
	sumReg    = z(2)
	diffReg   = z(3)
	maskReg   = z(31)
)

func loadMask() {
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, maskReg)
}

// eachLimb repeats the body for limb RAX = 0...k-1, with offset the address of its vectors beyond their first (64·RAX).
func eachLimb(name string, k, offset GPPhysical, body func()) {
	XORL(EAX, EAX)
	XORL(offset.As32(), offset.As32())
	Label(name)
	body()
	ADDQ(imm(64), offset)
	INCQ(RAX)
	CMPQ(RAX, k)
	JNE(LabelRef(name))
}

// propagate carries: sum = (sum+carry) mod 2^52.
func propagate() {
	VPADDQ(carryReg, sumReg, sumReg)
	VPSRLQ(imm(52), sumReg, carryReg)
	VPANDQ(maskReg, sumReg, sumReg)
}

// borrowFrom computes diff += borrow, and the borrow from the next limb as 0 or -1.
func borrowFrom() {
	VPADDQ(borrowReg, diffReg, diffReg)
	VPSRAQ(imm(63), diffReg, borrowReg)
}

// linear is addition, subtraction, comparison and the last reduction.
func linear() {
	out, x, y, m, k, offset := RDI, RSI, RBX, R8, RCX, R9
	vec := func(base Register) Mem { return Mem{Base: base, Index: offset, Scale: 1} }
	limb := Mem{Base: m, Index: RAX, Scale: 8}
	// subtract sets out -= m in the lanes K1, in place.
	subtract := func(name string, from GPPhysical) {
		zero(borrowReg)
		eachLimb(name, k, offset, func() {
			load(vec(from), diffReg)
			VPSUBQ_BCST(limb, diffReg, K1, diffReg)
			borrowFrom()
			VPANDQ(maskReg, diffReg, diffReg)
			store(diffReg, vec(out))
		})
	}
	params := func(names ...string) {
		for i, r := range []GPPhysical{out, x, y, m, k}[5-len(names):] {
			Load(Param(names[i]), r)
		}
	}

	TEXT("addIFMA", NOSPLIT, "func(z, x, y, m *uint64, k int)")
	Doc("addIFMA is addGeneric.")
	Pragma("noescape")
	params("z", "x", "y", "m", "k")
	loadMask()
	zero(carryReg)
	zero(borrowReg)
	eachLimb("sum", k, offset, func() {
		load(vec(x), sumReg)
		VPADDQ(vec(y), sumReg, sumReg)
		propagate()
		store(sumReg, vec(out))
		VPSUBQ_BCST(limb, sumReg, diffReg)
		borrowFrom()
	})
	VPTESTNMQ(borrowReg, borrowReg, K1)
	subtract("subtract", out)
	VZEROUPPER()
	RET()

	TEXT("subIFMA", NOSPLIT, "func(z, x, y, m *uint64, k int)")
	Doc("subIFMA is subGeneric.")
	Pragma("noescape")
	params("z", "x", "y", "m", "k")
	loadMask()
	zero(borrowReg)
	eachLimb("difference", k, offset, func() {
		load(vec(x), diffReg)
		VPSUBQ(vec(y), diffReg, diffReg)
		borrowFrom()
		VPANDQ(maskReg, diffReg, diffReg)
		store(diffReg, vec(out))
	})
	VPTESTMQ(borrowReg, borrowReg, K1)
	zero(carryReg)
	eachLimb("add", k, offset, func() {
		load(vec(out), sumReg)
		VPADDQ_BCST(limb, sumReg, K1, sumReg)
		propagate()
		store(sumReg, vec(out))
	})
	VZEROUPPER()
	RET()

	below := func(name string) {
		zero(borrowReg)
		eachLimb(name, k, offset, func() {
			load(vec(x), diffReg)
			VPSUBQ_BCST(limb, diffReg, diffReg)
			borrowFrom()
		})
	}

	TEXT("belowIFMA", NOSPLIT, "func(x, m *uint64, k int) uint64")
	Doc("belowIFMA is belowGeneric.")
	Pragma("noescape")
	Load(Param("x"), x)
	Load(Param("m"), m)
	Load(Param("k"), k)
	below("compare")
	VPTESTMQ(borrowReg, borrowReg, K1)
	KMOVB(K1, EAX)
	VZEROUPPER()
	Store(RAX, ReturnIndex(0))
	RET()

	TEXT("canonicalIFMA", NOSPLIT, "func(z, x, m *uint64, k int)")
	Doc("canonicalIFMA is canonicalGeneric.")
	Pragma("noescape")
	Load(Param("z"), out)
	Load(Param("x"), x)
	Load(Param("m"), m)
	Load(Param("k"), k)
	loadMask()
	below("compare")
	VPTESTNMQ(borrowReg, borrowReg, K1)
	subtract("subtract", x)
	VZEROUPPER()
	RET()

	TEXT("normalizeIFMA", NOSPLIT, "func(z, sums *uint64, k int)")
	Doc("normalizeIFMA is normalizeGeneric.")
	Pragma("noescape")
	Load(Param("z"), out)
	Load(Param("sums"), x)
	Load(Param("k"), k)
	loadMask()
	zero(carryReg)
	eachLimb("normalize", k, offset, func() {
		load(vec(x), sumReg)
		propagate()
		store(sumReg, vec(out))
	})
	VZEROUPPER()
	RET()

	TEXT("doubleIFMA", NOSPLIT, "func(z, x *uint64, k int)")
	Doc("doubleIFMA is doubleGeneric.")
	Pragma("noescape")
	Load(Param("z"), out)
	Load(Param("x"), x)
	Load(Param("k"), k)
	loadMask()
	zero(carryReg)
	eachLimb("double", k, offset, func() {
		load(vec(x), sumReg)
		VPSRLQ(imm(51), sumReg, diffReg)
		VPSLLQ(imm(1), sumReg, sumReg)
		VPTERNLOGQ(U8(0xf8), maskReg, sumReg, carryReg) // carry | mask & sum
		store(carryReg, vec(out))
		VMOVDQA64(diffReg, carryReg)
	})
	VZEROUPPER()
	RET()
}
