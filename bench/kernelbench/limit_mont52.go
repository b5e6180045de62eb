package kernelbench

import (
	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/kernels/mont52"
)

// ifmaLimit counts VPMADD52, on 8 lanes: those for low and for high halves, for the product and for the reduction.
var ifmaLimit = limit{kernel: mont52.Implementation().Name, burst: mont52.MultiplyBurst, needs: func(bits int) float64 {
	const limbBits, lanes = 52, 8
	n := float64((bits + limbBits - 1) / limbBits)
	return 4 * n * n / lanes
}, squaring: 0.75, told: func(m *bench.Machine) *float64 { return &m.MultiplyLimitPerNs }}

func init() {
	if mont52.Implementation().Available {
		limits = append(limits, ifmaLimit)
	}
}
