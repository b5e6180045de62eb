package bench

// MultiplyBurst, when set, executes nothing but independent VPMADD52 instructions on 512-bit registers, for some
// microseconds, and returns how many. Kernels times it beside the kernels: its rate is the machine's multiply limit. Nil
// where no kernel uses these instructions.
var MultiplyBurst func() (instructions int64)

// limitKernel is the kernel that is made of VPMADD52 and measured against the limit.
const limitKernel = "ifma"

// limbBits is its radix.
const limbBits = 52

// A Montgomery multiplication of K limbs on 8 lanes takes 2K² VPMADD52 (low and high halves) for the product and as many
// for the reduction; a squaring needs every product of two different limbs only once, so K² for the square.
const (
	lanes          = 8
	mulInstrPerKK  = 4
	sqrInstrPerKK  = 3
	burstsPerCheck = 64
)

// instructions is the number of VPMADD52 that a multiplication, or a squaring, of one residue needs.
func instructions(op string, bits int) float64 {
	k := float64((bits + limbBits - 1) / limbBits)
	if op == OpMontSqr {
		return sqrInstrPerKK * k * k / lanes
	}
	return mulInstrPerKK * k * k / lanes
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
