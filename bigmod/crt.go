package bigmod

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

// ErrNotCoprime says that the two moduli of a CRT share a factor.
var ErrNotCoprime = errors.New("bigmod: the moduli share a factor")

// CRT combines residues modulo p and q into the residue modulo p·q, by Garner's method: x = xp + p·((xq - xp)/p mod q).
// Both moduli may be secret. A CRT is read-only and safe for concurrent use.
type CRT struct {
	p, q    *Modulus
	ring    Ring // of q
	inverse *Vec // p⁻¹ mod q, Montgomery form
	limbs   int  // of p·q
	// Scratch for full batches and for the rest, which has the same length in every call of most callers: a *crtScratch
	// of another length is replaced.
	full, rest sync.Pool
}

// crtBatch is how many values are combined at a time; it bounds the scratch memory.
const crtBatch = 64

// crtScratch is what one batch needs.
type crtScratch struct {
	xp, xq  *Vec
	t       []uint64 // xq.Len values modulo q
	product []uint64 // one value of p.Limbs()+q.Limbs() words
}

// NewCRT prepares for the moduli of the rings p and q; the arithmetic runs in q. It returns ErrNotCoprime when the
// moduli share a factor, and an error when p has more than twice the words of q. Constant time in the moduli.
func NewCRT(p, q Ring) (*CRT, error) {
	pm, qm := p.Modulus(), q.Modulus()
	if pm.Limbs() > 2*qm.Limbs() {
		return nil, fmt.Errorf("bigmod: NewCRT: a modulus of %d bits is too long to go with one of %d", pm.bits, qm.bits)
	}
	c := &CRT{p: pm, q: qm, ring: q, inverse: q.NewVec(1)}
	q.SetWide(c.inverse, pm.words, pm.Limbs())
	w := make([]uint64, qm.Limbs())
	q.Words(w, c.inverse)
	if inverse(w, w, qm.words, qm.bits) == 0 {
		return nil, ErrNotCoprime
	}
	q.SetWords(c.inverse, w)
	q.ToMont(c.inverse, c.inverse)

	product := make([]uint64, pm.Limbs()+qm.Limbs())
	MulWords(product, pm.words, qm.words)
	c.limbs = len(product)
	if product[c.limbs-1] == 0 {
		c.limbs--
	}
	return c, nil
}

// Limbs is the length of a combined residue in words: ceil(bits of p·q / 64).
func (c *CRT) Limbs() int { return c.limbs }

// Combine sets the n values z[i*Limbs():(i+1)*Limbs()], below p·q, to what is xp[i] modulo p and xq[i] modulo q. xp and
// xq hold n residues of p.Limbs() and q.Limbs() little-endian words each. z overlaps neither. It panics when a length
// does not fit n. Constant time.
func (c *CRT) Combine(z []uint64, n int, xp, xq []uint64) {
	pl, ql := c.p.Limbs(), c.q.Limbs()
	checkLen("CRT.Combine", len(z), n*c.limbs)
	checkLen("CRT.Combine", len(xp), n*pl)
	checkLen("CRT.Combine", len(xq), n*ql)
	for ; n >= crtBatch; n -= crtBatch {
		c.batch(&c.full, crtBatch, z, xp, xq)
		z, xp, xq = z[crtBatch*c.limbs:], xp[crtBatch*pl:], xq[crtBatch*ql:]
	}
	if n > 0 {
		c.batch(&c.rest, n, z, xp, xq)
	}
}

// batch combines the first n values.
func (c *CRT) batch(pool *sync.Pool, n int, z, xp, xq []uint64) {
	pl, ql := c.p.Limbs(), c.q.Limbs()
	s, _ := pool.Get().(*crtScratch)
	if s == nil || s.xp.Len != n {
		s = &crtScratch{c.ring.NewVec(n), c.ring.NewVec(n), make([]uint64, n*ql), make([]uint64, pl+ql)}
	}
	defer pool.Put(s)
	c.ring.SetWide(s.xp, xp[:n*pl], pl)
	c.ring.SetWords(s.xq, xq[:n*ql])
	c.ring.Sub(s.xq, s.xq, s.xp)
	c.ring.MulElem(s.xq, s.xq, c.inverse)
	c.ring.Words(s.t, s.xq)
	for i := range n {
		MulWords(s.product, c.p.words, s.t[i*ql:(i+1)*ql])
		zi := z[i*c.limbs : (i+1)*c.limbs]
		carry := AddWords(zi[:pl], s.product[:pl], xp[i*pl:(i+1)*pl])
		for j := pl; j < c.limbs; j++ {
			zi[j], carry = bits.Add64(s.product[j], 0, carry)
		}
	}
}
