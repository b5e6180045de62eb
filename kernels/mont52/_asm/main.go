// Command asm generates the AVX-512 IFMA kernels of package mont52 with avo. Run it by `go generate` in that package.
//
// Every kernel works on 8 residues at once, one in each 64-bit lane of the ZMM registers. A register holds one limb (or
// one column of unpropagated sums) of all 8; memory is limb-major, [limb][lane], 64-byte aligned.
package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	product()
	square()
	reduce()
	linear()
	convert()
	indexed()
	choose()
	limit()
	Generate()
}

// z is vector register i.
func z(i int) VecPhysical {
	return []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}[i]
}

// at is vector i (of 64 bytes) after the one that base points to.
func at(base Register, i int) Mem {
	return Mem{Base: base, Disp: 64 * i}
}

// word is word i after the one that base points to.
func word(base Register, i int) Mem {
	return Mem{Base: base, Disp: 8 * i}
}

func zero(v VecPhysical) { VPXORQ(v, v, v) }

// load loads a vector from aligned memory.
func load(m Mem, v VecPhysical) { VMOVDQA64(m, v) }

// store stores a vector to aligned memory.
func store(v VecPhysical, m Mem) { VMOVDQA64(v, m) }

func lo(x Op, y, sum VecPhysical) { VPMADD52LUQ(x, y, sum) }
func hi(x Op, y, sum VecPhysical) { VPMADD52HUQ(x, y, sum) }

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
