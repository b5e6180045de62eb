package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Registers that all kernels use in the same way. The others are those of the window.
var (
	sums   = RDI // the word of the sum in memory that a row begins with
	offset = RSI // from there to the row's word of the multiplicand, in bytes
	factor = RDX // of a row; MULX takes it from here
	temps  = [4]GPPhysical{RAX, RBX, RCX, RBP}
)

// window is the block of words of the sum that registers hold while rows are added. Register i holds word i; next makes
// word 0 the last word of the block after.
type window [block]GPPhysical

func newWindow() window { return window{R8, R9, R10, R11, R12, R13, R14, R15} }

func (w *window) clear() {
	for _, r := range w {
		XORL(r.As32(), r.As32())
	}
}

func (w *window) next() {
	first := w[0]
	copy(w[:], w[1:])
	w[block-1] = first
}

// row adds factor·multiplier to the window and word i of the sum in memory; its lowest word goes to memory, its highest
// becomes the last of the window:
//
//	window < 2^512 and the word, factor < 2^64 and multiplier < 2^512 give a sum below 2^576.
func (w *window) row(i int, multiplier []Mem) {
	begin(w[0], i)
	products(multiplier, w[:], w[0], func() { MOVQ(w[0], word(sums, i)) })
	w.next()
}

// begin clears both carries and adds word i of the sum in memory to r, in the chain of the high halves.
func begin(r GPPhysical, i int) {
	XORL(temps[0].As32(), temps[0].As32())
	ADOXQ(word(sums, i), r)
}

// products adds factor·multiplier to as many registers, and sets top to the word above them; top may be the first of
// them, which is complete when first is run. The low halves of the products and the carries between them are one chain,
// the high halves the other.
//
// See inTurn and byTwo about the order.
func products(multiplier []Mem, sum []GPPhysical, top GPPhysical, first func()) {
	n, atATime := len(sum), 1
	if order == byTwo {
		atATime = 2
	}
	for k := 0; k < n; k += atATime {
		some := min(atATime, n-k)
		for i := range some {
			hi := temps[2*i+1]
			if k+i == n-1 {
				hi = top
			}
			MULXQ(multiplier[k+i], temps[2*i], hi)
		}
		for i := range some {
			ADCXQ(temps[2*i], sum[k+i])
			if k+i == 0 {
				first()
			}
			if k+i < n-1 {
				ADOXQ(temps[2*i+1], sum[k+i+1])
			}
		}
	}
	MOVQ(U32(0), temps[0]) // leaves the carries alone
	ADOXQ(temps[0], top)
	ADCXQ(temps[0], top)
}

// rows adds the product of a multiplicand, of as many blocks as there are in count, and the multiplier to the window and
// the sum in memory. It leaves the window at the end of the multiplicand.
func (w *window) rows(count Mem, multiplier []Mem) {
	loop := label("rows")
	Label(loop)
	for i := range block {
		MOVQ(Mem{Base: sums, Index: offset, Scale: 1, Disp: 8 * i}, factor)
		w.row(i, multiplier)
	}
	ADDQ(imm(8*block), sums)
	SUBQ(imm(1), count)
	JNZ(LabelRef(loop))
}

// store stores the window to memory.
func (w *window) store() {
	for i, r := range w {
		MOVQ(r, word(sums, i))
	}
}

// local makes room for a block on the stack. A multiplier there needs no register to point to it.
func local() []Mem {
	room := AllocLocal(8 * block)
	words := make([]Mem, block)
	for i := range words {
		words[i] = room.Offset(8 * i)
	}
	return words
}

// copyBlock copies a block to the stack.
func copyBlock(to []Mem, from Register) {
	for i := 0; i < block; i += 2 {
		MOVUPS(word(from, i), X0)
		MOVUPS(X0, to[i])
	}
}

// clearWords clears as many words as count says, from at on, and destroys both.
func clearWords(at, count GPPhysical) {
	PXOR(X0, X0)
	loop := label("clear")
	Label(loop)
	for i := 0; i < block; i += 2 {
		MOVUPS(X0, word(at, i))
	}
	ADDQ(imm(8*block), at)
	SUBQ(imm(block), count)
	JNZ(LabelRef(loop))
}
