package fma47

import "math"

// lastLimbs is the number of columns that the modulus itself clears, and the lag of its multiple.
const lastLimbs = 4

// reduceGeneric sets z = T·R⁻¹ modulo m, R = 2^(wn), for T the value of the 2n columns of t, of at most 2^(w+1) each. t has 2
// vectors of zeros before its columns. z has n limbs. n is even and 12 or more.
//
// Montgomery's method adds to T a multiple of m that clears n columns. Let k = -m⁻¹ modulo 2^(4w), balanced, so that
// k·m = M·2^(4w) - 1 with a number M of n limbs, |M| <= m/2 (Orup, Simplifying quotient determination in high-radix modular
// multiplication, ARITH-12, 1995). The multiple of k·m that clears a block of 4 columns is these columns as digits: no
// multiplication finds it, and no block waits for the one before. What this adds to T is below m·2^(wn-4w) times
// 2^(4w)/4, so the last 4 columns are cleared by multiples of m itself: q = digits·k modulo 2^(4w). In all
//
//	|z| < |T|/R + m/4 + m/2 + small.
//
// R is at least 32m, so that z is below m for |T| < 7m², or 7·R·m/32.
//
// q has room for n+2 digits, rounded down to a multiple of 4, and 9 vectors. Afterwards it holds the digits of the multipliers: of
// k·m, and the last 4 of m. When n is 2 modulo 4, they begin with two zeros.
func reduceGeneric(z, t, q, multiple, m, consts []float64, n, lanes int) {
	reduction(z, t, q, nil, multiple, m, consts, n, lanes)
}

// reducePairGeneric is reduceGeneric for T times a constant, minus the number that the multipliers of another reduction, in
// quotient, are times m.
func reducePairGeneric(z, t, q, quotient, multiple, m, consts []float64, n, lanes int) {
	reduction(z, t, q, quotient, multiple, m, consts, n, lanes)
}

func reduction(z, t, q, quotient, multiple, m, consts []float64, n, lanes int) {
	c := columns{lanes: lanes, consts: consts}
	off := n & 2
	groups := (n + 2) / 4
	scale := 1.0
	if quotient != nil {
		scale = consts[constScale]
	}
	// t[0] is 2 columns before column 0.
	from := 2 - off
	start := func(n int) {
		c.start(t, from, n, scale)
		from += 4
	}
	for g := range groups {
		start(4)
		if quotient != nil {
			if g > 0 {
				c.upper(vectors(quotient, 4*(g-1)), spreads(consts, constNegK), 1)
			}
			factor := constNegK
			if g == groups-1 && g > 0 {
				factor = constUnit
			}
			c.lower(vectors(quotient, 4*g), spreads(consts, factor))
		}
		if blocks := g - 1 - off/2; blocks >= 0 {
			a, b := c.blocks(vectors(q, off), spreads(multiple, 4*(g-1)-off), blocks)
			for r := range off {
				c.row(a.plus(r), b.plus(-r), 0, 3)
			}
		}
		if g > 0 {
			c.lower(vectors(q, 4*(g-1)), spreads(multiple, 0))
		}
		c.normalize(q, 4*g, -1)
	}

	last := 4 * (groups - 1)
	carry := c.carry
	digits := q[(last+4)*lanes:]
	copy(digits, q[last*lanes:(last+4)*lanes])
	c.start(nil, 0, 0, 0)
	c.lower(vectors(q, last), spreads(consts, constK))
	c.carry = [lanesMax]float64{}
	c.normalize(q, last, -1)
	c.start(digits, 0, 4, 1)
	c.lower(vectors(q, last), spreads(m, 0))
	big, s := consts[constC], consts[constS]
	for l := range lanes {
		for k := range 4 {
			c.hi[k][l] -= big
			if k > 0 {
				c.lo[k][l] = math.FMA(c.hi[k-1][l], s, c.lo[k][l])
			}
		}
		for k := 1; k < 4; k++ {
			c.lo[k][l] = math.FMA(c.lo[k-1][l], s, c.lo[k][l])
		}
		c.carry[l] = math.FMA(c.hi[3][l]+c.lo[3][l], s, carry[l])
	}

	at := 0
	for h := range groups - off/2 {
		start(4)
		left := groups - 1 - off/2 - h
		a, b := vectors(q, off), spreads(multiple, n-4)
		if h > 0 {
			a = a.plus(4 * (h - 1))
			c.upper(a, b, 1)
			a = a.plus(4)
		}
		a, b = c.blocks(a, b, left)
		for r := range off {
			c.row(a.plus(r), b.plus(-r), 0, 3)
		}
		c.full(vectors(q, last), spreads(m, 4*(h+1)))
		top := -1
		if left == 0 && off == 0 {
			top = 3
		}
		c.normalize(z, at, top)
		at += 4
	}
	if off != 0 {
		// A group of 2 columns is left, which the last limbs of the multiple and of m reach.
		start(2)
		c.add(0, vectors(q, last-1), spreads(multiple, n-1))
		c.add(0, vectors(q, last+3), spreads(m, n-1))
		c.normalize(z, at, 1)
	}
}
