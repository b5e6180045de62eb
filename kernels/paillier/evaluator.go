package paillier

import (
	"errors"
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Evaluator computes on ciphertexts without the secret key. Every method reads batches of CiphertextSize() bytes per
// ciphertext and refuses, with a *CiphertextError, a ciphertext c that is not in 0 < c < N² or shares a factor with N;
// the latter are found by one gcd over a product of all and named by bisection. After an error dst is unspecified. dst
// may be one of the batches but may not overlap one otherwise. Methods panic when lengths do not agree. Nothing is
// secret here: weights and ciphertexts leak. A worker serves one goroutine at a time.
type Evaluator struct {
	pk         *PublicKey
	rings      *publicRings
	x, y, acc  pieceVec
	units      *unitTest
	sum        *product
	counts     []uint32
	wide       []uint64 // 1+mN of a piece
	randomizer *publicRandomizer
	straus     *straus
	powers     *powerTable
	pippenger  *pippenger
}

// NewEvaluator makes a worker.
func (pk *PublicKey) NewEvaluator() *Evaluator {
	rings := pk.rings.get()
	return &Evaluator{
		pk: pk, rings: rings,
		x: pieceVec{ring: rings.square}, y: pieceVec{ring: rings.square}, acc: pieceVec{ring: rings.square},
		units: newUnitTest(rings, rings.square), sum: newProduct(rings.square), counts: make([]uint32, pieceMax),
	}
}

// setOne sets all elements of a piece to 1.
func (e *Evaluator) setOne(z *bigmod.Vec) {
	e.rings.square.CopyAt(z, iota32[:z.Len], e.rings.one, zeros32[:z.Len])
}

// Bytes is the memory held by this worker, without the tables that it shares (see Key.TableBytes). A weighted sum leaves
// up to 32 MiB for the next one.
func (e *Evaluator) Bytes() int64 {
	n := e.x.bytes() + e.y.bytes() + e.acc.bytes() + e.units.product.acc.bytes() + e.sum.acc.bytes()
	n += 8*int64(len(e.wide)+len(e.units.words)) + 4*int64(len(e.counts))
	if e.randomizer != nil {
		n += e.randomizer.bytes()
	}
	if e.straus != nil {
		n += e.straus.bytes()
	}
	if e.powers != nil {
		n += 8*int64(len(e.powers.table.Words)) + e.powers.selected.bytes()
	}
	if e.pippenger != nil {
		n += e.pippenger.row.bytes() + e.pippenger.buckets.bytes()
	}
	return n
}

// load reads a piece of a batch.
func (e *Evaluator) load(z *bigmod.Vec, ct []byte, batch, first int) error {
	size := e.pk.CiphertextSize()
	if err := e.rings.square.SetBytes(z, ct[first*size:(first+z.Len)*size]); err != nil {
		return rangeError(err, batch, first)
	}
	return nil
}

// store writes a piece of a batch.
func (e *Evaluator) store(dst []byte, first int, x *bigmod.Vec) {
	size := e.pk.CiphertextSize()
	e.rings.square.Bytes(dst[first*size:(first+x.Len)*size], x)
}

// rows returns the number of ciphertexts of a batch.
func (e *Evaluator) rows(ct []byte) int {
	size := e.pk.CiphertextSize()
	checkLen("ciphertexts", len(ct), len(ct)/size*size)
	return len(ct) / size
}

// storeOne writes 1, an encryption of 0, n times.
func (e *Evaluator) storeOne(dst []byte) {
	clear(dst)
	for i := e.pk.CiphertextSize() - 1; i < len(dst); i += e.pk.CiphertextSize() {
		dst[i] = 1
	}
}

// Check tests that all ciphertexts are valid: 0 < c < N² and gcd(c, N) = 1.
func (e *Evaluator) Check(ct []byte) error {
	err := pieces(e.rows(ct), pieceMax, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		e.units.add(x, class)
		return nil
	})
	return e.finish(err, ct)
}

// finish ends a pass over a batch whose ciphertexts, or values that are units exactly when these are, were noted in
// units.
func (e *Evaluator) finish(err error, ct []byte) error {
	if err != nil {
		e.units.product.reset()
		return err
	}
	return e.checkUnits(ct, 0, nil)
}

