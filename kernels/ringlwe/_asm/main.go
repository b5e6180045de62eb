// Command asm generates the AVX-512 IFMA kernels of package ringlwe with avo. Run it by `go generate` in that package.
//
// Residues are words, eight to a register. Products are those of Shoup with 52 bits: for w < p and w' = floor(w·2^52/p), and
// any x < 2^52, x·w - floor(x·w'/2^52)·p is between 0 and 2p-1. It needs p < 2^50, so that 4p fits 52 bits.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	stage()
	tail()
	addProduct()
	encode()
	quantize(true)
	quantize(false)
	Generate()
}

// constants are registers that hold one number in all lanes.
type constants struct{ twice, negative, mask VecPhysical }

// load makes them from p: 2p, 2^52-p and 2^52-1.
func load(p Register) constants {
	c := constants{Z31, Z30, Z29}
	MOVQ(p, RAX)
	ADDQ(RAX, RAX)
	VPBROADCASTQ(RAX, c.twice)
	MOVQ(U64(1<<52), RAX)
	SUBQ(p, RAX)
	VPBROADCASTQ(RAX, c.negative)
	MOVQ(U64(1<<52-1), RAX)
	VPBROADCASTQ(RAX, c.mask)
	return c
}

// product is x·w lazily, between 0 and 2p-1, in out. x stays as it is. q is scratch.
func (c constants) product(x, w, ratio, out, q VecPhysical) {
	VPXORQ(q, q, q)
	VPXORQ(out, out, out)
	VPMADD52HUQ(x, ratio, q)
	VPMADD52LUQ(x, w, out)
	VPMADD52LUQ(q, c.negative, out)
	VPANDQ(c.mask, out, out)
}

// butterfly is that of Cooley and Tukey on x and y below 4p, which stay below 4p. t and q are scratch.
func (c constants) butterfly(x, y, w, ratio, t, q VecPhysical) {
	c.product(y, w, ratio, t, q)
	VPSUBQ(c.twice, x, q)
	VPMINUQ(q, x, x) // below 2p
	VPADDQ(c.twice, x, y)
	VPSUBQ(t, y, y)
	VPADDQ(t, x, x)
}

