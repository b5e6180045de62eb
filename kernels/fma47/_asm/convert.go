package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Integers become doubles and back by the bits of numbers whose last place is 1.
const (
	bits52    = 0x4330000000000000 // of 2^52
	bitsMagic = 0x4338000000000000 // of 1.5·2^52
)

// convert changes between rows (values one after the other, bytes or words) and limbs.
func convert() {
	fromRows("fromBytes", true)
	fromRows("fromWords", false)
	canonical()
	toRows("toBytes", true)
	toRows("toWords", false)
}

// reverse turns the bytes of each word around.
var reverse Mem

func x(i int) VecPhysical { return v.regs[i].(Vec).AsX().(VecPhysical) }

// constant sets all lanes of r to a word, by t and register i.
func constant(word uint64, t GPPhysical, i int) {
	MOVQ(U64(word), t)
	spreadWord(t, i)
}

// spreadWord sets all lanes of register i to t.
func spreadWord(t GPPhysical, i int) {
	VMOVQ(t, x(i))
	VPBROADCASTQ(x(i), v.regs[i])
}

// rowAt is 8 bytes of row l.
func rowAt(base, stride, stride3 Register, l int) Mem {
	switch l {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: stride3, Scale: 1}
	default:
		return Mem{Base: base, Index: stride, Scale: uint8(l)}
	}
}

func fromRows(name string, bigEndian bool) {
	signature, doc := "func(z *float64, be *byte, m *uint64, constants *float64, size, n, w int) (below uint64)", "."
	if !bigEndian {
		signature, doc = "func(z *float64, words *uint64, constants *float64, size, bit, n, w int)", ", for values of size bytes."
	}
	end := text(name, signature, name+v.suffix+" is "+name+"Generic"+doc+" size is 8 or more.")
	out, row, stride, stride3, m, n, w, bit, most := RDI, RSI, RCX, RBX, RDX, R9, R10, R11, R12
	p, at8 := RAX, R13
	Load(Param("z"), out)
	if bigEndian {
		Load(Param("be"), row)
		Load(Param("m"), m)
		XORQ(bit, bit)
	} else {
		Load(Param("words"), row)
		Load(Param("bit"), bit)
	}
	Load(Param("constants"), constants)
	Load(Param("size"), stride)
	Load(Param("n"), n)
	Load(Param("w"), w)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	LEAQ(Mem{Base: stride, Disp: -8}, most)
	if bigEndian {
		ADDQ(most, row)
	}
	const field, upper, shift, mask, one52, d, s, carry, borrow, taken, swap, limbs = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	r := func(i int) VecPhysical { return v.regs[i] }
	MOVQ(I32(-1), p)
	spreadWord(p, mask)
	MOVQ(U32(64), p)
	SUBQ(w, p)
	VMOVQ(p, x(shift))
	VPSRLQ(x(shift), r(mask), r(mask))
	constant(bits52, p, one52)
	VBROADCASTSD(word(constants, constD), r(d))
	VBROADCASTSD(word(constants, constS), r(s))
	if bigEndian {
		VMOVDQU(reverse, r(swap))
		VPXOR(r(borrow), r(borrow), r(borrow))
	}
	VPXOR(r(carry), r(carry), r(carry))
	loop, last := label("limb"), label("top")
	Label(loop)
	// The 8 bytes that hold the field, or the last ones; and how far to shift them.
	MOVQ(bit, p)
	SHRQ(imm(3), p)
	CMPQ(p, most)
	CMOVQGT(most, p)
	MOVQ(bit, at8)
	SHLQ(imm(3), p)
	SUBQ(p, at8)
	SHRQ(imm(3), p)
	VMOVQ(at8, x(shift))
	if bigEndian {
		NEGQ(p)
	}
	ADDQ(row, p)
	VMOVQ(rowAt(p, stride, stride3, 0), x(field))
	VPINSRQ(imm(1), rowAt(p, stride, stride3, 1), x(field), x(field))
	VMOVQ(rowAt(p, stride, stride3, 2), x(upper))
	VPINSRQ(imm(1), rowAt(p, stride, stride3, 3), x(upper), x(upper))
	VINSERTI128(imm(1), x(upper), r(field), r(field))
	if bigEndian {
		VPSHUFB(r(swap), r(field), r(field))
	}
	VPSRLQ(x(shift), r(field), r(field))
	VPAND(r(mask), r(field), r(field))
	if bigEndian {
		VPBROADCASTQ(Mem{Base: m}, r(limbs))
		ADDQ(imm(8), m)
		VPSUBQ(r(limbs), r(field), r(limbs))
		VPSUBQ(r(borrow), r(limbs), r(limbs))
		VPSRLQ(imm(63), r(limbs), r(borrow))
	}
	VPOR(r(one52), r(field), r(field))
	VSUBPD(r(one52), r(field), r(field))
	DECQ(n)
	JZ(LabelRef(last))
	VADDPD(r(d), r(field), r(taken))
	VSUBPD(r(d), r(taken), r(taken))
	VSUBPD(r(taken), r(field), r(field))
	VADDPD(r(carry), r(field), r(field))
	VMULPD(r(s), r(taken), r(carry))
	VMOVAPD(r(field), at(out, 0))
	ADDQ(imm(v.bytes), out)
	ADDQ(w, bit)
	JMP(LabelRef(loop))
	Label(last)
	VADDPD(r(carry), r(field), r(field))
	VMOVAPD(r(field), at(out, 0))
	if bigEndian {
		VPSLLQ(imm(63), r(borrow), r(borrow))
		VMOVMSKPD(r(borrow), EAX)
		Store(RAX, Return("below"))
	}
	end()
}

