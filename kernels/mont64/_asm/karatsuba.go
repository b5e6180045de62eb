package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// difference subtracts, then complements under a mask and adds one.
func difference() {
	TEXT("differenceADX", NOSPLIT, "func(z, x, y *uint64, n int) uint64")
	Doc("differenceADX sets z = |x-y|, n words each, for a multiple n of 8, and returns all ones when x < y and 0 otherwise. z",
		"overlaps neither.")
	Pragma("noescape")
	z, x, y, count := RDI, RSI, RDX, RCX
	Load(Param("z"), z)
	Load(Param("x"), x)
	Load(Param("y"), y)
	Load(Param("n"), count)
	SHRQ(imm(3), count) // and no borrow
	Label("subtract")
	for i := range block {
		MOVQ(word(x, i), RAX)
		SBBQ(word(y, i), RAX)
		MOVQ(RAX, word(z, i))
	}
	advance(z, x, y)
	DECQ(count)
	JNZ(LabelRef("subtract"))
	mask, carry, values := RSI, RDX, newWindow()
	SBBQ(mask, mask)
	Store(mask, ReturnIndex(0))

	Load(Param("z"), z)
	Load(Param("n"), count)
	MOVQ(mask, carry)
	Label("complement")
	for i, v := range values {
		MOVQ(word(z, i), v)
		XORQ(mask, v)
	}
	NEGQ(carry) // to the flag
	for i, v := range values {
		ADCQ(imm(0), v)
		MOVQ(v, word(z, i))
	}
	SBBQ(carry, carry)
	advance(z)
	SUBQ(imm(block), count)
	JNZ(LabelRef("complement"))
	RET()
}

// middle makes the middle term in the place of d, in two chains, and adds it to t.
func middle() {
	TEXT("middleADX", NOSPLIT, "func(t, d *uint64, mask uint64, n int)")
	Doc("middleADX adds (t0 + t1 ± d)·2^(32n) to the 2n words t = t0 + t1·2^(64n), for n words d and a multiple n of 16: minus d",
		"when the mask is all ones, plus d when it is 0. The sum in brackets is not negative, the result fits 2n words; d is spoilt.")
	Pragma("noescape")
	t, d, mask, size, count := RDI, RSI, RBX, RCX, RDX
	chains := carries{R8, R9}
	values := []GPPhysical{R10, R11, R12, R13}
	Load(Param("t"), t)
	Load(Param("d"), d)
	Load(Param("mask"), mask)
	Load(Param("n"), count)
	MOVQ(count, size)
	SHLQ(imm(3), size)
	// -d is the complement of d and one.
	XORL(chains[0].As32(), chains[0].As32())
	MOVQ(mask, chains[1])
	NEGQ(chains[1])
	Label("make")
	for i, v := range values {
		MOVQ(word(d, i), v)
		XORQ(mask, v)
	}
	chains.restore()
	for i, v := range values {
		MOVQ(word(t, i), RAX)
		ADCXQ(Mem{Base: t, Index: size, Scale: 1, Disp: 8 * i}, RAX)
		ADOXQ(RAX, v)
		MOVQ(v, word(d, i))
	}
	chains.save()
	ADDQ(imm(8*len(values)), t)
	ADDQ(imm(8*len(values)), d)
	SUBQ(imm(len(values)), count)
	JNZ(LabelRef("make"))
	top := mask
	ADDQ(chains[0], top)
	ADDQ(chains[1], top)

	// from word n/2 of t on
	SUBQ(size, d)
	SHRQ(imm(1), size)
	SUBQ(size, t)
	Load(Param("n"), count)
	SHRQ(imm(3), count) // and no carry
	Label("add")
	for i := range block {
		MOVQ(word(d, i), RAX)
		ADCQ(RAX, word(t, i))
	}
	advance(d, t)
	DECQ(count)
	JNZ(LabelRef("add"))
	ADCQ(imm(0), top)
	Load(Param("n"), count)
	SHRQ(imm(4), count) // and no carry
	Label("carry")
	ADCQ(top, word(t, 0))
	MOVQ(U32(0), top)
	for i := 1; i < block; i++ {
		ADCQ(imm(0), word(t, i))
	}
	advance(t)
	DECQ(count)
	JNZ(LabelRef("carry"))
	RET()
}

// carries are registers that keep the two carries, of ADCX and of ADOX, as 0 or 1.
type carries [2]GPPhysical

// restore sets the flags, by adding all ones. It destroys RAX.
func (c carries) restore() {
	MOVQ(I32(-1), RAX)
	TESTQ(RAX, RAX) // clears both flags
	ADCXQ(RAX, c[0])
	ADOXQ(RAX, c[1])
}

// save is the reverse. It destroys RAX.
func (c carries) save() {
	MOVQ(U32(0), RAX)
	for _, r := range c {
		MOVQ(RAX, r)
	}
	ADCXQ(RAX, c[0])
	ADOXQ(RAX, c[1])
}

// advance moves pointers on by a block and leaves the flags alone, as DEC does with the carry.
func advance(pointers ...GPPhysical) {
	for _, p := range pointers {
		LEAQ(word(p, block), p)
	}
}
