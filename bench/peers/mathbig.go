package peers

import (
	"math/big"
	"runtime"
)

var mathBig = Library{Name: "math/big", Version: runtime.Version(), New: newBigWorker}

// bigWorker computes with the standard library, in process.
type bigWorker struct {
	*constants
	rows   Rows
	out    []big.Int
	t, u   big.Int
	halves [2]big.Int
}

var bigOne = big.NewInt(1)

func newBigWorker(k Key, rows Rows) Worker {
	return &bigWorker{constants: newConstants(k), rows: rows, out: make([]big.Int, len(rows.M))}
}

func (w *bigWorker) Run(op Op, n int) {
	for i := range n {
		w.one(op, i%len(w.out))
	}
}

func (w *bigWorker) one(op Op, i int) {
	z, r := &w.out[i], &w.rows
	switch op {
	case EncryptTextbook:
		w.message(z, i, w.t.Exp(r.R[i], w.n, w.n2))
	case EncryptDJN:
		w.message(z, i, w.t.Exp(w.hs, r.E[i], w.n2))
	case Add, SquareMul:
		w.u.QuoRem(w.t.Mul(r.A[i], r.B[i]), w.n2, z)
	case SquareSqr:
		w.u.QuoRem(w.t.Mul(r.A[i], r.A[i]), w.n2, z)
	case Mul64:
		z.Exp(r.A[i], r.S[i], w.n2)
	case Decrypt:
		w.decrypt(z, r.A[i])
	}
}

// message multiplies a randomizer by 1+mN.
func (w *bigWorker) message(z *big.Int, i int, randomizer *big.Int) {
	w.u.Add(w.u.Mul(w.rows.M[i], w.n), bigOne)
	w.u.Mul(&w.u, randomizer)
	z.Rem(&w.u, w.n2)
}

func (w *bigWorker) decrypt(z, c *big.Int) {
	for i := range w.side {
		s, m := &w.side[i], &w.halves[i]
		w.t.Rem(c, s.p2)
		m.Exp(&w.t, s.exponent, s.p2)
		m.Quo(w.t.Sub(m, bigOne), s.p)
		m.Rem(w.t.Mul(m, s.factor), s.p)
	}
	// Garner: mp + p·((mq - mp)·p⁻¹ mod q).
	w.t.Sub(&w.halves[1], &w.halves[0])
	w.t.Mul(&w.t, w.inverse)
	w.t.Mod(&w.t, w.side[1].p)
	z.Add(&w.halves[0], w.t.Mul(&w.t, w.side[0].p))
}

func (w *bigWorker) Result(row int) *big.Int { return new(big.Int).Set(&w.out[row]) }

func (w *bigWorker) Close() {}
