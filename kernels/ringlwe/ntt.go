package ringlwe

import (
	"fmt"
	"math/bits"
)

// ring is Z_p[X]/(X^n+1) with the tables of its transform.
type ring struct {
	modulus
	n       int
	roots   []factor // powers of psi in bit-reversed order, psi a primitive 2n-th root of unity
	inverse []factor // powers of 1/psi, likewise
	scale   factor   // 1/n

	ifma  bool     // whether the assembly is used, and its tables:
	pairs []uint64 // roots as w and floor(w·2^52/p)
	lanes []uint64 // those of the last three stages, for tailIFMA
}

func newRing(n int, p uint64) *ring {
	if n < 4 || n&(n-1) != 0 || (p-1)%uint64(2*n) != 0 || p >= 1<<50 {
		panic(fmt.Sprintf("ringlwe: no ring of degree %d modulo %d", n, p))
	}
	r := &ring{modulus: newModulus(p), n: n, roots: make([]factor, n), inverse: make([]factor, n)}
	// The smallest g whose power is a primitive 2n-th root: part of the definition of the transform.
	var psi uint64
	for g := uint64(2); ; g++ {
		if psi = r.powVarTime(g, (p-1)/uint64(2*n)); r.powVarTime(psi, uint64(n)) == p-1 {
			break
		}
	}
	back := r.inverseVarTime(psi)
	x, y := uint64(1), uint64(1)
	for i := range n {
		at := bits.Reverse64(uint64(i)) >> (65 - bits.Len(uint(n)))
		r.roots[at], r.inverse[at] = r.factor(x), r.factor(y)
		x, y = r.mulVarTime(x, psi), r.mulVarTime(y, back)
	}
	r.scale = r.factor(r.inverseVarTime(uint64(n)))
	if r.ifma = used() && n >= vectorTail; r.ifma {
		r.makePairs()
	}
	return r
}

// vectorTail is how many words the assembly takes at a time in the last stages.
const vectorTail = 16

// makePairs makes the tables of the assembly.
func (r *ring) makePairs() {
	for _, f := range r.roots {
		r.pairs = append(r.pairs, f.w, f.ratio>>12)
	}
	for at := 0; at < r.n; at += vectorTail {
		for half := 4; half >= 1; half /= 2 {
			var w, ratio [8]uint64
			for lane := range w {
				// Group lane/half of those of 2·half words that begin at word `at`, in the order in which tailIFMA has them.
				f := r.roots[r.n/(2*half)+at/(2*half)+lane/half]
				w[lane], ratio[lane] = f.w, f.ratio>>12
			}
			r.lanes = append(append(r.lanes, w[:]...), ratio[:]...)
		}
	}
}

// forwardGeneric transforms a, in place: n coefficients below 2p become n values of the polynomial at odd powers of psi, in
// bit-reversed order. They are not reduced: each is below (2+2·log2 n)·p, which fits a word by far.
//
// Butterflies are those of Cooley and Tukey, with negacyclic twist (Longa, Naehrig 2016), two stages at a time. A product by a
// root is below 2p whatever the factor (Harvey 2014), so a stage adds 2p to the bound and nothing needs reducing.
func (r *ring) forwardGeneric(a []uint64) {
	checkLen("coefficients", len(a), r.n)
	p, twice := r.p, 2*r.p
	m, size := 1, r.n // m groups of size words
	if bits.Len(uint(r.n))%2 == 0 {
		f := r.roots[1]
		x, y := a[:r.n/2], a[r.n/2:]
		y = y[:len(x)]
		for j := range x {
			q, _ := bits.Mul64(y[j], f.ratio)
			u, v := x[j], y[j]*f.w-q*p
			x[j], y[j] = u+v, u-v+twice
		}
		m, size = 2, r.n/2
	}
	for ; size > 4; m, size = 4*m, size/4 {
		quarter := size / 4
		for i := range m {
			f, g, h := r.roots[m+i], r.roots[2*m+2*i], r.roots[2*m+2*i+1]
			group := a[i*size : (i+1)*size]
			x0, x1, x2, x3 := group[:quarter], group[quarter:][:quarter], group[2*quarter:][:quarter], group[3*quarter:][:quarter]
			for j := range x0 {
				c, d := x2[j], x3[j]
				q, _ := bits.Mul64(c, f.ratio)
				s, _ := bits.Mul64(d, f.ratio)
				c, d = c*f.w-q*p, d*f.w-s*p
				y0, y2 := x0[j]+c, x0[j]-c+twice
				y1, y3 := x1[j]+d, x1[j]-d+twice
				q, _ = bits.Mul64(y1, g.ratio)
				s, _ = bits.Mul64(y3, h.ratio)
				y1, y3 = y1*g.w-q*p, y3*h.w-s*p
				x0[j], x1[j] = y0+y1, y0-y1+twice
				x2[j], x3[j] = y2+y3, y2-y3+twice
			}
		}
	}
	first, second := r.roots[m:2*m], r.roots[2*m:4*m]
	for i, f := range first {
		x := (*[4]uint64)(a[4*i:])
		g, h := second[2*i], second[2*i+1]
		c, d := x[2], x[3]
		q, _ := bits.Mul64(c, f.ratio)
		s, _ := bits.Mul64(d, f.ratio)
		c, d = c*f.w-q*p, d*f.w-s*p
		y0, y2 := x[0]+c, x[0]-c+twice
		y1, y3 := x[1]+d, x[1]-d+twice
		q, _ = bits.Mul64(y1, g.ratio)
		s, _ = bits.Mul64(y3, h.ratio)
		y1, y3 = y1*g.w-q*p, y3*h.w-s*p
		x[0], x[1], x[2], x[3] = y0+y1, y0-y1+twice, y2+y3, y2-y3+twice
	}
}

// backward undoes forward, in place: n values below 2p become n coefficients between 0 and p-1. Butterflies are those of
// Gentleman and Sande; all words stay below 2p.
func (r *ring) backward(a []uint64) {
	checkLen("values", len(a), r.n)
	p, twice := r.p, 2*r.p
	for m, size := r.n/2, 1; m >= 1; m, size = m/2, 2*size {
		for i := range m {
			f := r.inverse[m+i]
			x, y := a[2*i*size:][:size], a[(2*i+1)*size:][:size]
			for j := range x {
				u, v := x[j], y[j]
				s := u + v - twice
				x[j] = s + twice&uint64(int64(s)>>63)
				d := u - v + twice
				q, _ := bits.Mul64(d, f.ratio)
				y[j] = d*f.w - q*p
			}
		}
	}
	for j := range a {
		a[j] = r.mul(a[j], r.scale)
	}
}

// factors makes constants of values below p, to multiply with.
func (r *ring) factors(values []uint64) factors {
	f := factors{make([]uint64, len(values)), make([]uint64, len(values))}
	for i, x := range values {
		one := r.factor(x)
		f.w[i], f.ratio[i] = one.w, one.ratio
	}
	return f
}

// transformed is the transform of small coefficients, |x| < p, as constants to multiply with.
func (r *ring) transformed(coefficients []int64) factors {
	a := make([]uint64, r.n)
	checkLen("coefficients", len(coefficients), r.n)
	for i, x := range coefficients {
		a[i] = r.lift(x)
	}
	r.forward(a)
	for i := range a {
		a[i] = r.reduce(a[i])
	}
	f := r.factors(a)
	clear(a)
	return f
}
