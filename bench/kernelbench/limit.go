package kernelbench

import "github.com/cipherfold/cipherfold/bench"

// MultiplyBurst, when set, executes nothing but independent VPMADD52 instructions on 512-bit registers, for some
// microseconds, and returns how many. Run times it beside the kernels: its rate is the machine's multiply limit. Nil
// where no kernel uses these instructions.
var MultiplyBurst func() (instructions int64)

// limbBits is its radix.
const limbBits = 52

// A Montgomery multiplication of K limbs on 8 lanes takes 2K² VPMADD52 (low and high halves) for the product and as
// many for the reduction. A squaring needs every product of two different limbs only once, so K² for the square.
const (
	mulInstrPerKK  = 4
	sqrInstrPerKK  = 3
	burstsPerCheck = 64
)

// instructions is the number of VPMADD52 that a multiplication, or a squaring, of one residue needs.
func instructions(op string, bits int) float64 {
	k := float64((bits + limbBits - 1) / limbBits)
	if op == bench.OpMontSqr {
		return sqrInstrPerKK * k * k / bench.Lanes
	}
	return mulInstrPerKK * k * k / bench.Lanes
}

// limitContender measures the limit itself, in instructions.
func limitContender() *contender {
	return &contender{rowsMin: burstsPerCheck, rowsMax: burstsPerCheck, run: func(bursts int) (int, error) {
		var n int64
		for range bursts {
			n += MultiplyBurst()
		}
		return int(n), nil
	}}
}
