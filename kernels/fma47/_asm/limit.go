package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// limit is the yardstick of the benchmarks: the products of a full block, without its loads.
func limit() {
	end := text("limit", "func(rounds int)", "limit"+v.suffix+" executes 16·rounds products of limbs on registers only, the limit that benchmarks compare to.")
	count := RCX
	Load(Param("rounds"), count)
	for _, r := range v.regs {
		zero(r)
	}
	Label("round")
	for r := range 4 {
		terms(term{3, 3 - r}, term{2, 2 - r}, term{1, 1 - r}, term{0, -r})
	}
	DECQ(count)
	JNZ(LabelRef("round"))
	end()
}
