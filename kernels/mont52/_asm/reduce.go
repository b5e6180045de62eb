package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// reduce is Montgomery's reduction of column sums, as described at reduceGeneric.
func reduce() {
	TEXT("reduceIFMA", NOSPLIT, "func(z, sums, multiple, m *uint64, inv uint64, k int, canonical uint64)")
	Doc("reduceIFMA is reduceGeneric.")
	Pragma("noescape")
	sums, mult, k := RDI, RSI, RCX
	Load(Param("sums"), sums)
	Load(Param("multiple"), mult)
	Load(Param("k"), k)
	p := pass{rows: blockRows, broadcast: true, sums: R8, limbs: R9, phase: R11, count: R10}
	blocks, count := R13, R15
	row := func(r int) VecPhysical { return z(rowsBase + r) }
	carry := z(windowBase)

	rows := func(n int) {
		for r := range n {
			load(at(sums, r), row(r))
		}
		for r := range min(n, lag) {
			VPSRLQ(imm(52), row(r), carry)
			if r+1 < n {
				VPADDQ(carry, row(r+1), row(r+1))
			}
		}
		if n > lag {
			// Column 7 is the first that the multiple touches.
			VPBROADCASTQ(word(mult, 0), z(limbReg))
			lo(z(limbReg), row(0), row(lag))
			VPSRLQ(imm(52), row(lag), carry)
		}
		VPADDQ(at(sums, n), carry, carry)
		store(carry, at(sums, n))
		LEAQ(at(sums, lag), p.sums.(GPPhysical))
		MOVQ(mult, p.limbs)
		ADDQ(imm(64*n), sums)
	}

	for n := blockRows / 2; n > 0; n /= 2 {
		skip := label("skip")
		TESTQ(U32(uint32(n)), k)
		JZ(LabelRef(skip))
		p.rows = n
		phases(k, n, R11, R10)
		rows(n)
		p.emit()
		Label(skip)
	}
	p.rows = blockRows
	MOVQ(k, blocks)
	SHRQ(imm(3), blocks)
	DECQ(blocks)
	phases(k, blockRows, R11, R10)
	MOVQ(R10, count)
	Label("block")
	rows(blockRows)
	MOVQ(count, R10)
	p.emit()
	DECQ(blocks)
	JNZ(LabelRef("block"))

	m := RSI
	Load(Param("m"), m)
	lastBlock(p, sums, m, k)

	// Propagate the carries of the K columns and subtract m, in one go.
	out := RBX
	Load(Param("z"), out)
	ADDQ(imm(64*blockRows), sums)
	mask := z(31)
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, mask)
	c, borrow, x, d := z(0), z(1), z(2), z(3)
	zero(c)
	zero(borrow)
	XORL(EAX, EAX)
	index := func(base Register, width uint8) Mem { return Mem{Base: base, Index: RAX, Scale: width} }
	Load(Param("canonical"), R11)
	TESTQ(R11, R11)
	JNZ(LabelRef("subtract"))

	SHLQ(imm(6), k)
	Label("lazy")
	VPADDQ(index(sums, 1), c, x)
	VPSRLQ(imm(52), x, c)
	VPANDQ(mask, x, x)
	store(x, index(out, 1))
	ADDQ(imm(64), RAX)
	CMPQ(RAX, k)
	JNE(LabelRef("lazy"))
	VZEROUPPER()
	RET()

	Label("subtract")
	MOVQ(sums, R8)
	MOVQ(out, R9)
	Label("propagate")
	VPADDQ(at(R8, 0), c, x)
	VPSRLQ(imm(52), x, c)
	VPANDQ(mask, x, x)
	store(x, at(R9, 0))
	VPSUBQ_BCST(index(m, 8), x, d)
	VPADDQ(borrow, d, d)
	VPSRAQ(imm(63), d, borrow)
	VPANDQ(mask, d, d)
	store(d, at(R8, 0))
	ADDQ(imm(64), R8)
	ADDQ(imm(64), R9)
	INCQ(RAX)
	CMPQ(RAX, k)
	JNE(LabelRef("propagate"))
	// Where nothing had to be borrowed, the difference is the result.
	VPTESTNMQ(borrow, borrow, K1)
	XORL(EAX, EAX)
	SHLQ(imm(6), k)
	Label("select")
	load(index(sums, 1), x)
	VMOVDQA64(x, K1, index(out, 1))
	ADDQ(imm(64), RAX)
	CMPQ(RAX, k)
	JNE(LabelRef("select"))
	VZEROUPPER()
	RET()
}

// lastBlock reduces the last 8 columns with the modulus itself, one after the other.
func lastBlock(p pass, sums, m, k GPPhysical) {
	col := func(c int) VecPhysical { return z(windowBase + c) } // columns 0...15
	row := func(r int) VecPhysical { return z(rowsBase + r) }   // their multiples of m
	inv, mask, t := z(24), z(25), z(26)
	limb := func(j int) VecPhysical { return z(27 + j) }
	const limbs = 5 // in registers
	Load(Param("inv"), RAX)
	VPBROADCASTQ(RAX, inv)
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, mask)
	for j := range limbs {
		VPBROADCASTQ(word(m, j), limb(j))
	}
	for c := range 2 * blockRows {
		load(at(sums, c), col(c))
	}
	for r := range blockRows {
		zero(row(r))
		lo(inv, col(r), row(r))
		// The sum of the column and lo(m[0]·row) is 0 modulo 2^52, so it carries the column divided
		// by 2^52 and rounded up.
		VPADDQ(mask, col(r), t)
		VPSRLQ(imm(52), t, t)
		VPADDQ(t, col(r+1), col(r+1))
		for j := range blockRows {
			if j > 0 {
				if j < limbs {
					lo(limb(j), row(r), col(r+j))
				} else {
					VPMADD52LUQ_BCST(word(m, j), row(r), col(r+j))
				}
			}
			if j < limbs {
				hi(limb(j), row(r), col(r+j+1))
			} else {
				VPMADD52HUQ_BCST(word(m, j), row(r), col(r+j+1))
			}
		}
	}
	for c := blockRows; c < 2*blockRows; c++ {
		store(col(c), at(sums, c))
	}
	LEAQ(at(sums, blockRows), p.sums.(GPPhysical))
	LEAQ(word(m, blockRows), p.limbs.(GPPhysical))
	LEAQ(Mem{Base: k, Disp: -blockRows}, R12)
	phases(R12, blockRows, R11, R10)
	p.emit()
}
