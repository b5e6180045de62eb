package mont52

// A plan lists the passes that a function of the assembly makes, 3 words for each: rows, phase, count. A pass adds the
// product of a few rows, limbs of the multiplier, and the whole multiplicand to the column sums; see _asm/pass.go for phase
// and count. A pass of no rows ends a list of passes.
type plan []uint64

// The kernels have passes of 12, 13 and 14 rows, which run at the limit of the machine, and of 8, 4, 2 and 1 for what
// those cannot divide. Those of the assembly's plans end with a pass of no rows.
const (
	longRowsMin = 12
	longRowsMax = 14
	// shortRowsMin is how many rows short passes take after long ones: one pass of 8; see reduceGeneric.
	shortRowsMin = 8
)

// add appends a pass over the given number of limbs.
func (p plan) add(rows, limbs int) plan {
	count := (limbs + rows) / (rows + 1)
	phase := count*(rows+1) - limbs
	return append(p, uint64(rows), uint64(phase), uint64(count))
}

// end ends a list of passes.
func (p plan) end() plan { return append(p, 0, 0, 0) }

// dividable is the largest part of a number of rows that long passes can make up.
func dividable(rows int) int {
	for rows >= longRowsMin && rows < longRowsMin*ceilDiv(rows, longRowsMax) {
		rows--
	}
	if rows < longRowsMin {
		return 0
	}
	return rows
}

// addLong divides rows evenly into as few long passes as possible.
func (p plan) addLong(rows, limbs int) plan {
	passes := ceilDiv(rows, longRowsMax)
	for i := range passes {
		p = p.add((rows+i)/passes, limbs)
	}
	return p
}

// addShort divides rows into passes of 1, 2, 4 and 8.
func (p plan) addShort(rows, limbs int) plan {
	for n := 1; rows > 0; n = min(2*n, 8) {
		if rows&n != 0 || n == 8 {
			p = p.add(n, limbs)
			rows -= n
		}
	}
	return p
}

// productPlan is that of productIFMA for k limbs. The first pass has longRowsMin rows.
func productPlan(k int) plan {
	rest := k - longRowsMin
	long := dividable(rest)
	return plan{}.add(longRowsMin, k).addLong(long, k).addShort(rest-long, k).end()
}

// reduceRows is how many columns of a reduction of k limbs the multiples of either lag clear, with lastRows remaining.
func reduceRows(k int) (long, short int) {
	rows := k - lastRows
	long = dividable(rows - shortRowsMin)
	return long, rows - long
}

// reducePlan is that of reduceIFMA for k limbs: the passes of the long lag, of the short lag, and of the modulus itself.
func reducePlan(k int) plan {
	long, short := reduceRows(k)
	return plan{}.addLong(long, k).end().addShort(short, k).end().add(lastRows, k-lastRows)
}

func ceilDiv(x, y int) int { return (x + y - 1) / y }
