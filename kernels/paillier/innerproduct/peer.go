package innerproduct

import (
	"encoding/binary"
	"math/big"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

func init() {
	knownanswer.Respond = func(peer any, dst []byte, s, masks []uint64, r []byte) error {
		p := peer.(*Peer)
		return p.finish(dst, s, masks, func() error { return knownanswer.RerandomizeRoots(p.evaluator, dst, dst, r) })
	}
}

// Peer computes products of an owner's encrypted vectors with its own shares, several sums at once. It holds for each
// sum one ciphertext for each slot of the layout, whatever the number of records. It serves one goroutine at a time;
// several workers each have their own and merge them at the end.
type Peer struct {
	layout    shares.Convolution
	limbs     int
	size      int
	sums      int
	doubled   []bool
	evaluator *paillier.Evaluator
	random    *shares.Stream

	products []byte // of slot i of sum k: row i*sums+k
	batch    []byte // the ciphertexts of one call
	digits   []uint64
	weights  paillier.Scalars
	fresh    []byte // products of one call, one for each slot
	rows     []byte // the products so far that they are multiplied with
}

// NewPeer makes a worker for len(doubled) sums. doubled[k] says that sum k counts twice, as that of a column with itself
// does: u_a·u_b + u_a·u_b.
func NewPeer(pk *paillier.PublicKey, layout shares.Convolution, doubled []bool) *Peer {
	sums := len(doubled)
	p := &Peer{
		layout: layout, limbs: pk.PlaintextLimbs(), size: pk.CiphertextSize(), sums: sums, doubled: doubled,
		evaluator: pk.NewEvaluator(), random: shares.NewStream(),
	}
	p.products = make([]byte, layout.Records*sums*p.size)
	p.fresh, p.rows = make([]byte, layout.Records*p.size), make([]byte, layout.Records*p.size)
	p.reset()
	return p
}

// reset makes all products 1, which encrypts 0.
func (p *Peer) reset() {
	clear(p.products)
	for i := p.size - 1; i < len(p.products); i += p.size {
		p.products[i] = 1
	}
}

// Bytes is the memory held.
func (p *Peer) Bytes() int64 {
	return int64(len(p.products)+len(p.batch)+len(p.fresh)+len(p.rows)+8*len(p.digits)+len(p.weights.Abs)+len(p.weights.Neg)) + p.evaluator.Bytes()
}

// A Term is encrypted shares of a column of the owner, and this server's shares of another column, of the same records:
// layout.Ciphertexts(len(Shares)) ciphertexts.
type Term struct {
	Ciphertexts []byte
	Shares      []uint64
}

// AddVarTime adds the products of terms, record by record, to a sum. It returns a *paillier.CiphertextError, whose Index
// counts from the first term on, for what is no ciphertext; the sums are then not to be used. It panics when the lengths
// do not agree.
//
// It is not constant time in the shares: the order in which memory is read depends on them (Pippenger's buckets), and a
// digit 0 takes no multiplication. The shares are uniform and fresh for each value. So what can be learnt is about
// shares, by someone who observes caches on this server during the call, and about values only when that person has all
// other servers' shares too.
func (p *Peer) AddVarTime(sum int, terms ...Term) error {
	n := 0
	p.batch = p.batch[:0]
	for _, t := range terms {
		p.batch = append(p.batch, t.Ciphertexts...)
		n += p.layout.Ciphertexts(len(t.Shares))
	}
	p.scratch(n)
	for slot := range p.layout.Records {
		at := 0
		for _, t := range terms {
			blocks := p.layout.Ciphertexts(len(t.Shares))
			p.layout.Digits(p.digits[at:at+blocks], t.Shares, slot)
			at += blocks
		}
		for i, d := range p.digits {
			binary.BigEndian.PutUint64(p.weights.Abs[8*i:], d)
		}
		if err := p.evaluator.WeightedSum(p.fresh[slot*p.size:(slot+1)*p.size], p.batch, p.weights); err != nil {
			return err
		}
		copy(p.rows[slot*p.size:], p.product(slot, sum))
	}
	if err := p.evaluator.Fold(p.rows, p.rows, p.fresh); err != nil {
		return err
	}
	for slot := range p.layout.Records {
		copy(p.product(slot, sum), p.rows[slot*p.size:(slot+1)*p.size])
	}
	return nil
}

func (p *Peer) scratch(n int) {
	if cap(p.digits) < n {
		p.digits = make([]uint64, n)
		p.weights = paillier.Scalars{Size: 8, Abs: make([]byte, 8*n), Neg: make([]bool, n)}
	}
	p.digits, p.weights.Abs, p.weights.Neg = p.digits[:n], p.weights.Abs[:8*n], p.weights.Neg[:n]
}

func (p *Peer) product(slot, sum int) []byte {
	row := slot*p.sums + sum
	return p.products[row*p.size : (row+1)*p.size]
}

// Merge adds the sums of another worker of the same key, layout and number of sums, which starts again.
func (p *Peer) Merge(q *Peer) error {
	err := p.evaluator.Fold(p.products, p.products, q.products)
	q.reset()
	return err
}

// Respond writes one ciphertext for each sum, for the owner, and this server's shares of the sums. The worker starts
// again.
func (p *Peer) Respond(dst []byte, s []uint64) error {
	masks := make([]uint64, p.sums*p.layout.Masks()*p.layout.MaskWords())
	for k := range p.sums {
		n := len(masks) / p.sums
		p.layout.DrawMasks(masks[k*n:(k+1)*n], p.random)
	}
	return p.finish(dst, s, masks, func() error { return p.evaluator.Rerandomize(dst, dst) })
}

// finish puts the slots together, adds masks and makes the randomness fresh.
func (p *Peer) finish(dst []byte, s, masks []uint64, rerandomize func() error) error {
	batch := p.sums * p.size
	copy(dst, p.products[:batch])
	shift := new(big.Int).Lsh(big.NewInt(1), uint(p.layout.SlotBits))
	for slot := 1; slot < p.layout.Records; slot++ { // Horner's rule, all sums side by side
		if err := p.evaluator.MulPlain(dst, dst, shift); err != nil {
			return err
		}
		if err := p.evaluator.Fold(dst, dst, p.products[slot*batch:(slot+1)*batch]); err != nil {
			return err
		}
	}
	for k, twice := range p.doubled {
		if row := dst[k*p.size : (k+1)*p.size]; twice {
			if err := p.evaluator.Fold(row, row, row); err != nil {
				return err
			}
		}
	}
	m, n := make([]uint64, p.sums*p.limbs), len(masks)/max(1, p.sums)
	for k := range p.sums {
		s[k] = -p.layout.PackMasks(m[k*p.limbs:(k+1)*p.limbs], masks[k*n:(k+1)*n])
	}
	if err := p.evaluator.AddPlain(dst, dst, m); err != nil {
		return err
	}
	p.reset()
	return rerandomize()
}
