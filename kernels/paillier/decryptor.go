package paillier

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Decryptor decrypts batches modulo p² and q² (Paillier, section 7). It is constant time in the secret key and the
// plaintexts; which ciphertexts are refused leaks. It serves one goroutine at a time.
type Decryptor struct {
	pk     *PublicKey
	rings  *secretRings
	public *publicRings
	wide   []uint64 // ciphertexts of a piece
	sides  [2]decryptorSide
}

// decryptorSide is the scratch of a worker modulo one prime.
type decryptorSide struct {
	*primeSide
	u        pieceVec // modulo p²
	m        pieceVec // modulo p
	powers   []uint64 // residues of a piece modulo p²
	residues []uint64 // plaintexts of a piece modulo p
}

// NewDecryptor makes a worker.
func (sk *SecretKey) NewDecryptor() *Decryptor {
	pk, rings := sk.public, sk.rings.get()
	d := &Decryptor{
		pk: pk, rings: rings, public: pk.rings.get(), wide: make([]uint64, pieceMax*2*pk.PlaintextLimbs()),
	}
	for i := range d.sides {
		side := &rings.sides[i]
		d.sides[i] = decryptorSide{
			primeSide: side,
			u:         pieceVec{ring: side.square},
			m:         pieceVec{ring: side.prime},
			powers:    make([]uint64, pieceMax*side.square.Modulus().Limbs()),
			residues:  make([]uint64, pieceMax*side.prime.Modulus().Limbs()),
		}
	}
	return d
}

// Bytes is the memory held by this worker.
func (d *Decryptor) Bytes() int64 {
	n := 8 * int64(len(d.wide))
	for i := range d.sides {
		s := &d.sides[i]
		n += s.u.bytes() + s.m.bytes() + 8*int64(len(s.powers)+len(s.residues))
	}
	return n
}

// Decrypt decrypts n ciphertexts, ct[i*CiphertextSize():], into plaintexts below N, m[i*PlaintextLimbs():]. Before it
// decrypts anything it tests 0 < c < N² for all. It returns a *CiphertextError naming the first ciphertext that is out
// of range, else the first that it cannot open, with m cleared. It panics when the lengths do not agree.
//
// For MHL keys it raises to the short powers 2·pa and 2·qa, which open only what was encrypted under this key as an MHL
// key, with sums of these. Other ciphertexts of the same modulus are refused; DecryptFull opens them.
func (d *Decryptor) Decrypt(m []uint64, ct []byte) error {
	return d.decrypt(m, ct, d.pk.variant == MHL)
}

// DecryptFull is Decrypt with the powers p-1 and q-1, which open all valid ciphertexts modulo N², whatever variant
// made them.
func (d *Decryptor) DecryptFull(m []uint64, ct []byte) error { return d.decrypt(m, ct, false) }

func (d *Decryptor) decrypt(m []uint64, ct []byte, short bool) error {
	limbs, size := d.pk.PlaintextLimbs(), d.pk.CiphertextSize()
	n := len(ct) / size
	checkLen("ciphertexts", len(ct), n*size)
	checkLen("plaintexts", len(m), n*limbs)
	err := d.checkRange(ct)
	if err == nil {
		err = pieces(n, pieceMax, func(first, rows, class int) error {
			i := d.piece(m[first*limbs:(first+rows)*limbs], ct[first*size:(first+rows)*size], short, class)
			if i < 0 {
				return nil
			}
			return &CiphertextError{Index: first + i, Reason: d.reason(ct[(first+i)*size : (first+i+1)*size])}
		})
	}
	if err != nil {
		clear(m)
	}
	return err
}

// checkRange refuses ciphertexts that are not in 0 < c < N².
func (d *Decryptor) checkRange(ct []byte) error {
	size := d.pk.CiphertextSize()
	w := d.wide[:len(d.public.n2Words)]
	for i := range len(ct) / size {
		bigmod.WordsFromBytes(w, ct[i*size:(i+1)*size])
		switch {
		case isZero(w) != 0:
			return &CiphertextError{Index: i, Reason: reasonZero}
		case bigmod.LessWords(w, d.public.n2Words) == 0:
			return &CiphertextError{Index: i, Reason: reasonRange}
		}
	}
	return nil
}

// piece decrypts the ciphertexts of a piece and returns the first that does not open, or -1.
func (d *Decryptor) piece(m []uint64, ct []byte, short bool, class int) int {
	limbs, size := 2*d.pk.PlaintextLimbs(), d.pk.CiphertextSize()
	rows := len(ct) / size
	wide := d.wide[:rows*limbs]
	for i := range rows {
		bigmod.WordsFromBytes(wide[i*limbs:(i+1)*limbs], ct[i*size:(i+1)*size])
	}
	var opened [pieceMax]uint64 // all ones for the rows that open
	for i := range rows {
		opened[i] = ^uint64(0)
	}
	for i := range d.sides {
		d.sides[i].open(wide, limbs, short, class, opened[:rows])
	}
	p, q := &d.sides[0], &d.sides[1]
	half := limbs / 4
	d.rings.plain.Combine(m, rows, p.residues[:rows*half], q.residues[:rows*half])
	for i, mask := range opened[:rows] {
		if mask == 0 {
			return i
		}
	}
	return -1
}

// open computes the plaintexts of a piece modulo p: m = L(c^e mod p²)·x⁻¹ mod p with L(u) = (u-1)/p, which is exact when
// the randomizer vanishes under the exponent e and c is a unit. Rows where it is not are cleared in opened.
func (s *decryptorSide) open(wide []uint64, limbs int, short bool, class int, opened []uint64) {
	key := &s.full
	if short {
		key = &s.short
	}
	u := s.u.get(class)
	s.square.SetWide(u, wide, limbs)
	s.square.ToMont(u, u)
	s.square.Exp(u, u, key.exponent)
	s.square.FromMont(u, u)
	n, half := s.square.Modulus().Limbs(), s.prime.Modulus().Limbs()
	s.square.Words(s.powers[:u.Len*n], u)
	for i := range opened {
		power, quotient := s.powers[i*n:(i+1)*n], s.residues[i*half:(i+1)*half]
		decrement(power)
		exact := s.divide.Div(quotient, power)
		// A quotient of a division that is not exact need not be below p.
		for j := range quotient {
			quotient[j] &= exact
		}
		opened[i] &= exact
	}
	m := s.m.get(class)
	s.prime.SetWords(m, s.residues[:u.Len*half])
	s.prime.MulElem(m, m, key.factor)
	s.prime.Words(s.residues[:u.Len*half], m)
}

// decrement subtracts 1 in constant time; 0 becomes 2^(64·len(z))-1, which no p below 2^(32·len(z)) divides with a
// quotient that short.
func decrement(z []uint64) {
	borrow := uint64(1)
	for i, v := range z {
		z[i], borrow = bits.Sub64(v, 0, borrow)
	}
}

// reason says why a ciphertext in range does not open.
func (d *Decryptor) reason(ct []byte) string {
	c := d.public.square.NewVec(1)
	if d.public.square.SetBytes(c, ct) == nil && newUnitTest(d.public, d.public.square).isUnit(c) {
		return reasonForeign
	}
	return reasonFactor
}