// Fold multiplies equally long batches element by element: dst[i] encrypts the sum of the plaintexts i of all batches.
// The inputs are multiplied as they are, one multiplication for each after the first batch, and the powers of the
// Montgomery radix that this leaves are repaired at once; that and the test for common factors take two per result. There is at least one batch. The error's Batch and Index name the
// offending ciphertext.
func (e *Evaluator) Fold(dst []byte, cts ...[]byte) error {
	for _, ct := range cts {
		checkLen("ciphertexts", len(ct), len(dst))
	}
	checkAtLeastOne("batches", len(cts))
	for i := range e.counts {
		e.counts[i] = uint32(len(cts) - 1)
	}
	err := pieces(e.rows(dst), pieceMax, func(first, rows, class int) error {
		acc, x := e.acc.get(class), e.x.get(class)
		if err := e.load(acc, cts[0], 0, first); err != nil {
			return err
		}
		for batch, ct := range cts[1:] {
			if err := e.load(x, ct, batch+1, first); err != nil {
				return err
			}
			e.rings.square.Mul(acc, acc, x)
		}
		e.units.add(acc, class)
		e.rings.square.MulRPow(acc, e.counts[:rows])
		e.store(dst, first, acc)
		return nil
	})
	if err != nil {
		e.units.product.reset()
		return err
	}
	if e.units.passed() {
		return nil
	}
	return e.foldCulprit(e.firstNonUnit(dst, nil), dst, nil, cts)
}

// foldCulprit names the ciphertext that made product i of a fold no unit; weights may be nil. A batch that is dst itself
// may have been overwritten; it is to blame when no other one is.
func (e *Evaluator) foldCulprit(i int, dst []byte, weights []int64, cts [][]byte) error {
	size := e.pk.CiphertextSize()
	self := 0
	for batch, ct := range cts {
		if weights != nil && weights[batch] == 0 {
			continue
		}
		if &ct[0] == &dst[0] {
			self = batch
			continue
		}
		if row := ct[i*size : (i+1)*size]; e.firstNonUnit(row, nil) == 0 {
			return e.nonUnitError(ct, batch, i)
		}
	}
	return &CiphertextError{self, i, reasonFactor}
}

// Sum multiplies all ciphertexts of a batch into the one ciphertext dst, an encryption of the sum of the plaintexts; of
// no ciphertexts, 1.
func (e *Evaluator) Sum(dst []byte, ct []byte) error {
	checkLen("sum", len(dst), e.pk.CiphertextSize())
	n := e.rows(ct)
	err := pieces(n, pieceMax, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		e.sum.add(x, class)
		return nil
	})
	if err != nil {
		e.sum.reset()
		return err
	}
	total := e.sum.result()
	if total == nil {
		e.storeOne(dst)
		return nil
	}
	if !e.units.isUnit(total) {
		return e.nonUnitError(ct, 0, e.firstNonUnit(ct, nil))
	}
	e.rings.square.MulRPow(total, []uint32{uint32(n - 1)})
	e.rings.square.Bytes(dst, total)
	return nil
}

// AddPlain adds plaintexts m, residues below N as for Encryptor.Encrypt, to ciphertexts: dst[i] = c[i]·(1+m[i]·N). The
// result has the randomizer of c and does not hide m from whoever knows c and the secret key.
func (e *Evaluator) AddPlain(dst, ct []byte, m []uint64) error {
	checkLen("ciphertexts", len(dst), len(ct))
	n, limbs := e.rows(ct), e.pk.PlaintextLimbs()
	checkLen("plaintexts", len(m), n*limbs)
	if i := firstNotBelow(m, e.rings.nWords); i >= 0 {
		return &PlaintextError{i}
	}
	if e.wide == nil {
		e.wide = make([]uint64, pieceMax*2*limbs)
	}
	return e.transform(dst, ct, func(x *bigmod.Vec, first, class int) {
		wide, f := e.wide[:x.Len*2*limbs], e.y.get(class)
		e.rings.messageFactor(wide, m[first*limbs:(first+x.Len)*limbs])
		e.rings.square.SetWords(f, wide)
		e.rings.square.ToMont(f, f)
		e.rings.square.Mul(x, x, f)
	})
}

