//go:build peers

package peers

import "math/big"

// windowBits is the width of the windows of a fixed-base table: what the closest library takes.
const windowBits = 10

// windowsOf is the number of windows for these exponents.
func windowsOf(exponents []*big.Int) int {
	longest := 1
	for _, e := range exponents {
		longest = max(longest, e.BitLen())
	}
	return (longest + windowBits - 1) / windowBits
}
