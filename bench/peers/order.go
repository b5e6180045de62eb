//go:build peers

package peers

import "math/big"

// list is the order in which the C peers number the constants.
func (c *constants) list() []*big.Int {
	list := []*big.Int{c.n, c.n2, c.hs}
	for _, s := range c.side {
		list = append(list, s.p, s.p2, s.exponent, s.factor)
	}
	return append(list, c.inverse)
}

// columns lists the operands in the order that the C peers number them.
func (r Rows) columns() [][]*big.Int { return [][]*big.Int{r.M, r.R, r.E, r.A, r.B, r.S} }
