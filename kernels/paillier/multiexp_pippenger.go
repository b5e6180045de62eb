package paillier

import (
	"github.com/cipherfold/cipherfold/bigmod"
)

// pippengerMemoryMax bounds the buckets of a weighted sum, in bytes.
const pippengerMemoryMax = 32 << 20

// pippengerWindowMax is the widest window of bits of a weight.
const pippengerWindowMax = 16

// pippenger computes products of powers with public exponents of every row's own: for each window of bits, rows are
// multiplied into the bucket of their digit, and buckets combined as B1·B2²·B3³... (Pippenger, On the evaluation of
// powers and related problems, FOCS 1976). All windows run side by side, so that the rows are read once; positive and
// negative weights have buckets of their own. A lane is a window of one sign.
type pippenger struct {
	bits    int  // of a window
	windows int  // number of windows
	lanes   int  // windows, or twice as many with negative weights
	mont    bool // rows are taken to Montgomery form first: with more buckets than rows that is cheaper than repairing the buckets
	buckets *scatter
	row     pieceVec // rows of a piece, overwritten for each window
	to      [pieceMax]int32
}

// planPippenger chooses the window for n rows with weights of the given length.
func planPippenger(n, length int, negative bool, residueBytes int) *pippenger {
	signs := 1
	if negative {
		signs = 2
	}
	best, bestCost := &pippenger{}, 0.0
	for c := 1; c <= pippengerWindowMax; c++ {
		windows := (length + c - 1) / c
		buckets := (1<<c - 1) * windows * signs
		if c > 1 && buckets*residueBytes > pippengerMemoryMax {
			break
		}
		repair := min(n, buckets)
		cost := float64(windows)*float64(n)*(1-1/float64(int(1)<<c)) + float64(2*buckets+repair+signs*length)
		if c == 1 || cost < bestCost {
			best = &pippenger{bits: c, windows: windows, lanes: windows * signs, mont: n < buckets}
			bestCost = cost
		}
	}
	return best
}

// WeightedSum multiplies powers of all ciphertexts of a batch into the one ciphertext dst = ∏ c[i]^w[i], an encryption of
// the weighted sum of the plaintexts, with one inversion when there are negative weights. Of ciphertexts with weight 0
// only the range is checked. Whoever knows the inputs' plaintexts can find out small weights from the result;
// Rerandomize hides them.
func (e *Evaluator) WeightedSum(dst []byte, ct []byte, w Scalars) error {
	checkLen("sum", len(dst), e.pk.CiphertextSize())
	w.check(e.rows(ct))
	used, negative := 0, false
	for i, neg := range w.Neg {
		if !w.isZero(i) {
			used++
			negative = negative || neg
		}
	}
	length := w.bitLen()
	p := e.newPippenger(used, length, negative)
	err := pieces(e.rows(ct), pieceMax, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		return p.add(x, class, w, first)
	})
	if err != nil {
		return err
	}
	if used == 0 {
		e.storeOne(dst)
		return nil
	}
	positive, inverse := p.result(e)
	product := positive
	if inverse != nil {
		product = e.acc.get(0)
		e.rings.square.Mul(product, positive, inverse)
	}
	if !e.units.isUnit(product) {
		return e.nonUnitError(ct, 0, e.firstNonUnit(ct, w.isZero))
	}
	if inverse != nil {
		if err := e.rings.square.InverseVarTime(inverse, inverse); err != nil {
			return err
		}
		e.rings.square.ToMont(inverse, inverse)
		e.rings.square.Mul(positive, positive, inverse)
	}
	e.rings.square.Bytes(dst, positive)
	return nil
}

// newPippenger plans a weighted sum and takes over the buckets of the last one if they are enough.
func (e *Evaluator) newPippenger(n, length int, negative bool) *pippenger {
	ring := e.rings.square
	p := planPippenger(n, length, negative, ring.Modulus().Size())
	p.row = pieceVec{ring: ring}
	if last := e.pippenger; last != nil {
		p.row, p.buckets = last.row, last.buckets
	}
	if need := (1<<p.bits - 1) * p.lanes; p.buckets == nil || len(p.buckets.counts) < need {
		p.buckets = newScatter(ring, need)
	}
	p.buckets.reset()
	e.pippenger = p
	return p
}

// bucket is the place of digit d >= 1 of a lane.
func (p *pippenger) bucket(d, lane int) int32 { return int32((d-1)*p.lanes + lane) }

// add takes a piece of ciphertexts, which starts at row first; it overwrites x.
func (p *pippenger) add(x *bigmod.Vec, class int, w Scalars, first int) error {
	if p.mont {
		p.row.ring.ToMont(x, x)
	}
	for j := range p.windows {
		for i := range x.Len {
			p.to[i] = -1
			if d := digit(w.abs(first+i), j*p.bits, p.bits); d != 0 {
				lane := j
				if w.Neg[first+i] {
					lane += p.windows
				}
				p.to[i] = p.bucket(d, lane)
			}
		}
		row := x
		if j < p.windows-1 { // the last window may use up x itself
			row = p.row.get(class)
			p.row.ring.CopyAt(row, iota32[:x.Len], x, iota32[:x.Len])
		}
		if err := p.buckets.add(row, p.to[:x.Len]); err != nil {
			return err
		}
	}
	return nil
}

// result returns the product of the powers with positive weights and that with the magnitudes of negative ones (nil
// when there are none), not in Montgomery form.
func (p *pippenger) result(e *Evaluator) (positive, negative *bigmod.Vec) {
	ring, b := e.rings.square, p.buckets
	if !p.mont {
		ring.MulRPow(b.buckets, b.counts) // k factors: x1·...·xk·R^-(k-1) to Montgomery form
	}
	for i, n := range b.counts {
		if n == 0 {
			ring.CopyAt(b.buckets, []int32{int32(i)}, e.rings.oneMont, zeros32[:1])
		}
	}
	// sum is B_d·B_(d+1)·..., total the product of these sums for all digits down to d: B1·B2²·B3³...
	sum, total := ring.NewVec(p.lanes), ring.NewVec(p.lanes)
	index, lanes := make([]int32, p.lanes), make([]int32, p.lanes)
	for i := range lanes {
		lanes[i] = int32(i)
	}
	for d := 1<<p.bits - 1; d >= 1; d-- {
		for lane := range index {
			index[lane] = p.bucket(d, lane)
		}
		if d == 1<<p.bits-1 {
			ring.CopyAt(sum, lanes, b.buckets, index)
			ring.CopyAt(total, lanes, sum, lanes)
			continue
		}
		ring.MulAt(sum, lanes, b.buckets, index)
		ring.Mul(total, total, sum)
	}
	signs := p.lanes / p.windows
	result := ring.NewVec(signs)
	for j := p.windows - 1; j >= 0; j-- {
		for sign := range signs {
			index[sign] = int32(sign*p.windows + j)
		}
		if j == p.windows-1 {
			ring.CopyAt(result, lanes[:signs], total, index[:signs])
			continue
		}
		for range p.bits {
			ring.Sqr(result, result)
		}
		ring.MulAt(result, lanes[:signs], total, index[:signs])
	}
	ring.FromMont(result, result)
	positive = ring.NewVec(1)
	ring.CopyAt(positive, lanes[:1], result, lanes[:1])
	if signs == 2 {
		negative = ring.NewVec(1)
		ring.CopyAt(negative, zeros32[:1], result, lanes[1:2])
	}
	return positive, negative
}
