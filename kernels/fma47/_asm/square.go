package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// square emits t = x², with the products of different limbs taken once, from 2x.
func square() {
	end := text("square", "func(t, x, twice, constants *float64, n int)", "square"+v.suffix+" is squareGeneric.")
	t, x, twice, n := RDI, RSI, RDX, RCX
	b := numbers{base: R9}
	count, high, rest := RBX, R12, R13
	Load(Param("t"), t)
	Load(Param("x"), x)
	Load(Param("twice"), twice)
	Load(Param("constants"), constants)
	Load(Param("n"), n)

	MOVQ(n, count)
	XORQ(RAX, RAX)
	double := label("double")
	Label(double)
	for i := range 2 {
		VMOVAPD(Mem{Base: x, Index: RAX, Scale: 1, Disp: i * v.bytes}, v.regs[i])
		VADDPD(v.regs[i], v.regs[i], v.regs[i])
		VMOVAPD(v.regs[i], Mem{Base: twice, Index: RAX, Scale: 1, Disp: i * v.bytes})
	}
	ADDQ(imm(2*v.bytes), RAX)
	SUBQ(imm(2), count)
	JNZ(LabelRef(double))

	zero(carry())
	lowLoop, highLoop, afterUpper, aligned, cut, corner, finish, last := label("low"), label("high"), label("afterUpper"),
		label("aligned"), label("cut"), label("corner"), label("finish"), label("last")

	// Groups of columns below n; count is the group, rest is -1 there.
	XORQ(count, count)
	MOVQ(I32(-1), rest)
	Label(lowLoop)
	start(t, false, false)
	MOVQ(twice, multiplier.base)
	MOVQ(count, b.base)
	SHLQ(imm(v.shift+2), b.base)
	ADDQ(x, b.base)
	MOVQ(count, blocks)
	SHRQ(imm(1), blocks)
	window(b)
	fullBlocks(b)
	TESTQ(imm32(1), count)
	JNZ(LabelRef(cut))
	JMP(LabelRef(aligned))

	// Groups from n on. rest is the distance from the first full row to the middle of the columns.
	Label(highLoop)
	start(t, false, false)
	MOVQ(high, multiplier.base)
	MOVQ(n, b.base)
	SHLQ(imm(v.shift), b.base)
	LEAQ(Mem{Base: x, Index: b.base, Scale: 1, Disp: -4 * v.bytes}, b.base)
	CMPQ(rest, I32(-2))
	JE(LabelRef(corner))
	window(b)
	upper(1)
	Label(afterUpper)
	multiplier.advance(4)
	MOVQ(rest, blocks)
	SHRQ(imm(2), blocks)
	fullBlocks(b)
	TESTQ(imm32(2), rest)
	JNZ(LabelRef(cut))

	// The middle of the columns is at the beginning of a block.
	Label(aligned)
	for s := range 4 {
		b.load(s, win(s))
	}
	multiplier.load(0, limb())
	terms(term{3, 3}, term{2, 2}, term{1, 1})
	multiplier.load(1, limb())
	terms(term{3, 2})
	VMOVAPD(win(0), limb())
	terms(term{0, 0})
	VMOVAPD(win(1), limb())
	terms(term{2, 1})
	JMP(LabelRef(finish))

	// It is in the middle of a block.
	Label(cut)
	lower(b)
	Label(corner)
	MOVQ(multiplier.base, b.base)
	SUBQ(twice, b.base)
	ADDQ(x, b.base)
	window(b)
	multiplier.load(1, limb())
	terms(term{0, 3})
	multiplier.load(2, limb())
	terms(term{1, 3})
	VMOVAPD(win(2), limb())
	terms(term{0, 2})
	VMOVAPD(win(3), limb())
	terms(term{2, 3})

	Label(finish)
	CMPQ(rest, I32(-2))
	JE(LabelRef(last))
	normalize(-1)
	store(t, 4)
	ADDQ(imm(4*v.bytes), t)
	INCQ(count)
	MOVQ(n, RAX)
	SHRQ(imm(2), RAX)
	CMPQ(count, RAX)
	JL(LabelRef(lowLoop))
	first := label("first")
	JE(LabelRef(first))
	ADDQ(imm(4*v.bytes), high)
	SUBQ(imm(2), rest)
	JMP(LabelRef(highLoop))

	// The first group from n on, or, when n is 2 modulo 4, the one in the middle.
	Label(first)
	MOVQ(twice, high)
	MOVQ(n, rest)
	SHRQ(imm(1), rest)
	SUBQ(imm(4), rest)
	TESTQ(imm32(2), n)
	JZ(LabelRef(highLoop))
	INCQ(rest)
	SUBQ(imm(2*v.bytes), high)
	start(t, false, false)
	MOVQ(high, multiplier.base)
	MOVQ(n, b.base)
	SHLQ(imm(v.shift), b.base)
	LEAQ(Mem{Base: x, Index: b.base, Scale: 1, Disp: -4 * v.bytes}, b.base)
	window(b)
	upper(2)
	JMP(LabelRef(afterUpper))

	Label(last)
	normalize(3)
	store(t, 4)
	end()
}
