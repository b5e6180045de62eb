package kernelbench

import (
	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/fma47"
)

// fmaLimit counts products of limbs: those for the product and for the reduction.
func fmaLimit(k bigmod.Implementation, burst func() int64, told func(*bench.Machine) *float64) limit {
	return limit{kernel: k.Name, burst: burst, needs: func(bits int) float64 {
		n := float64(fma47.Limbs(bits))
		return 2 * n * n
	}, squaring: 0.75, told: told}
}

var (
	narrowLimit = fmaLimit(fma47.Implementation(), fma47.ProductBurst, func(m *bench.Machine) *float64 { return &m.LimbProductsPerNs })
	wideLimit   = fmaLimit(fma47.Wide(), fma47.WideProductBurst, func(m *bench.Machine) *float64 { return &m.WideLimbProductsPerNs })
)

func init() {
	if fma47.Implementation().Available {
		limits = append(limits, narrowLimit)
	}
	if fma47.Wide().Available {
		limits = append(limits, wideLimit)
	}
}