// stage is one stage of the transform whose groups have at least 8 words in each half.
func stage() {
	TEXT("stageIFMA", NOSPLIT, "func(a, roots *uint64, groups, half int, p uint64)")
	Doc("stageIFMA does a stage of the transform: groups of two halves of `half` words each, a multiple of 8, one root for each", "group. roots are pairs of w and floor(w·2^52/p). Words are below 4p before and after.")
	Pragma("noescape")
	a, roots, groups, half, p := RDI, RSI, RCX, RDX, R8
	Load(Param("a"), a)
	Load(Param("roots"), roots)
	Load(Param("groups"), groups)
	Load(Param("half"), half)
	Load(Param("p"), p)
	c := load(p)
	bytes, y, left := R9, R10, R11
	MOVQ(half, bytes)
	SHLQ(U8(3), bytes)
	Label("group")
	VPBROADCASTQ(Mem{Base: roots}, Z28)
	VPBROADCASTQ(Mem{Base: roots, Disp: 8}, Z27)
	MOVQ(a, y)
	ADDQ(bytes, y)
	MOVQ(half, left)
	Label("words")
	CMPQ(left, U8(16))
	JL(LabelRef("last"))
	VMOVDQU64(Mem{Base: a}, Z0)
	VMOVDQU64(Mem{Base: a, Disp: 64}, Z4)
	VMOVDQU64(Mem{Base: y}, Z1)
	VMOVDQU64(Mem{Base: y, Disp: 64}, Z5)
	c.butterfly(Z0, Z1, Z28, Z27, Z2, Z3)
	c.butterfly(Z4, Z5, Z28, Z27, Z6, Z7)
	VMOVDQU64(Z0, Mem{Base: a})
	VMOVDQU64(Z4, Mem{Base: a, Disp: 64})
	VMOVDQU64(Z1, Mem{Base: y})
	VMOVDQU64(Z5, Mem{Base: y, Disp: 64})
	ADDQ(U8(128-64), a)
	ADDQ(U8(64), a)
	ADDQ(U8(64), y)
	ADDQ(U8(64), y)
	SUBQ(U8(16), left)
	JNZ(LabelRef("words"))
	JMP(LabelRef("next"))
	Label("last")
	VMOVDQU64(Mem{Base: a}, Z0)
	VMOVDQU64(Mem{Base: y}, Z1)
	c.butterfly(Z0, Z1, Z28, Z27, Z2, Z3)
	VMOVDQU64(Z0, Mem{Base: a})
	VMOVDQU64(Z1, Mem{Base: y})
	ADDQ(U8(64), a)
	ADDQ(U8(64), y)
	Label("next")
	MOVQ(y, a)
	ADDQ(U8(16), roots)
	DECQ(groups)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// order puts 8 words into the read-only data: which words of two registers a permutation takes.
func order(name string, at [8]uint64) Mem {
	ref := GLOBL(name, 8|16) // RODATA|NOPTR
	for i, x := range at {
		DATA(8*i, U64(x))
	}
	return ref
}

// tail is the last three stages, whose groups are shorter than a register, on 16 words at a time.
func tail() {
	pairs := order("pairOrder", [8]uint64{0, 1, 8, 9, 4, 5, 12, 13})
	otherPairs := order("otherPairOrder", [8]uint64{2, 3, 10, 11, 6, 7, 14, 15})
	first := order("firstOrder", [8]uint64{0, 1, 8, 9, 2, 3, 10, 11})
	second := order("secondOrder", [8]uint64{4, 5, 12, 13, 6, 7, 14, 15})
	TEXT("tailIFMA", NOSPLIT, "func(a, roots *uint64, words int, p uint64)")
	Doc("tailIFMA does the last three stages of the transform on a number of words that is a multiple of 16. roots are, for each", "16 words, six vectors: w and floor(w·2^52/p) of each lane, for halves of 4, 2 and 1 words. Words are below 4p before and after.")
	Pragma("noescape")
	a, roots, words, p := RDI, RSI, RCX, R8
	Load(Param("a"), a)
	Load(Param("roots"), roots)
	Load(Param("words"), words)
	Load(Param("p"), p)
	c := load(p)
	VMOVDQU64(pairs, Z20)
	VMOVDQU64(otherPairs, Z21)
	VMOVDQU64(first, Z22)
	VMOVDQU64(second, Z23)
	Label("words")
	VMOVDQU64(Mem{Base: a}, Z0)
	VMOVDQU64(Mem{Base: a, Disp: 64}, Z1)
	at := func(i int) Mem { return Mem{Base: roots, Disp: 64 * i} }
	// Halves of 4: words 0-3 of both registers, and 4-7.
	VSHUFI64X2(U8(0x44), Z1, Z0, Z2)
	VSHUFI64X2(U8(0xee), Z1, Z0, Z3)
	VMOVDQU64(at(0), Z10)
	VMOVDQU64(at(1), Z11)
	c.butterfly(Z2, Z3, Z10, Z11, Z12, Z13)
	// Halves of 2.
	VMOVDQA64(Z20, Z4)
	VPERMI2Q(Z3, Z2, Z4)
	VMOVDQA64(Z21, Z5)
	VPERMI2Q(Z3, Z2, Z5)
	VMOVDQU64(at(2), Z10)
	VMOVDQU64(at(3), Z11)
	c.butterfly(Z4, Z5, Z10, Z11, Z12, Z13)
	// Halves of 1.
	VPUNPCKLQDQ(Z5, Z4, Z6)
	VPUNPCKHQDQ(Z5, Z4, Z7)
	VMOVDQU64(at(4), Z10)
	VMOVDQU64(at(5), Z11)
	c.butterfly(Z6, Z7, Z10, Z11, Z12, Z13)
	// Back into order.
	VPUNPCKLQDQ(Z7, Z6, Z0)
	VPUNPCKHQDQ(Z7, Z6, Z1)
	VMOVDQA64(Z22, Z2)
	VPERMI2Q(Z1, Z0, Z2)
	VMOVDQA64(Z23, Z3)
	VPERMI2Q(Z1, Z0, Z3)
	VMOVDQU64(Z2, Mem{Base: a})
	VMOVDQU64(Z3, Mem{Base: a, Disp: 64})
	ADDQ(U32(128), a)
	ADDQ(U32(6*64), roots)
	SUBQ(U8(16), words)
	JNZ(LabelRef("words"))
	VZEROUPPER()
	RET()
}

// addProduct adds products to words below 4p, and reduces.
func addProduct() {
	TEXT("addProductIFMA", NOSPLIT, "func(m, a, w, ratio *uint64, words int, p uint64)")
	Doc("addProductIFMA is addProductGeneric for words m below 4p and residues a, a multiple of 8 of them. ratio is floor(w·2^64/p).")
	Pragma("noescape")
	m, a, w, ratio, words, p := RDI, RSI, RDX, R9, RCX, R8
	Load(Param("m"), m)
	Load(Param("a"), a)
	Load(Param("w"), w)
	Load(Param("ratio"), ratio)
	Load(Param("words"), words)
	Load(Param("p"), p)
	c := load(p)
	VPBROADCASTQ(p, Z28)
	VPADDQ(c.twice, c.twice, Z27)
	Label("words")
	VMOVDQU64(Mem{Base: m}, Z0)
	VMOVDQU64(Mem{Base: a}, Z1)
	VMOVDQU64(Mem{Base: w}, Z2)
	VPSRLQ(U8(12), Mem{Base: ratio}, Z3)
	c.product(Z1, Z2, Z3, Z4, Z5)
	VPADDQ(Z4, Z0, Z0) // below 6p
	for _, multiple := range []VecPhysical{Z27, c.twice, Z28} {
		VPSUBQ(multiple, Z0, Z5)
		VPMINUQ(Z5, Z0, Z0)
	}
	VMOVDQU64(Z0, Mem{Base: m})
	for _, r := range []Register{m, a, w, ratio} {
		ADDQ(U8(64), r)
	}
	SUBQ(U8(8), words)
	JNZ(LabelRef("words"))
	VZEROUPPER()
	RET()
}

// encode adds noise to coefficients of one word.
func encode() {
	TEXT("encodeIFMA", NOSPLIT, "func(dst *uint64, values *int64, noise *uint64, words, shift int, p uint64)")
	Doc("encodeIFMA writes values + noise·2^shift as residues: a multiple of 8 of them, of magnitude below p. noise are random", "words, of which 42 bits are used.")
	Pragma("noescape")
	dst, values, noise, words, p := RDI, RSI, RDX, RCX, R8
	Load(Param("dst"), dst)
	Load(Param("values"), values)
	Load(Param("noise"), noise)
	Load(Param("words"), words)
	Load(Param("shift"), RAX)
	VMOVQ(RAX, X15)
	Load(Param("p"), p)
	VPBROADCASTQ(p, Z31)
	MOVQ(U32(1<<21-1), RAX)
	VPBROADCASTQ(RAX, Z30)
	Label("words")
	VMOVDQU64(Mem{Base: noise}, Z0)
	VPSRLQ(U8(21), Z0, Z1)
	VPANDQ(Z30, Z0, Z0)
	VPANDQ(Z30, Z1, Z1)
	VPOPCNTQ(Z0, Z0)
	VPOPCNTQ(Z1, Z1)
	VPSUBQ(Z1, Z0, Z0)
	VPSLLQ(X15, Z0, Z0)
	VPADDQ(Mem{Base: values}, Z0, Z0)
	VPSRAQ(U8(63), Z0, Z1)
	VPANDQ(Z31, Z1, Z1)
	VPADDQ(Z1, Z0, Z0)
	VMOVDQU64(Z0, Mem{Base: dst})
	for _, r := range []Register{dst, values, noise} {
		ADDQ(U8(64), r)
	}
	SUBQ(U8(8), words)
	JNZ(LabelRef("words"))
	VZEROUPPER()
	RET()
}

// quantize makes integers of numbers, as quantizer.quantize and round do. Comparisons, moves and products take the same time
// for all numbers; those that would be denormal are 0 before they are multiplied.
func quantize(single bool) {
	name, signature := "quantize64IFMA", "func(dst *int64, numbers *float64, random *uint64, words int, c *uint64)"
	if single {
		name, signature = "quantize32IFMA", "func(dst *int64, numbers *float32, random *uint64, words int, c *uint64)"
	}
	TEXT(name, NOSPLIT, signature)
	Doc(name + " quantises a multiple of 8 numbers. random are 32 bits for each, c a scaling's constants.")
	Pragma("noescape")
	dst, g, random, words, c := RDI, RSI, RDX, RCX, R8
	Load(Param("dst"), dst)
	Load(Param("numbers"), g)
	Load(Param("random"), random)
	Load(Param("words"), words)
	Load(Param("c"), c)
	high, low, factor, largest, weight := Z31, Z30, Z29, Z28, Z27
	for i, v := range []VecPhysical{high, low, factor, largest, weight} {
		VPBROADCASTQ(Mem{Base: c, Disp: 8 * i}, v)
	}
	constant := func(x uint64, v VecPhysical) {
		MOVQ(U64(x), RAX)
		VPBROADCASTQ(RAX, v)
	}
	magnitudes, normal, bias := Z26, Z25, Z24
	if single {
		constant(1<<31-1, magnitudes)
		constant(1<<23, normal)
		constant((1023-127)<<52, bias)
	} else {
		constant(1<<63-1, magnitudes)
	}
	Label("words")
	magnitude, sign := Z1, Z2
	if single {
		VPMOVZXDQ(Mem{Base: g}, Z0)
		VPSLLQ(U8(32), Z0, sign)
		VPANDQ(magnitudes, Z0, magnitude)
		VPCMPUQ(U8(5), normal, magnitude, K1) // not below
		VPSLLQ(U8(29), magnitude, magnitude)
		VPADDQ_Z(bias, magnitude, K1, magnitude)
	} else {
		VMOVDQU64(Mem{Base: g}, sign)
		VPANDQ(magnitudes, sign, magnitude)
	}
	VPSRAQ(U8(63), sign, sign)
	VPMINUQ(high, magnitude, magnitude)
	VPCMPUQ(U8(5), low, magnitude, K2)
	VMOVDQA64_Z(magnitude, K2, magnitude)
	VMULPD(factor, magnitude, Z3)
	VCVTTPD2QQ(Z3, Z3)
	VPMINSQ(largest, Z3, Z3)
	VPXORQ(sign, Z3, Z3)
	VPSUBQ(sign, Z3, Z3)
	VPMOVZXDQ(Mem{Base: random}, Z4)
	VPADDQ(Z4, Z3, Z3)
	VPSRAQ(U8(32), Z3, Z3)
	VPMULLQ(weight, Z3, Z3)
	VMOVDQU64(Z3, Mem{Base: dst})
	ADDQ(U8(64), dst)
	if single {
		ADDQ(U8(32), g)
	} else {
		ADDQ(U8(64), g)
	}
	ADDQ(U8(32), random)
	SUBQ(U8(8), words)
	JNZ(LabelRef("words"))
	VZEROUPPER()
	RET()
}
