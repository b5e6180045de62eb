//go:build !purego

package mont64

// From so many words on, where one step of Karatsuba's method gains: products and squares of n words, by measurement, n/2
// being a multiple of 8:
//
//	words          32    48    64    96   128
//	product      0.93  0.85  0.77  0.69  0.61   of the time without
//	square       1.10  0.96  0.91  0.83  0.76
const (
	productSplit = 32
	squareSplit  = 48
)

// product sets t = x·y, len(x) = len(y) words each, len(t) twice as many, by
//
//	x·y = h + (h + l - (x0-x1)·(y0-y1))·B + l·B², h = x1·y1·..., B = 2^(32·len(x))
//
// s is scratch of as many words as t. Nothing overlaps but x and y.
func (a *montgomery) product(t, x, y, s []uint64) {
	n := len(x)
	if n < productSplit || n%(2*blockWords) != 0 {
		if a.byTwo {
			productADX2(&t[0], &x[0], &y[0], n)
		} else {
			productADX(&t[0], &x[0], &y[0], n)
		}
		return
	}
	h := n / 2
	dx, dy, d, s := t[:h], t[h:n], s[:n], s[n:]
	minus := ^(differenceADX(&dx[0], &x[0], &x[h], h) ^ differenceADX(&dy[0], &y[0], &y[h], h))
	a.product(d, dx, dy, s)
	a.product(t[:n], x[:h], y[:h], s)
	a.product(t[n:], x[h:], y[h:], s)
	middleADX(&t[0], &d[0], minus, n)
}

// square is product for x = y.
func (a *montgomery) square(t, x, s []uint64) {
	n := len(x)
	if n < squareSplit || n%(2*blockWords) != 0 {
		if a.byTwo {
			squareADX2(&t[0], &x[0], n)
		} else {
			squareADX(&t[0], &x[0], n)
		}
		return
	}
	h := n / 2
	dx, d, s := t[:h], s[:n], s[n:]
	differenceADX(&dx[0], &x[0], &x[h], h)
	a.square(d, dx, s)
	a.square(t[:n], x[:h], s)
	a.square(t[n:], x[h:], s)
	middleADX(&t[0], &d[0], ^uint64(0), n)
}
