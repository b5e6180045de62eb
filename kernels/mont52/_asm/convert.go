package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// blockBytes is the size of a block: 8 limbs of 52 bits.
const blockBytes = 52

// bytesTable puts 64 bytes into the read-only data.
func bytesTable(name string, f func(i int) int) Mem {
	ref := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 64 {
		DATA(i, U8(uint8(f(i))))
	}
	return ref
}

// convert changes between rows (values one after the other) and groups. It handles blocks of 8 limbs, which begin at whole
// bytes: row l of a block in vector l, its limbs spread to words, and 8x8 words transposed.
func convert() {
	// Limb j of a block begins in byte 13j/2, at bit 4 of it when j is odd.
	limbByte := func(i int) int { return min(13*(i/8)/2+i%8, blockBytes-1) }
	reversed := func(f func(int) int) func(int) int { return func(i int) int { return blockBytes - 1 - f(i) } }
	expandLE := bytesTable("expandLE", limbByte)
	expandBE := bytesTable("expandBE", reversed(limbByte))
	shifts := bytesTable("oddShift", func(i int) int {
		if i%16 == 8 {
			return 4
		}
		return 0
	})
	// Two limbs make 13 bytes: 7 of the even one, of which the last shares a byte with the first of the odd
	// one, shifted left by 4.
	main := func(i int) int {
		if i %= blockBytes; i%13 < 7 {
			return i/13*16 + i%13
		} else {
			return i/13*16 + 8 + i%13 - 6
		}
	}
	shared := func(i int) int { return min(i, blockBytes-1)/13*16 + 8 }
	fromEnd := func(f func(int) int) func(int) int {
		return func(i int) int { return f(blockBytes - 1 - min(i, blockBytes-1)) }
	}
	compactLE := bytesTable("compactLE", main)
	compactBE := bytesTable("compactBE", fromEnd(main))
	sharedLE := bytesTable("sharedLE", shared)
	sharedBE := bytesTable("sharedBE", fromEnd(shared))
	var sharedAt uint64
	for p := range 4 {
		sharedAt |= 1 << (13*p + 6)
	}
	var sharedAtBE uint64
	for i := range blockBytes {
		sharedAtBE |= sharedAt >> i & 1 << (blockBytes - 1 - i)
	}

	fromRows("fromBytesIFMA", "func(z *uint64, be *byte, size, k int)", "fromBytesGeneric", "be", true, expandBE, shifts)
	fromRows("fromWordsIFMA", "func(z, w *uint64, size, k int)", "fromWordsGeneric, for values of size bytes", "w", false, expandLE, shifts)
	toRows("toBytesIFMA", "func(be *byte, x *uint64, size, k int)", "toBytesGeneric", "be", true, compactBE, sharedBE, sharedAtBE, shifts)
	toRows("toWordsIFMA", "func(w, x *uint64, size, k int)", "toWordsGeneric, for values of size bytes", "w", false, compactLE, sharedLE, sharedAt, shifts)
}

// blockMask sets mask to the bytes of a block that belong to the row, of which rest bytes are left, and changes RAX and RDX.
func blockMask(rest Register, bigEndian bool, mask Register) {
	MOVQ(U64(1<<blockBytes-1), RAX)
	MOVQ(I32(blockBytes), RDX)
	SUBQ(rest, RDX) // bytes missing
	inside := label("inside")
	JLE(LabelRef(inside))
	below := label("below")
	CMPQ(RDX, imm(blockBytes))
	JLE(LabelRef(below))
	MOVQ(I32(blockBytes), RDX)
	Label(below)
	if bigEndian {
		// The missing bytes are the most significant, the first.
		SHRXQ(RDX, RAX, RAX)
		SHLXQ(RDX, RAX, RAX)
	} else {
		SHRXQ(RDX, RAX, RAX)
	}
	Label(inside)
	KMOVQ(RAX, mask)
}

// rowPointers sets three to three times the size of a row: row l is base + l·size for l = 0...3, and likewise from row 4.
func rowAt(base, base4, size, size3 Register, l int) Mem {
	if l >= 4 {
		base, l = base4, l-4
	}
	switch l {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: size3, Scale: 1}
	default:
		return Mem{Base: base, Index: size, Scale: uint8(l)}
	}
}

