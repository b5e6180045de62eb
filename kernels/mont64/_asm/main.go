// Command asm generates the kernels of package mont64 with avo. Run it by `go generate` in that package.
//
// Numbers are little-endian words of 64 bits; lengths are multiples of block words. The multiplications are made of MULX,
// which leaves the flags alone, and of the two independent carry chains of ADCX (in the carry flag) and ADOX (in the
// overflow flag).
package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	for _, order = range []string{inTurn, byTwo} {
		product()
		square()
		reduce()
	}
	difference()
	middle()
	choose()
	Generate()
}

// The orders of the instructions of a row, by the ending that they give the names of functions.
//
// MULX, ADCX, ADOX in turn take 1.5 clocks on Intel's Golden Cove, which assigns instructions to ports before it knows when
// they can run, and 1.33 when two products are computed before their sums. AMD's Zen takes 0.85 of the time in turn.
const (
	inTurn = "ADX"
	byTwo  = "ADX2"
)

// order is that of the function in the making.
var order string

// orderDoc says which one it is.
func orderDoc() string {
	if order == byTwo {
		return "Two products are computed before their sums are."
	}
	return "Each product is added to the sums at once."
}

// block is the number of words that a window of registers holds.
const block = 8

// word is word i after the one that base points to.
func word(base Register, i int) Mem {
	return Mem{Base: base, Disp: 8 * i}
}

var labels int

// label makes a name for a label.
func label(name string) string {
	labels++
	return name + strconv.Itoa(labels)
}

// imm is an immediate operand of a 64-bit instruction.
func imm(n int) Op {
	if n < 128 {
		return U8(uint8(n))
	}
	return U32(uint32(n))
}
