package kernelbench

import (
	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/kernels/fma47"
)

// fmaLimit counts products of limbs: those for the product and for the reduction.
var fmaLimit = limit{kernel: fma47.Implementation().Name, burst: fma47.ProductBurst, needs: func(bits int) float64 {
	n := float64(fma47.Limbs(bits))
	return 2 * n * n
}, squaring: 0.75, told: func(m *bench.Machine) *float64 { return &m.LimbProductsPerNs }}

func init() {
	if fma47.Implementation().Available {
		limits = append(limits, fmaLimit)
	}
}
