package mont52

// A plan lists the numbers of rows of the passes that a function of the assembly makes, and 0 at the end of a list. A pass
// adds the product of a few rows, limbs of the multiplier, and the whole multiplicand to the column sums; see _asm/pass.go.
type plan []uint64

// Long passes run at the limit of the machine. Passes of 8, 4, 2 and 1 rows are for what they cannot divide.
const (
	longRowsMin = 10
	longRowsMax = 14
	// shortRowsMin is how many rows short passes take after long ones: one pass of 8; see reduceGeneric.
	shortRowsMin = 8
)

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
func (p plan) addLong(rows int) plan {
	passes := ceilDiv(rows, longRowsMax)
	for i := range passes {
		p = append(p, uint64((rows+i)/passes))
	}
	return p
}

// addShort divides rows into passes of 1, 2, 4 and 8.
func (p plan) addShort(rows int) plan {
	for n := 1; rows > 0; n = min(2*n, 8) {
		if rows&n != 0 || n == 8 {
			p = append(p, uint64(n))
			rows -= n
		}
	}
	return p
}

// productPlan is that of productIFMA for k >= limbsMin limbs. The first pass is long.
func productPlan(k int) plan {
	long := dividable(k)
	return append(plan{}.addLong(long).addShort(k-long), 0)
}

// reduceRows is how many columns of a reduction of k limbs the multiples of either lag clear, with lastRows remaining.
func reduceRows(k int) (long, short int) {
	rows := k - lastRows
	long = dividable(rows - shortRowsMin)
	return long, rows - long
}

// reducePlan is that of reduceIFMA for k limbs: passes of the long lag, and passes of the short lag.
func reducePlan(k int) plan {
	long, short := reduceRows(k)
	return append(append(plan{}.addLong(long), 0).addShort(short), 0)
}

func ceilDiv(x, y int) int { return (x + y - 1) / y }
