package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// product emits t = x·y, t += x·y, or t = x·y + u·w.
func product(name string, add, two bool) {
	signature := "func(t, x, y, constants *float64, n int)"
	if two {
		signature = "func(t, x, y, u, w, constants *float64, n int)"
	}
	end := text(name, signature, name+v.suffix+" is "+name+"Generic.")
	t, x, y, n := RDI, RSI, RDX, RCX
	b := numbers{base: R9}
	low, high := R13, R12 // of y, of x: where a group begins
	count := RBX
	toU, toW := R14, R15 // distances
	Load(Param("t"), t)
	Load(Param("x"), x)
	Load(Param("y"), y)
	if two {
		Load(Param("u"), toU)
		Load(Param("w"), toW)
		SUBQ(x, toU)
		SUBQ(y, toW)
	}
	Load(Param("constants"), constants)
	Load(Param("n"), n)
	zero(carry())

	// each emits a part of a group, for each of the products.
	each := func(from, y GPPhysical, part func()) {
		MOVQ(from, multiplier.base)
		MOVQ(y, b.base)
		MOVQ(count, blocks)
		part()
		if two {
			flush()
			LEAQ(Mem{Base: from, Index: toU, Scale: 1}, multiplier.base)
			LEAQ(Mem{Base: y, Index: toW, Scale: 1}, b.base)
			MOVQ(count, blocks)
			part()
		}
	}

	// Groups of columns below n.
	groups := multiplier.base // reused within a group
	XORQ(count, count)
	MOVQ(y, low)
	lowLoop := label("low")
	Label(lowLoop)
	start(t, add, false)
	each(x, low, func() {
		window(b)
		fullBlocks(b)
		lower(b)
	})
	normalize(-1)
	store(t, 4)
	ADDQ(imm(4*v.bytes), t)
	ADDQ(imm(4*v.bytes), low)
	INCQ(count)
	MOVQ(n, groups)
	SHRQ(imm(2), groups)
	CMPQ(count, groups)
	JNE(LabelRef(lowLoop))

	// low: the last 4 limbs of y.
	MOVQ(n, low)
	SHLQ(imm(v.shift), low)
	LEAQ(Mem{Base: y, Index: low, Scale: 1, Disp: -4 * v.bytes}, low)
	DECQ(count)
	MOVQ(x, high)
	highLoop, last := label("high"), label("last")
	TESTQ(imm32(2), n)
	JZ(LabelRef(highLoop))

	// The group in the middle when n is 2 modulo 4: rows 0 and 1 are cut off above, the last row below.
	SUBQ(imm(2*v.bytes), high)
	start(t, add, false)
	each(high, low, func() {
		window(b)
		upper(2)
		multiplier.advance(4)
		fullBlocks(b)
		for r := range 3 {
			fullRow(b, r)
		}
		multiplier.load(3, limb())
		terms(term{3, 0}, term{2, -1}, term{1, -2})
	})
	normalize(-1)
	store(t, 4)
	ADDQ(imm(4*v.bytes), t)
	ADDQ(imm(4*v.bytes), high)

	Label(highLoop)
	start(t, add, false)
	each(high, low, func() {
		window(b)
		upper(1)
		multiplier.advance(4)
		fullBlocks(b)
	})
	TESTQ(count, count)
	JZ(LabelRef(last))
	normalize(-1)
	store(t, 4)
	ADDQ(imm(4*v.bytes), t)
	ADDQ(imm(4*v.bytes), high)
	DECQ(count)
	JMP(LabelRef(highLoop))
	Label(last)
	normalize(3)
	store(t, 4)
	end()
}

func imm32(n int) Op { return U32(uint32(n)) }