// transform replaces each piece of a batch; f keeps units units and others not.
func (e *Evaluator) transform(dst, ct []byte, f func(x *bigmod.Vec, first, class int)) error {
	err := pieces(e.rows(ct), pieceMax, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		f(x, first, class)
		e.units.add(x, class)
		e.store(dst, first, x)
		return nil
	})
	return e.finish(err, dst)
}

// MulPlain multiplies the plaintexts by one public integer s of any size and sign: dst[i] = c[i]^s, negative powers by
// one inversion for 128 rows. A power s = 0 gives 1. Anyone who compares the result with c finds a small s.
func (e *Evaluator) MulPlain(dst, ct []byte, s *big.Int) error {
	checkLen("ciphertexts", len(dst), len(ct))
	if s.Sign() == 0 {
		if err := e.Check(ct); err != nil {
			return err
		}
		e.storeOne(dst)
		return nil
	}
	exponent := new(big.Int).Abs(s).Bytes()
	return e.mapped(dst, ct, s.Sign() < 0, func(x *bigmod.Vec, first, class int) {
		if len(exponent) == 1 && exponent[0] == 1 {
			return
		}
		e.rings.square.ToMont(x, x)
		e.rings.square.ExpVarTime(x, x, exponent)
		e.rings.square.FromMont(x, x)
	})
}

// Negate inverts ciphertexts: dst[i] = c[i]⁻¹ mod N² encrypts the negated plaintext.
func (e *Evaluator) Negate(dst, ct []byte) error {
	checkLen("ciphertexts", len(dst), len(ct))
	return e.mapped(dst, ct, true, func(*bigmod.Vec, int, int) {})
}

// mapped is transform, on the inverses when invert is set.
func (e *Evaluator) mapped(dst, ct []byte, invert bool, f func(x *bigmod.Vec, first, class int)) error {
	if !invert {
		return e.transform(dst, ct, f)
	}
	return pieces(e.rows(ct), pieceMax, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		if err := e.invert(x, ct, 0, first); err != nil {
			return err
		}
		f(x, first, class)
		e.store(dst, first, x)
		return nil
	})
}

// invert replaces x, the piece of ct that starts at row first, by its inverses.
func (e *Evaluator) invert(x *bigmod.Vec, ct []byte, batch, first int) error {
	err := e.rings.square.InverseVarTime(x, x)
	var bad *bigmod.NotInvertibleError
	if errors.As(err, &bad) {
		return e.nonUnitError(ct, batch, first+bad.Index)
	}
	return err
}

// Rerandomize is RerandomizeOf for AnyRandomizers, right for all ciphertexts.
func (e *Evaluator) Rerandomize(dst, ct []byte) error {
	return e.RerandomizeOf(dst, ct, AnyRandomizers)
}

// RerandomizeOf multiplies each ciphertext by a fresh randomizer that is uniform in a whole group, so that not even the
// secret key's owner can tell what it was computed from: r^N with r uniform in (Z/N)* for textbook and DJN keys, hs^r with
// r of RBits()+128 bits for MHL keys. Where the ciphertexts are known to have OwnRandomizers, it is hs^r with r of
// Bits()+128 bits for DJN keys too, which is many times faster, after a table of powers was made (see PlanFullTables). Of
// ciphertexts that have others, the latter would hide only the part in the group of hs.
func (e *Evaluator) RerandomizeOf(dst, ct []byte, of Randomizers) error {
	checkLen("ciphertexts", len(dst), len(ct))
	z := e.randomizers()
	return e.transform(dst, ct, func(x *bigmod.Vec, first, class int) {
		e.rings.square.Mul(x, x, z.fullEntropy(of, x.Len, class))
	})
}

func (e *Evaluator) randomizers() *publicRandomizer {
	if e.randomizer == nil {
		e.randomizer = newPublicRandomizer(e.pk, e.rings)
	}
	return e.randomizer
}

// checkAtLeastOne panics when there is nothing to combine: a programmer's error.
func checkAtLeastOne(what string, n int) {
	if n == 0 {
		panic("paillier: no " + what)
	}
}