// canonical goes through the limbs twice: carries, and the modulus where the number is negative.
func canonical() {
	end := text("canonical", "func(z *uint64, x *float64, m *uint64, n, w int)", "canonical"+v.suffix+" is canonicalGeneric.")
	out, in, m, n, w, p := RDI, RSI, RDX, RCX, R9, RAX
	Load(Param("z"), out)
	Load(Param("x"), in)
	Load(Param("m"), m)
	Load(Param("n"), n)
	Load(Param("w"), w)
	const value, carry, shift, mask, magic, bias, biasCarry, negative, t = 0, 1, 2, 3, 4, 5, 6, 7, 8
	r := func(i int) VecPhysical { return v.regs[i] }
	MOVQ(I32(-1), p)
	spreadWord(p, mask)
	MOVQ(U32(64), p)
	SUBQ(w, p)
	VMOVQ(p, x(shift))
	VPSRLQ(x(shift), r(mask), r(mask))
	VMOVQ(w, x(shift))
	constant(bitsMagic, p, magic)
	constant(1<<62, p, bias) // makes an arithmetic shift of a logical one
	VPSRLQ(x(shift), r(bias), r(biasCarry))
	VPXOR(r(carry), r(carry), r(carry))
	XORQ(p, p)
	carries, subtract := label("carry"), label("add")
	each := func(name string, body func()) {
		XORQ(p, p)
		Label(name)
		body()
		INCQ(p)
		ADDQ(imm(v.bytes), out)
		CMPQ(p, n)
		JNE(LabelRef(name))
	}
	each(carries, func() {
		VMOVAPD(at(in, 0), r(value))
		ADDQ(imm(v.bytes), in)
		VADDPD(r(magic), r(value), r(value))
		VPSUBQ(r(magic), r(value), r(value))
		VPADDQ(r(carry), r(value), r(value))
		VPADDQ(r(bias), r(value), r(carry))
		VPSRLQ(x(shift), r(carry), r(carry))
		VPSUBQ(r(biasCarry), r(carry), r(carry))
		VPAND(r(mask), r(value), r(value))
		VMOVDQA(r(value), at(out, 0))
	})
	VPXOR(r(t), r(t), r(t))
	VPCMPGTQ(r(carry), r(t), r(negative))
	VPXOR(r(carry), r(carry), r(carry))
	Load(Param("z"), out)
	each(subtract, func() {
		VPBROADCASTQ(Mem{Base: m, Index: p, Scale: 8}, r(value))
		VPAND(r(negative), r(value), r(value))
		VPADDQ(at(out, 0), r(value), r(value))
		VPADDQ(r(carry), r(value), r(value))
		VPSRLQ(x(shift), r(value), r(carry))
		VPAND(r(mask), r(value), r(value))
		VMOVDQA(r(value), at(out, 0))
	})
	end()
}

// toRows fills words of 64 bits of all rows with fields.
func toRows(name string, bigEndian bool) {
	signature := "func(be *byte, x *uint64, size, n, w int)"
	param := "be"
	if !bigEndian {
		signature, param = "func(words, x *uint64, size, n, w int)", "words"
	}
	end := text(name, signature, name+v.suffix+" is "+name+"Generic, for values of size bytes, a multiple of 8.")
	row, in, stride, stride3, n, w, have, left, p := RDI, RSI, RCX, RBX, R9, R10, R11, R12, RAX
	Load(Param(param), row)
	Load(Param("x"), in)
	Load(Param("size"), stride)
	Load(Param("n"), n)
	Load(Param("w"), w)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	MOVQ(stride, left)
	if bigEndian {
		LEAQ(Mem{Base: row, Index: stride, Scale: 1, Disp: -8}, row)
	}
	const field, sum, shift, out, upper, swap = 0, 1, 2, 3, 4, 5
	r := func(i int) VecPhysical { return v.regs[i] }
	if bigEndian {
		VMOVDQU(reverse, r(swap))
	}
	VPXOR(r(sum), r(sum), r(sum))
	XORQ(have, have)
	loop, exhausted, loaded, done := label("limb"), label("exhausted"), label("loaded"), label("done")
	Label(loop)
	DECQ(n)
	JS(LabelRef(exhausted))
	VMOVDQA(at(in, 0), r(field))
	ADDQ(imm(v.bytes), in)
	JMP(LabelRef(loaded))
	Label(exhausted)
	VPXOR(r(field), r(field), r(field))
	Label(loaded)
	VMOVQ(have, x(shift))
	VPSLLQ(x(shift), r(field), r(out))
	VPOR(r(out), r(sum), r(sum))
	ADDQ(w, have)
	CMPQ(have, imm(64))
	JL(LabelRef(loop))
	SUBQ(imm(64), have)
	if bigEndian {
		VPSHUFB(r(swap), r(sum), r(out))
	} else {
		VMOVDQA(r(sum), r(out))
	}
	VMOVQ(x(out), rowAt(row, stride, stride3, 0))
	VPEXTRQ(imm(1), x(out), rowAt(row, stride, stride3, 1))
	VEXTRACTI128(imm(1), r(out), x(upper))
	VMOVQ(x(upper), rowAt(row, stride, stride3, 2))
	VPEXTRQ(imm(1), x(upper), rowAt(row, stride, stride3, 3))
	SUBQ(imm(8), left)
	JZ(LabelRef(done))
	if bigEndian {
		SUBQ(imm(8), row)
	} else {
		ADDQ(imm(8), row)
	}
	// What the word did not hold.
	MOVQ(w, p)
	SUBQ(have, p)
	VMOVQ(p, x(shift))
	VPSRLQ(x(shift), r(field), r(sum))
	JMP(LabelRef(loop))
	Label(done)
	end()
}