// transpose transposes 8x8 words in z(0)...z(7). It changes z(8)...z(15).
func transpose() {
	for i := 0; i < 8; i += 2 {
		VPUNPCKLQDQ(z(i+1), z(i), z(8+i))
		VPUNPCKHQDQ(z(i+1), z(i), z(9+i))
	}
	// z(8+i): words 0, 2, 4, 6 of rows i and i+1, alternating; z(9+i): words 1, 3, 5, 7.
	for i := 0; i < 8; i += 4 {
		for odd := range 2 {
			VSHUFI64X2(U8(0x88), z(10+i+odd), z(8+i+odd), z(i+odd))
			VSHUFI64X2(U8(0xdd), z(10+i+odd), z(8+i+odd), z(i+2+odd))
		}
	}
	// z(i): words 0 and 4 of rows i...i+3; z(i+1): 1 and 5; z(i+2): 2 and 6; z(i+3): 3 and 7.
	for i := range 4 {
		VSHUFI64X2(U8(0x88), z(4+i), z(i), z(8+i))
		VSHUFI64X2(U8(0xdd), z(4+i), z(i), z(12+i))
	}
	for i := range 8 {
		VMOVDQA64(z(8+i), z(i))
	}
}

func fromRows(name, signature, twin, param string, bigEndian bool, expand, shifts Mem) {
	TEXT(name, NOSPLIT, signature)
	Doc(name + " is " + twin + ".")
	Pragma("noescape")
	out, row, size, k := RDI, RSI, RBX, RCX
	Load(Param("z"), out)
	Load(Param(param), row)
	Load(Param("size"), size)
	Load(Param("k"), k)
	row4, size3, rest := R8, R9, R10
	LEAQ(Mem{Base: size, Index: size, Scale: 2}, size3)
	MOVQ(size, rest)
	if bigEndian {
		LEAQ(Mem{Base: row, Index: size, Scale: 1, Disp: -blockBytes}, row)
	}
	LEAQ(Mem{Base: row, Index: size, Scale: 4}, row4)
	perm, shift, mask := z(16), z(17), z(18)
	VMOVDQU64(expand, perm)
	VMOVDQU64(shifts, shift)
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, mask)

	Label("block")
	blockMask(rest, bigEndian, K1)
	for l := range 8 {
		VMOVDQU8_Z(rowAt(row, row4, size, size3, l), K1, z(l))
	}
	for l := range 8 {
		VPERMB(z(l), perm, z(l))
		VPSRLVQ(shift, z(l), z(l))
		VPANDQ(mask, z(l), z(l))
	}
	transpose()
	for j := range 8 {
		store(z(j), at(out, j))
		if j < 7 {
			CMPQ(k, imm(j+1))
			JE(LabelRef("done"))
		}
	}
	step := imm(blockBytes)
	if bigEndian {
		SUBQ(step, row)
		SUBQ(step, row4)
	} else {
		ADDQ(step, row)
		ADDQ(step, row4)
	}
	ADDQ(imm(8*64), out)
	SUBQ(step, rest)
	SUBQ(imm(8), k)
	JNZ(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

func toRows(name, signature, twin, param string, bigEndian bool, compact, shared Mem, sharedAt uint64, shifts Mem) {
	TEXT(name, NOSPLIT, signature)
	Doc(name + " is " + twin + ".")
	Pragma("noescape")
	in, row, size, k := RDI, RSI, RBX, RCX
	Load(Param("x"), in)
	Load(Param(param), row)
	Load(Param("size"), size)
	Load(Param("k"), k)
	row4, size3, rest := R8, R9, R10
	LEAQ(Mem{Base: size, Index: size, Scale: 2}, size3)
	MOVQ(size, rest)
	if bigEndian {
		LEAQ(Mem{Base: row, Index: size, Scale: 1, Disp: -blockBytes}, row)
	}
	LEAQ(Mem{Base: row, Index: size, Scale: 4}, row4)
	perm, permShared, shift, t := z(16), z(17), z(18), z(19)
	VMOVDQU64(compact, perm)
	VMOVDQU64(shared, permShared)
	VMOVDQU64(shifts, shift)
	MOVQ(U64(sharedAt), RAX)
	KMOVQ(RAX, K2)

	Label("block")
	for j := range 8 {
		zero(z(j))
	}
	for j := range 8 {
		CMPQ(k, imm(j))
		JLE(LabelRef("loaded"))
		load(at(in, j), z(j))
	}
	Label("loaded")
	transpose()
	blockMask(rest, bigEndian, K1)
	for l := range 8 {
		VPSLLVQ(shift, z(l), z(l))
		VPERMB_Z(z(l), permShared, K2, t)
		VPERMB(z(l), perm, z(l))
		VPORQ(t, z(l), z(l))
		VMOVDQU8(z(l), K1, rowAt(row, row4, size, size3, l))
	}
	step := imm(blockBytes)
	if bigEndian {
		SUBQ(step, row)
		SUBQ(step, row4)
	} else {
		ADDQ(step, row)
		ADDQ(step, row4)
	}
	ADDQ(imm(8*64), in)
	SUBQ(imm(8), k)
	SUBQ(step, rest)
	JG(LabelRef("block"))
	VZEROUPPER()
	RET()
}
