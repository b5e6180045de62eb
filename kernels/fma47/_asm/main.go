// Command asm generates the floating-point kernels of package fma47 with avo. Run it by `go generate` in that package.
//
// A vector register holds one limb of 4 residues (YMM) or 8 (ZMM), as doubles with integer values; memory is limb-major,
// [limb][lane], aligned to vectors. The schedule of products and reductions is the same for both widths. Conversions and the
// reading of tables, which take little time, are done for 4 lanes at a time: with 8 lanes, once for each half of a vector.
package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is a set of vector instructions.
type isa struct {
	suffix string
	bytes  int // of a vector in memory
	shift  int // log2 of bytes
	regs   []VecPhysical
}

var (
	ymm    = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	zmm    = []VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15}
	avx2   = isa{"FMA", 32, 5, ymm}
	avx512 = isa{"FMA512", 64, 6, zmm}
	half   = isa{"Half", 64, 6, ymm} // 4 lanes of 8
	v      = avx2                    // in use
)

func main() {
	ConstraintExpr("!purego")
	controlWord = GLOBL("controlWord", attr.RODATA|attr.NOPTR)
	DATA(0, U32(0x1f80))
	reverse = GLOBL("reverse", attr.RODATA|attr.NOPTR)
	for i := range 32 {
		DATA(i, U8(uint8(i^7&15)))
	}
	for _, v = range []isa{avx2, avx512} {
		product("product", false, false)
		product("productAdd", true, false)
		product("product2", false, true)
		square()
		reduce(false)
		reduce(true)
		limit()
	}
	v = avx2
	selectNumber()
	for _, v = range []isa{avx2, half} {
		lookup()
		convert()
	}
	Generate()
}

// controlWord is the MXCSR that the kernels need: round to nearest, no flush to zero, no denormals as zero, all
// exceptions masked.
var controlWord Mem

// text begins a function and sets MXCSR; what it returns restores MXCSR and ends the function.
func text(name, signature string, doc ...string) (end func()) {
	TEXT(name+v.suffix, NOSPLIT, signature)
	Doc(doc...)
	Pragma("noescape")
	saved := AllocLocal(8)
	VSTMXCSR(saved)
	VLDMXCSR(controlWord)
	return func() {
		VZEROUPPER()
		VLDMXCSR(saved)
		RET()
	}
}

// Register use: accumulators of 4 columns, a sliding window of 4 limbs of the multiplicand, a limb of the multiplier, two
// temporaries, the carry from group to group.
func hi(k int) VecPhysical  { return v.regs[k] }
func lo(k int) VecPhysical  { return v.regs[4+k] }
func win(s int) VecPhysical { return v.regs[8+s&3] }
func limb() VecPhysical     { return v.regs[12] }
func tmp(i int) VecPhysical { return v.regs[13+i] }
func carry() VecPhysical    { return v.regs[15] }

// at is vector i after the one that base points to; word is double i.
func at(base Register, i int) Mem   { return Mem{Base: base, Disp: v.bytes * i} }
func word(base Register, i int) Mem { return Mem{Base: base, Disp: 8 * i} }

func zero(r VecPhysical) { VXORPD(r, r, r) }

// numbers are limbs in memory: vectors, or one double for all lanes.
type numbers struct {
	base   GPPhysical
	spread bool // one double for all lanes
}

func (x numbers) load(i int, r VecPhysical) {
	if x.spread {
		VBROADCASTSD(word(x.base, i), r)
	} else {
		VMOVAPD(at(x.base, i), r)
	}
}

func (x numbers) size() int {
	if x.spread {
		return 8
	}
	return v.bytes
}

// advance moves on by n limbs.
func (x numbers) advance(n int) {
	if n > 0 {
		ADDQ(imm(n*x.size()), x.base)
	} else {
		SUBQ(imm(-n*x.size()), x.base)
	}
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
