package bigmod

import "fmt"

// tableWindow is the width w of the windows of a fixed-base table for residues of the given number of words. The time for
// an exponent goes like (multiplication + scan of 2^w rows) / w. Measured for w = 4, 5, 6, 7, relative to w = 6:
//
//	1024 bits  0.97  0.91  1  1.26
//	2048 bits  1.15  1.02  1  1.21
//	4096 bits  1.42  1.18  1  1.04
//	6144 bits  1.39  1.10  1  0.96
//
// Each step of w nearly doubles the table, so the smaller w is taken where two are alike.
func tableWindow(words int) int {
	if words <= 32 {
		return 5
	}
	return 6
}

// tableGroup is how many exponents go through a window before the next one, so that the window's rows are fetched
// from memory once for all of them.
const tableGroup = 16

// genericTable holds base^(d·2^(w·j)) in Montgomery form for every window j and digit d (the method of Brickell,
// Gordon, McCurley and Wilson, EUROCRYPT '92): an exponentiation is one multiplication per window and no squaring.
type genericTable struct {
	ring   *generic
	bits   int
	window int
	rows   [][]uint64 // of each window: its powers d = 0, 1, ..., one after the other
}

// NewTable needs about one multiplication for every row of the table.
func (r *generic) NewTable(base []byte, bits int) Table {
	if bits < 1 {
		panic(fmt.Sprintf("bigmod: NewTable: exponents of %d bits", bits))
	}
	for len(base) > r.modulus.Size() && base[0] == 0 {
		base = base[1:]
	}
	x := make([]uint64, r.n)
	if len(base) <= r.modulus.Size() {
		WordsFromBytes(x, base)
	}
	if len(base) > r.modulus.Size() || LessWords(x, r.m) == 0 {
		panic("bigmod: NewTable: the base is not below the modulus")
	}
	var t montScratch
	montMul(x, x, r.rr, r.m, r.inv, &t)
	table := &genericTable{ring: r, bits: bits, window: tableWindow(r.n)}
	for pos := 0; pos < bits; pos += table.window {
		// The topmost window is as wide as the exponents need.
		w := min(table.window, bits-pos)
		rows := make([]uint64, r.n<<w)
		r.powers(rows, x, &t)
		table.rows = append(table.rows, rows)
		montSqr(x, rows[r.n<<(w-1):][:r.n], r.m, r.inv, &t)
	}
	return table
}

func (t *genericTable) Bits() int { return t.bits }

func (t *genericTable) Bytes() int64 {
	var words int
	for _, rows := range t.rows {
		words += len(rows)
	}
	return 8 * int64(words)
}

func (t *genericTable) Exp(z *Vec, e []byte) {
	r := t.ring
	r.checkVec("Table.Exp", z)
	size := (t.bits + 7) / 8
	checkLen("Table.Exp", len(e), size*z.Len)
	var prod montScratch
	var row [wordsMax]uint64
	for first := 0; first < z.Len; first += tableGroup {
		last := min(first+tableGroup, z.Len)
		for j, rows := range t.rows {
			for i := first; i < last; i++ {
				acc := r.at(z, i)
				d := digit(e[i*size:(i+1)*size], j*t.window, t.window)
				if j == 0 {
					selectRow(acc, rows, d)
					continue
				}
				selectRow(row[:r.n], rows, d)
				montMul(acc, acc, row[:r.n], r.m, r.inv, &prod)
			}
		}
	}
}
