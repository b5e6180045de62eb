package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// reduce emits Montgomery's reduction, or that of the second number of a pair.
func reduce(pair bool) {
	var end func()
	if pair {
		end = text("reducePair", "func(z, t, q, quotient, multiple, m, constants *float64, n int)",
			"reducePair"+v.suffix+" is reducePairGeneric.")
	} else {
		end = text("reduce", "func(z, t, q, multiple, m, constants *float64, n int)", "reduce"+v.suffix+" is reduceGeneric.")
	}
	z, t, q, n := RDI, RSI, RDX, RCX
	b := numbers{base: R9, spread: true}
	count := RBX
	out, multiple := R12, R14 // where digits of q go; the multiple of m
	group := R13              // where the group begins in multiple
	m := R15                  // later; the quotient before
	quotient := R15
	Load(Param("t"), t)
	Load(Param("q"), q)
	Load(Param("multiple"), multiple)
	if pair {
		Load(Param("quotient"), quotient)
	}
	Load(Param("constants"), constants)
	Load(Param("n"), n)
	zero(carry())
	// Columns begin 2 before the first when n is 2 modulo 4.
	bytesOff := func(to GPPhysical) {
		MOVQ(n, to)
		ANDQ(imm(2), to)
		SHLQ(imm(v.shift), to)
	}
	bytesOff(RAX)
	SUBQ(RAX, t)

	// quotientRows subtracts the product of 4 digits of the quotient by its first numbers, and of the 4 before.
	quotientRows := func(unit GPPhysical) {
		if unit == nil {
			LEAQ(word(constants, constNegK), b.base)
		} else {
			MOVQ(unit, b.base)
		}
		MOVQ(quotient, multiplier.base)
		window(b)
		lower(b)
	}

	start(t, true, pair)
	if pair {
		quotientRows(nil)
	}
	normalize(-1)
	store(q, 4)
	LEAQ(at(q, 4), out)

	// count is the number of full blocks of the group, -1 for the first when n is 2 modulo 4.
	bytesOff(RAX)
	SHRQ(imm(v.shift+1), RAX)
	XORQ(count, count)
	SUBQ(RAX, count)
	MOVQ(multiple, group)
	SHLQ(imm(4), RAX)
	SUBQ(RAX, group)
	lowLoop, noBlocks := label("low"), label("noBlocks")
	Label(lowLoop)
	ADDQ(imm(4*v.bytes), t)
	start(t, true, pair)
	if pair {
		MOVQ(quotient, multiplier.base)
		LEAQ(word(constants, constNegK), b.base)
		window(b)
		upper(1)
		ADDQ(imm(4*v.bytes), quotient)
		// The last 4 digits of the quotient are its own.
		LEAQ(word(constants, constNegK), R10)
		LEAQ(word(constants, constUnit), R11)
		lastGroup(n, out, q, RAX)
		CMOVQEQ(R11, R10)
		quotientRows(R10)
	}
	TESTQ(count, count)
	JS(LabelRef(noBlocks))
	bytesOff(multiplier.base)
	ADDQ(q, multiplier.base)
	MOVQ(group, b.base)
	MOVQ(count, blocks)
	window(b)
	fullBlocks(b)
	TESTQ(imm32(2), n)
	JZ(LabelRef(noBlocks))
	fullRow(b, 0)
	fullRow(b, 1)
	Label(noBlocks)
	LEAQ(at(out, -4), multiplier.base)
	MOVQ(multiple, b.base)
	window(b)
	lower(b)
	normalize(-1)
	store(out, 4)
	lastGroup(n, out, q, RAX)
	LEAQ(at(out, 4), out)
	LEAQ(word(group, 4), group)
	LEAQ(Mem{Base: count, Disp: 1}, count)
	JNE(LabelRef(lowLoop))

	// The last block of digits t is cleared by m itself: q = t·k modulo the radix^4, then t + q·m.
	SUBQ(imm(4*v.bytes), out)
	store4 := func(i int) {
		for k := range 4 {
			VMOVAPD(lo(k), at(out, i+k))
		}
	}
	store4(4)
	VMOVAPD(carry(), at(out, 8))
	start(nil, false, false)
	MOVQ(out, multiplier.base)
	LEAQ(word(constants, constK), b.base)
	window(b)
	lower(b)
	zero(carry())
	normalize(-1)
	store4(0)
	Load(Param("m"), m)
	LEAQ(at(out, 4), RAX)
	start(RAX, true, false)
	MOVQ(out, multiplier.base)
	MOVQ(m, b.base)
	window(b)
	lower(b)
	s := tmp(0)
	VBROADCASTSD(word(constants, constC), limb())
	VBROADCASTSD(word(constants, constS), s)
	for k := range 4 {
		VSUBPD(limb(), hi(k), hi(k))
	}
	for k := 1; k < 4; k++ {
		VFMADD231PD(hi(k-1), s, lo(k))
	}
	for k := 1; k < 4; k++ {
		VFMADD231PD(lo(k-1), s, lo(k))
	}
	VMOVAPD(at(out, 8), carry())
	VADDPD(hi(3), lo(3), lo(3))
	VFMADD231PD(lo(3), s, carry())

	// Columns of the result. group: the last 4 numbers of the multiple.
	Load(Param("z"), z)
	LEAQ(Mem{Base: multiple, Index: n, Scale: 8, Disp: -4 * 8}, group)
	from := R14 // where rows begin in q, after those that are cut off
	bytesOff(from)
	ADDQ(q, from)
	LEAQ(word(m, 4), m)
	highLoop, begin, last, corner, done := label("high"), label("begin"), label("last"), label("corner"), label("done")
	ADDQ(imm(4*v.bytes), t)
	start(t, true, pair)
	MOVQ(from, multiplier.base)
	MOVQ(group, b.base)
	window(b)
	JMP(LabelRef(begin))
	Label(highLoop)
	start(t, true, pair)
	MOVQ(from, multiplier.base)
	MOVQ(group, b.base)
	window(b)
	upper(1)
	multiplier.advance(4)
	ADDQ(imm(4*v.bytes), from)
	Label(begin)
	MOVQ(count, blocks)
	fullBlocks(b)
	TESTQ(imm32(2), n)
	skip := label("skip")
	JZ(LabelRef(skip))
	fullRow(b, 0)
	fullRow(b, 1)
	Label(skip)
	MOVQ(out, multiplier.base)
	MOVQ(m, b.base)
	window(b)
	full(b)
	LEAQ(word(m, 4), m)
	ADDQ(imm(4*v.bytes), t)
	TESTQ(count, count)
	JZ(LabelRef(last))
	normalize(-1)
	store(z, 4)
	ADDQ(imm(4*v.bytes), z)
	DECQ(count)
	JMP(LabelRef(highLoop))

	Label(last)
	TESTQ(imm32(2), n)
	JNZ(LabelRef(corner))
	normalize(3)
	store(z, 4)
	JMP(LabelRef(done))

	// When n is 2 modulo 4, a group of 2 columns is left, which the last limbs of the multiple and of m reach.
	Label(corner)
	normalize(-1)
	store(z, 4)
	ADDQ(imm(4*v.bytes), z)
	VBROADCASTSD(word(constants, constC), hi(0))
	if pair {
		VBROADCASTSD(word(constants, constScale), limb())
		VMULPD(at(t, 0), limb(), lo(0))
		VMULPD(at(t, 1), limb(), lo(1))
	} else {
		VMOVAPD(at(t, 0), lo(0))
		VMOVAPD(at(t, 1), lo(1))
	}
	VMOVAPD(hi(0), hi(1))
	VMOVAPD(at(out, -1), limb())
	VBROADCASTSD(word(group, 3), win(0))
	terms(term{0, 0})
	VMOVAPD(at(out, 3), limb())
	VBROADCASTSD(word(m, -3), win(0))
	terms(term{0, 0})
	normalize(1)
	store(z, 2)
	Label(done)
	end()
}

// lastGroup compares the group that goes to out with the last one below n. It changes t.
func lastGroup(n, out, q, t GPPhysical) {
	// out = q + (4(G-1))·vector, where 4G is n rounded up
	LEAQ(Mem{Base: n, Disp: 2 - 4}, t)
	ANDQ(I32(-4), t)
	SHLQ(imm(v.shift), t)
	ADDQ(q, t)
	CMPQ(out, t)
}
