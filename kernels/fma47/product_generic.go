package fma47

// productGeneric sets the 2n columns t = x·y as digits, for numbers of n limbs. n is even and 12 or more.
func productGeneric(t, x, y, consts []float64, n, lanes int) {
	products(t, consts, n, lanes, false, x, y)
}

// productAddGeneric sets t += x·y.
func productAddGeneric(t, x, y, consts []float64, n, lanes int) {
	products(t, consts, n, lanes, true, x, y)
}

// product2Generic sets t = x·y + u·w. n is at most 62.
func product2Generic(t, x, y, u, w, consts []float64, n, lanes int) {
	products(t, consts, n, lanes, false, x, y, u, w)
}

func products(t, consts []float64, n, lanes int, add bool, operands ...[]float64) {
	c := columns{lanes: lanes, consts: consts}
	at := 0
	group := func(part func(x, y []float64)) {
		had := 0
		if add {
			had = 4
		}
		c.start(t, at, had, 1)
		for i := 0; i < len(operands); i += 2 {
			if i > 0 {
				c.flush()
			}
			part(operands[i], operands[i+1])
		}
	}
	digits := func(top int) {
		c.normalize(t, at, top)
		at += 4
	}
	whole := n / 4
	for g := range whole {
		group(func(x, y []float64) {
			c.lower(c.blocks(vectors(x, 0), vectors(y, 4*g), g))
		})
		digits(-1)
	}
	first := 0
	if n%4 == 2 {
		// The group in the middle: rows 0 and 1 are cut off above, the last row below.
		group(func(x, y []float64) {
			a, b := vectors(x, -2), vectors(y, n-4)
			c.upper(a, b, 2)
			a, b = c.blocks(a.plus(4), b, whole-1)
			for r := range 4 {
				c.row(a.plus(r), b.plus(-r), r/3, 3)
			}
		})
		digits(-1)
		first = 2
	}
	for left := whole - 1; left >= 0; left-- {
		group(func(x, y []float64) {
			a, b := vectors(x, first), vectors(y, n-4)
			c.upper(a, b, 1)
			c.blocks(a.plus(4), b, left)
		})
		if left == 0 {
			digits(3)
		} else {
			digits(-1)
		}
		first += 4
	}
}

// squareGeneric sets t = x² like productGeneric, with the products of different limbs taken once, from twice = 2x, which it
// fills in.
func squareGeneric(t, x, twice, consts []float64, n, lanes int) {
	for i, v := range x[:n*lanes] {
		twice[i] = v + v
	}
	c := columns{lanes: lanes, consts: consts}
	at := 0
	// corner is the products within a block of which the middle of the columns is limb 2, from limb 1 on.
	corner := func(block int) {
		c.add(0, vectors(twice, block+1), vectors(x, block+3))
		c.add(1, vectors(twice, block+2), vectors(x, block+3))
		c.add(0, vectors(x, block+2), vectors(x, block+2))
		c.add(2, vectors(x, block+3), vectors(x, block+3))
	}
	// middle ends a group whose rows go up to block.
	middle := func(block, y int, cut bool) {
		if cut {
			c.lower(vectors(twice, block), vectors(x, y))
			corner(block)
			return
		}
		a := vectors(twice, block)
		c.add(3, a, vectors(x, block+3))
		c.add(2, a, vectors(x, block+2))
		c.add(1, a, vectors(x, block+1))
		c.add(3, a.plus(1), vectors(x, block+2))
		c.add(0, vectors(x, block), vectors(x, block))
		c.add(2, vectors(x, block+1), vectors(x, block+1))
	}
	digits := func(top int) {
		c.normalize(t, at, top)
		at += 4
	}
	for g := range n / 4 {
		c.start(nil, 0, 0, 0)
		a, b := c.blocks(vectors(twice, 0), vectors(x, 4*g), g/2)
		middle(a.at, b.at, g%2 == 1)
		digits(-1)
	}
	first, from, rest := 0, 1, n/2-4 // rest: from the first full row to the middle of the columns
	if n%4 == 2 {
		first, from, rest = -2, 2, n/2-3
	}
	for ; rest >= 0; rest -= 2 {
		c.start(nil, 0, 0, 0)
		a, b := vectors(twice, first), vectors(x, n-4)
		c.upper(a, b, from)
		a, b = c.blocks(a.plus(4), b, rest/4)
		middle(a.at, b.at, rest%4 != 0)
		digits(-1)
		first, from = first+4, 1
	}
	c.start(nil, 0, 0, 0)
	corner(first)
	digits(3)
}
