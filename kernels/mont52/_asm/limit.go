package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// limitProducts is the number of products in one round of limitIFMA.
const limitProducts = 64

// limit is the yardstick of the benchmarks: products on registers only, independent enough for any latency.
func limit() {
	TEXT("limitIFMA", NOSPLIT, "func(rounds int)")
	Doc("limitIFMA executes 64·rounds multiply-add instructions that wait for nothing, the limit that benchmarks compare to.")
	Load(Param("rounds"), RCX)
	for i := range 32 {
		zero(z(i))
	}
	Label("round")
	for i := range limitProducts {
		if i%2 == 0 {
			lo(z(30), z(31), z(i%16))
		} else {
			hi(z(30), z(31), z(i%16))
		}
	}
	DECQ(RCX)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}
