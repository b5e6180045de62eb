package fma47

import "math"

// This file holds what the Go twins of the assembly have in common: 4 columns of products at a time, in the order of the
// assembly, because rounding depends on it. See _asm/columns.go.

const (
	// lanesMax bounds the lanes of a kernel.
	lanesMax = 8
	// flushEvery is the number of blocks (16 products of limbs) after which lo is moved to hi, so that it stays below
	// 2^52.
	flushEvery = 8
)

// Constants of a ring, in this order.
const (
	constC     = 0 // where hi starts: its last place is 2^48
	constD     = 1 // added and subtracted, it rounds to multiples of 2^w
	constS     = 2 // 2^-w
	constScale = 3 // of the columns that reducePair reads
	constK     = 4 // -m⁻¹ modulo 2^(4w), 4 limbs
	constNegK  = 8
	constUnit  = 12 // -1, 0, 0, 0
	constCount = 16
)

// numbers are limbs in memory from a place on: vectors of lanes, or one double for all lanes.
type numbers struct {
	x      []float64
	at     int
	spread bool
}

func vectors(x []float64, at int) numbers { return numbers{x, at, false} }
func spreads(x []float64, at int) numbers { return numbers{x, at, true} }

// plus is n limbs further on.
func (x numbers) plus(n int) numbers {
	x.at += n
	return x
}

// columns are the accumulators of 4 columns.
type columns struct {
	lanes  int
	consts []float64
	hi, lo [4][lanesMax]float64
	carry  [lanesMax]float64 // into the next group
}

// add adds the product of a limb of a and a limb of b to column k.
func (c *columns) add(k int, a, b numbers) {
	hi, lo := c.hi[k][:c.lanes], c.lo[k][:c.lanes]
	var y float64
	av := a.x[a.at*c.lanes:][:len(hi)]
	bv := hi
	if b.spread {
		y = b.x[b.at]
	} else {
		bv = b.x[b.at*c.lanes:][:len(hi)]
	}
	for l, x := range av {
		if !b.spread {
			y = bv[l]
		}
		old := hi[l]
		sum := math.FMA(x, y, old)
		hi[l] = sum
		lo[l] += math.FMA(x, y, old-sum)
	}
}

// row adds the product of one limb of a and limbs of b to columns first...last.
func (c *columns) row(a, b numbers, first, last int) {
	for k := first; k <= last; k++ {
		c.add(k, a, b.plus(k))
	}
}

// full is a block of 4 rows: row r is limb r of a by limbs -r...3-r of b.
func (c *columns) full(a, b numbers) {
	for r := range 4 {
		c.row(a.plus(r), b.plus(-r), 0, 3)
	}
}

// lower is a block of which only limbs 0 and up of b exist.
func (c *columns) lower(a, b numbers) {
	for r := range 4 {
		c.row(a.plus(r), b.plus(-r), r, 3)
	}
}

// upper is rows from...3 of a block of which only the limbs of b below 4 exist, where b is 4 limbs before its block.
func (c *columns) upper(a, b numbers, from int) {
	for r := from; r < 4; r++ {
		c.row(a.plus(r), b.plus(4-r), 0, r-1)
	}
}

// blocks adds n full blocks and returns where the next one is.
func (c *columns) blocks(a, b numbers, n int) (numbers, numbers) {
	for i := range n {
		c.full(a, b)
		a, b = a.plus(4), b.plus(-4)
		if (i+1)%flushEvery == 0 {
			c.flush()
		}
	}
	return a, b
}

// start sets the columns to zero, or to n columns of t times scale.
func (c *columns) start(t []float64, at, n int, scale float64) {
	for k := range 4 {
		for l := range c.lanes {
			c.hi[k][l] = c.consts[constC]
			c.lo[k][l] = 0
			if k < n {
				c.lo[k][l] = t[(at+k)*c.lanes+l] * scale
			}
		}
	}
}

// flush moves the part of lo above 2^48 to hi.
func (c *columns) flush() {
	big := c.consts[constC]
	for k := range 4 {
		for l := range c.lanes {
			part := (c.lo[k][l] + big) - big
			c.lo[k][l] -= part
			c.hi[k][l] += part
		}
	}
}

// normalize makes digits of the columns and writes them to z from limb at on. The last group of a number has columns up to
// top, which keeps all of its value; top is -1 for other groups.
func (c *columns) normalize(z []float64, at, top int) {
	n := 4
	if top >= 0 {
		n = top + 1
	}
	big, d, s := c.consts[constC], c.consts[constD], c.consts[constS]
	for l := range c.lanes {
		var sum, taken [4]float64
		for k := range n {
			c.hi[k][l] -= big
			if k == 0 {
				sum[k] = c.lo[k][l] + c.carry[l]
			} else {
				sum[k] = math.FMA(c.hi[k-1][l], s, c.lo[k][l])
			}
			if k != top {
				taken[k] = (sum[k] + d) - d
			}
		}
		for k := range n {
			digit := sum[k]
			if k != top {
				digit -= taken[k]
			}
			if k > 0 {
				digit = math.FMA(taken[k-1], s, digit)
			}
			z[(at+k)*c.lanes+l] = digit
		}
		if top < 0 {
			c.carry[l] = (c.hi[3][l] + taken[3]) * s
		}
	}
}
