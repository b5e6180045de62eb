package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// flushEvery is the number of blocks after which lo is moved to hi; see the Go twin.
const flushEvery = 8

// Positions of the constants of a ring, doubles; see the Go package.
const (
	constC     = 0
	constD     = 1
	constS     = 2
	constScale = 3
	constK     = 4  // 4 limbs
	constNegK  = 8  // 4 limbs
	constUnit  = 12 // 4 limbs: -1, 0, 0, 0
)

// Registers of the loops over blocks.
var (
	multiplier = numbers{base: RAX}
	blocks     = R10 // blocks left
	untilFlush = R11
	constants  = R8
)

// term is the product of the limb at hand and the limb in a slot of the window, added to column k.
type term struct{ k, slot int }

// terms adds products to columns, two at a time so that the pipelines are busy. A product takes 4 instructions for both of
// its halves: hi is rounded to a multiple of 2^48, which makes the difference of its values the rounded product, exactly,
// and the second multiplication the rounding error, exactly.
func terms(list ...term) {
	for len(list) > 0 {
		some := list[:min(2, len(list))]
		list = list[len(some):]
		for i, p := range some {
			VMOVAPD(hi(p.k), tmp(i))
		}
		for _, p := range some {
			VFMADD231PD(limb(), win(p.slot), hi(p.k))
		}
		for i, p := range some {
			VSUBPD(hi(p.k), tmp(i), tmp(i))
		}
		for i, p := range some {
			VFMADD231PD(limb(), win(p.slot), tmp(i))
		}
		for i, p := range some {
			VADDPD(tmp(i), lo(p.k), lo(p.k))
		}
	}
}

// window loads limbs 1...3 of the block of the multiplicand.
func window(b numbers) {
	for s := 1; s < 4; s++ {
		b.load(s, win(s))
	}
}

// fullRow adds row r of a block to all 4 columns: limb r of the multiplier times limbs -r...3-r of the multiplicand, of which
// the last comes into the window now.
func fullRow(b numbers, r int) {
	multiplier.load(r, limb())
	terms(term{3, 3 - r}, term{2, 2 - r})
	b.load(-r, win(-r))
	terms(term{1, 1 - r}, term{0, -r})
}

// full is a block of 4 rows.
func full(b numbers) {
	for r := range 4 {
		fullRow(b, r)
	}
}

// lower is a block of which only limbs 0 and up of the multiplicand exist.
func lower(b numbers) {
	for r := range 4 {
		multiplier.load(r, limb())
		if r == 0 {
			b.load(0, win(0))
		}
		var list []term
		for k := 3; k >= r; k-- {
			list = append(list, term{k, k - r})
		}
		terms(list...)
	}
}

// upper is rows from...3 of a block of which only limbs -3...-1 of the multiplicand exist, those of the window.
func upper(from int) {
	for r := from; r < 4; r++ {
		multiplier.load(r, limb())
		var list []term
		for k := r - 1; k >= 0; k-- {
			list = append(list, term{k, k - r})
		}
		terms(list...)
	}
}

// start sets the accumulators to those of zero columns, or of columns in memory, times scale.
func start(columns GPPhysical, load, scale bool) {
	VBROADCASTSD(word(constants, constC), hi(0))
	for k := 1; k < 4; k++ {
		VMOVAPD(hi(0), hi(k))
	}
	if scale {
		VBROADCASTSD(word(constants, constScale), limb())
	}
	for k := range 4 {
		switch {
		case !load:
			zero(lo(k))
		case scale:
			VMULPD(at(columns, k), limb(), lo(k))
		default:
			VMOVAPD(at(columns, k), lo(k))
		}
	}
}

// flush moves the part of lo above 2^48 to hi.
func flush() {
	VBROADCASTSD(word(constants, constC), limb())
	for some := 0; some < 4; some += 2 {
		for i := range 2 {
			VADDPD(limb(), lo(some+i), tmp(i))
		}
		for i := range 2 {
			VSUBPD(limb(), tmp(i), tmp(i))
		}
		for i := range 2 {
			VSUBPD(tmp(i), lo(some+i), lo(some+i))
		}
		for i := range 2 {
			VADDPD(tmp(i), hi(some+i), hi(some+i))
		}
	}
}

// fullBlocks is a loop over full blocks. The window must be there; afterwards it is for the block that follows.
func fullBlocks(b numbers) {
	loop, end, next, after := label("block"), label("blocks"), label("flush"), label("flushed")
	TESTQ(blocks, blocks)
	JZ(LabelRef(end))
	MOVQ(U32(flushEvery), untilFlush)
	Label(loop)
	full(b)
	multiplier.advance(4)
	b.advance(-4)
	DECQ(untilFlush)
	JZ(LabelRef(next))
	Label(after)
	DECQ(blocks)
	JNZ(LabelRef(loop))
	JMP(LabelRef(end))
	Label(next)
	flush()
	MOVQ(U32(flushEvery), untilFlush)
	JMP(LabelRef(after))
	Label(end)
}

// normalize makes digits of the 4 columns, all at once: digit k is what is left of column k, with the upper half of
// column k-1, when the nearest multiple of the radix is taken away, plus what was taken away from column k-1. The last
// group of a number has columns up to top, which keeps all of its value; top is -1 for other groups.
func normalize(top int) {
	n := 4 // columns
	if top >= 0 {
		n = top + 1
	}
	VBROADCASTSD(word(constants, constC), limb())
	for k := range n {
		VSUBPD(limb(), hi(k), hi(k))
	}
	s, d := tmp(0), tmp(1)
	VBROADCASTSD(word(constants, constS), s)
	VBROADCASTSD(word(constants, constD), d)
	VADDPD(carry(), lo(0), lo(0))
	for k := 1; k < n; k++ {
		VFMADD231PD(hi(k-1), s, lo(k))
	}
	taken := n
	if top >= 0 {
		taken--
	}
	for k := range taken {
		VADDPD(d, lo(k), win(k))
	}
	for k := range taken {
		VSUBPD(d, win(k), win(k))
	}
	for k := range taken {
		VSUBPD(win(k), lo(k), lo(k))
	}
	for k := 1; k < n; k++ {
		VFMADD231PD(win(k-1), s, lo(k))
	}
	if top < 0 {
		VADDPD(hi(3), win(3), carry())
		VMULPD(s, carry(), carry())
	}
}

// store writes the n first columns.
func store(to GPPhysical, n int) {
	for k := range n {
		VMOVAPD(lo(k), at(to, k))
	}
}
