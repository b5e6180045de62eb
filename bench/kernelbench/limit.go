package kernelbench

import "github.com/cipherfold/cipherfold/bench"

// limit is what bounds a kernel: how many of its multiply instructions one core executes. Run times the bare instructions
// beside the kernels.
type limit struct {
	kernel string

	// burst executes nothing but such instructions, independent of each other, for some microseconds, and returns how many.
	burst func() (instructions int64)

	// needs is how many of them a multiplication modulo a number of so many bits takes, for one residue.
	needs func(bits int) float64

	// squaring is what a squaring takes, in multiplications. A square needs every product of two different limbs only once:
	// half of the products of a multiplication whose other half reduces.
	squaring float64

	told func(*bench.Machine) *float64 // where a result tells the rate, in instructions per nanosecond
}

// limits are those of the kernels of this machine.
var limits []limit

const burstsPerCheck = 64

// of is the number of instructions of a multiplication, or a squaring, of one residue; 0 for other operations.
func (l *limit) of(op string, bits int) float64 {
	switch op {
	case bench.OpMontMul:
		return l.needs(bits)
	case bench.OpMontSqr:
		return l.squaring * l.needs(bits)
	}
	return 0
}

// contender measures the limit itself, in instructions.
func (l *limit) contender() *contender {
	return &contender{rowsMin: burstsPerCheck, rowsMax: burstsPerCheck, run: func(bursts int) (int, error) {
		var n int64
		for range bursts {
			n += l.burst()
		}
		return int(n), nil
	}}
}
