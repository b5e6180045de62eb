package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Lags of the multiples of the modulus; see reduceGeneric.
const (
	longLag  = 13
	shortLag = 7
	// lastRows is the number of columns that the modulus itself clears.
	lastRows = 8
)

// reduce is Montgomery's reduction of column sums, as described at reduceGeneric, in the passes of a plan.
func reduce() {
	reduction(false)
	reduction(true)
}

// reduction emits the reduction, or the one that also yields the quotient.
func reduction(withQuotient bool) {
	if withQuotient {
		TEXT("reduceQuotientIFMA", NOSPLIT, "func(z, quotient, sums, m, long, short, longDigits, shortDigits, half *uint64, inv uint64, plan *uint64, k int)")
		Doc("reduceQuotientIFMA is reduceQuotientGeneric, in the passes of a plan.")
	} else {
		TEXT("reduceIFMA", NOSPLIT, "func(z, sums, m, long, short *uint64, inv uint64, plan *uint64, k int)")
		Doc("reduceIFMA is reduceGeneric, in the passes of a plan.")
	}
	Pragma("noescape")
	sums, mult, k, plan := RDI, RSI, RCX, R13
	quotient, digits, lagSteps := RDX, R15, R11 // of reduceQuotient
	Load(Param("sums"), sums)
	Load(Param("plan"), plan)
	Load(Param("k"), k)
	p := newPass(k)
	p.broadcast = true
	// rows clears n columns with a multiple of the given lag.
	rows := func(n, lag int) {
		carry := z(n)
		for r := range n {
			load(at(sums, r), z(r))
		}
		for r := range min(n, lag) {
			VPSRLQ(imm(52), z(r), carry)
			if r+1 < n {
				VPADDQ(carry, z(r+1), z(r+1))
			}
		}
		if n > lag {
			// This column is the first that the multiple touches.
			VPBROADCASTQ(word(mult, 0), carry)
			lo(carry, z(0), z(lag))
			VPSRLQ(imm(52), z(lag), carry)
		}
		VPADDQ(at(sums, n), carry, carry)
		store(carry, at(sums, n))
		LEAQ(at(sums, lag), p.sums)
		MOVQ(mult, p.limbs)
		ADDQ(imm(64*n), sums)
		p.rows = n
		p.emit()
		if withQuotient {
			q := p
			q.steps = lagSteps
			MOVQ(quotient, q.sums)
			MOVQ(digits, q.limbs)
			MOVQ(U32(lag), lagSteps)
			ADDQ(imm(64*n), quotient)
			q.emit()
		}
	}
	if withQuotient {
		Load(Param("quotient"), quotient)
		Load(Param("longDigits"), digits)
	}
	Load(Param("long"), mult)
	p.dispatch(plan, longRows, func(n int) { rows(n, longLag) })
	if withQuotient {
		Load(Param("shortDigits"), digits)
	}
	Load(Param("short"), mult)
	p.dispatch(plan, shortRows, func(n int) { rows(n, shortLag) })
	m := mult
	Load(Param("m"), m)
	Load(Param("inv"), RAX)
	lastBlock(p, sums, m, RAX, k)
	if withQuotient {
		// The multipliers of the last block are still in their registers. The top bit of the last goes to a mask.
		last := z(lastRows - 1)
		sign, t := z(lastRows), z(lastRows+1)
		VPSLLQ(imm(64-52), last, sign)
		VPMOVQ2M(sign, K2)
		MOVQ(U64(1<<51-1), RAX)
		VPBROADCASTQ(RAX, t)
		VPANDQ(t, last, last)
		for r := range lastRows {
			VPADDQ(at(quotient, r), z(r), z(r))
			store(z(r), at(quotient, r))
		}
	}

	// Propagate the carries of the K columns, and add R/2 mod m to the quotient where it lost that bit.
	out, offset := RBX, R9
	Load(Param("z"), out)
	ADDQ(imm(64*lastRows), sums)
	half := Mem{Base: m, Index: RAX, Scale: 8}
	loadMask()
	if withQuotient {
		Load(Param("half"), m)
		Load(Param("quotient"), quotient)
	}
	zero(carryReg)
	eachLimb("propagate", k, offset, func() {
		load(Mem{Base: sums, Index: offset, Scale: 1}, sumReg)
		propagate()
		store(sumReg, Mem{Base: out, Index: offset, Scale: 1})
		if withQuotient {
			q := Mem{Base: quotient, Index: offset, Scale: 1}
			load(q, diffReg)
			VPADDQ_BCST(half, diffReg, K2, diffReg)
			store(diffReg, q)
		}
	})
	VZEROUPPER()
	RET()
}

// lastBlock reduces the last columns with the modulus itself, one after the other.
func lastBlock(p pass, sums, m, invWord, k GPPhysical) {
	row := func(r int) VecPhysical { return z(r) }            // multiples of m
	col := func(c int) VecPhysical { return z(lastRows + c) } // columns 0...15
	inv, mask, t := z(24), z(25), z(26)
	limb := func(j int) VecPhysical { return z(27 + j) }
	const limbs = 5 // in registers
	VPBROADCASTQ(invWord, inv)
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, mask)
	for j := range limbs {
		VPBROADCASTQ(word(m, j), limb(j))
	}
	for c := range 2 * lastRows {
		load(at(sums, c), col(c))
	}
	for r := range lastRows {
		zero(row(r))
		lo(inv, col(r), row(r))
		// The sum of the column and lo(m[0]·row) is 0 modulo 2^52, so it carries the column divided
		// by 2^52 and rounded up.
		VPADDQ(mask, col(r), t)
		VPSRLQ(imm(52), t, t)
		VPADDQ(t, col(r+1), col(r+1))
		for j := range lastRows {
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
	for c := lastRows; c < 2*lastRows; c++ {
		store(col(c), at(sums, c))
	}
	LEAQ(at(sums, lastRows), p.sums)
	LEAQ(word(m, lastRows), p.limbs)
	p.rows, p.steps = lastRows, R11
	LEAQ(Mem{Base: k, Disp: -lastRows}, p.steps)
	p.emit()
}
