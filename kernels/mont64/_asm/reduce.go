package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// reduce clears one block of t after the other by adding multiples of m. The multiples of a block take the place of the
// words they clear.
func reduce() {
	TEXT("reduce"+order, NOSPLIT, "func(z, t, m *uint64, inv uint64, n int) uint64")
	Doc("reduce"+order+" sets z = t·R⁻¹ mod m, R = 2^(64n), for t < m·R of 2n words and inv = -m⁻¹ mod 2^64, for a multiple n",
		"of 8: t + q·m = u·R, q < R, and z is u or, when that is not below m, u-m. It returns 1 for the latter and 0 otherwise,",
		"and leaves q in the first n words of t. For t that is not below m·R, z is below R. z overlaps neither t nor m.", orderDoc())
	Pragma("noescape")
	low, multiples := local(), local()
	rows, blocks, size, carry := AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	Load(Param("t"), sums)
	Load(Param("m"), RAX)
	copyBlock(low, RAX)
	Load(Param("n"), RCX)
	SHLQ(imm(3), RCX)
	MOVQ(RCX, size)
	SHRQ(imm(6), RCX)
	MOVQ(RCX, blocks)
	XORL(EAX, EAX)
	MOVQ(RAX, carry)

	w := newWindow()
	Label("block")
	w.clear()
	for i := range block {
		begin(w[0], i)
		Load(Param("inv"), factor)
		MULXQ(w[0], factor, temps[0])
		MOVQ(factor, multiples[i])
		MOVQ(factor, word(sums, i))          // where the sum is 0 now
		products(low, w[:], w[0], func() {}) // w[0] is 0
		w.next()
	}
	// the block's multiples of the rest of m
	Load(Param("m"), offset)
	SUBQ(sums, offset)
	ADDQ(imm(8*block), sums)
	Load(Param("n"), RCX)
	SHRQ(imm(3), RCX)
	SUBQ(imm(1), RCX)
	JZ(LabelRef("end"))
	MOVQ(RCX, rows)
	w.rows(rows, multiples)
	Label("end")
	MOVQ(carry, RAX)
	NEGQ(RAX) // to the flag
	for i, r := range w {
		ADCQ(word(sums, i), r)
		MOVQ(r, word(sums, i))
	}
	SBBQ(RAX, RAX)
	NEGQ(RAX)
	MOVQ(RAX, carry)
	SUBQ(size, sums)
	ADDQ(imm(8*block), sums)
	SUBQ(imm(1), blocks)
	JNZ(LabelRef("block"))

	// sums is now at word n of t, of which the rest and the carry are below 2m.
	reduceOnce(carry)
	RET()
}

// reduceOnce sets z to the n words at sums with the carry above, less m when they are not below it.
func reduceOnce(carry Mem) {
	z, count, pm := RSI, RCX, RDX
	Load(Param("z"), z)
	Load(Param("m"), pm)
	Load(Param("n"), count)
	SHRQ(imm(3), count) // and no borrow
	Label("subtract")
	for i := range block {
		MOVQ(word(sums, i), RAX)
		SBBQ(word(pm, i), RAX)
		MOVQ(RAX, word(z, i))
	}
	advance(sums, pm, z)
	DECQ(count)
	JNZ(LabelRef("subtract"))
	// The difference counts when it is not negative, that is when there is no borrow from the carry: keep is then 0.
	keep := RAX
	MOVQ(carry, keep)
	SBBQ(imm(0), keep)
	over := RBX
	LEAQ(Mem{Base: keep, Disp: 1}, over)
	Store(over, ReturnIndex(0))

	MOVQ(keep, X0)
	PUNPCKLQDQ(X0, X0)
	Load(Param("n"), count)
	SHLQ(imm(3), count)
	SUBQ(count, sums)
	SUBQ(count, z)
	Label("select")
	for i := range block / 2 {
		at := func(base Register) Mem { return Mem{Base: base, Disp: 16 * i} }
		MOVUPS(at(sums), X1)
		PAND(X0, X1)
		MOVOU(X0, X2)
		MOVUPS(at(z), X3)
		PANDN(X3, X2)
		POR(X1, X2)
		MOVUPS(X2, at(z))
	}
	ADDQ(imm(8*block), sums)
	ADDQ(imm(8*block), z)
	SUBQ(imm(8*block), count)
	JNZ(LabelRef("select"))
}
