package paillier

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/bigmod"
)

// ownerRandomizer encrypts modulo p² and q².
type ownerRandomizer struct {
	pk     *PublicKey
	rings  *secretRings
	random *Random
	sides  [2]ownerSide
	c      []uint64 // ciphertexts of a piece
	e      []byte   // random numbers of a piece
}

// ownerSide is the scratch of a worker modulo one prime's square.
type ownerSide struct {
	*primeSide
	table    bigmod.Table // nil for textbook keys
	rho      pieceVec     // modulo p²
	message  pieceVec     // modulo p²
	root     pieceVec     // modulo p; textbook with an explicit r
	short    pieceVec     // modulo pa; MHL
	residues []uint64     // of a piece modulo p²
	words    []uint64     // random numbers of a piece
	exponent []byte       // exponents of a piece
	value    []uint64     // one number
}

func newOwnerRandomizer(sk *SecretKey) *ownerRandomizer {
	pk, rings := sk.public, sk.rings.get()
	z := &ownerRandomizer{pk: pk, rings: rings, random: NewRandom(), c: make([]uint64, pieceMax*rings.cipher.Limbs())}
	for i := range z.sides {
		side := &rings.sides[i]
		z.sides[i] = ownerSide{
			primeSide: side,
			rho:       pieceVec{ring: side.square},
			message:   pieceVec{ring: side.square},
			root:      pieceVec{ring: side.prime},
			residues:  make([]uint64, pieceMax*side.square.Modulus().Limbs()),
		}
		s := &z.sides[i]
		if pk.variant == Textbook {
			s.words = make([]uint64, pieceMax*pk.PlaintextLimbs())
			s.exponent = make([]byte, pieceMax*pk.bits/16)
			s.value = make([]uint64, len(side.pWords))
			continue
		}
		s.table = side.table.get()
		if pk.variant == MHL {
			s.short = pieceVec{ring: side.shortPrime}
			s.words = make([]uint64, pieceMax*((pk.rbits+63)/64))
			s.exponent = make([]byte, pieceMax*((s.table.Bits()+7)/8))
			s.value = make([]uint64, 2*(len(side.paWords)+1))
		}
	}
	z.e = make([]byte, pieceMax*pk.randomSize())
	return z
}

func (z *ownerRandomizer) bytes() int64 {
	n := 8*int64(len(z.c)) + int64(len(z.e))
	for i := range z.sides {
		s := &z.sides[i]
		n += s.rho.bytes() + s.message.bytes() + s.root.bytes() + s.short.bytes()
		n += 8*int64(len(s.residues)+len(s.words)+len(s.value)) + int64(len(s.exponent))
	}
	return n
}

// encrypt writes the ciphertexts of a piece, given 1+mN for each row.
func (z *ownerRandomizer) encrypt(dst []byte, wide []uint64, from randomness, class int) {
	size, limbs := z.pk.CiphertextSize(), 2*z.pk.PlaintextLimbs()
	rows := len(dst) / size
	if from.fresh && z.pk.variant != Textbook {
		from.r = z.e[:rows*z.pk.randomSize()]
		z.random.exponents(from.r, z.pk.rbits)
	}
	for i := range z.sides {
		s := &z.sides[i]
		var rho *bigmod.Vec
		switch z.pk.variant {
		case Textbook:
			rho = s.textbook(z.random, from, i, class)
		case DJN:
			rho = s.rho.get(class)
			s.table.Exp(rho, from.r)
		case MHL:
			rho = s.rho.get(class)
			s.table.Exp(rho, s.reduceExponents(from.r, class))
		}
		m := s.message.get(class)
		s.square.SetWide(m, wide, limbs)
		s.square.Mul(m, m, rho)
		s.square.Words(s.residues[:rows*s.square.Modulus().Limbs()], m)
	}
	pl, ql := z.sides[0].square.Modulus().Limbs(), z.sides[1].square.Modulus().Limbs()
	z.rings.cipher.Combine(z.c[:rows*limbs], rows, z.sides[0].residues[:rows*pl], z.sides[1].residues[:rows*ql])
	for i := range rows {
		bigmod.BytesFromWords(dst[i*size:(i+1)*size], z.c[i*limbs:(i+1)*limbs])
	}
}

// textbook returns ρ^p mod p² in Montgomery form, with ρ uniform in (Z/p)*: p-th powers modulo p² depend on ρ mod p
// only, and are all the N-th residues. For an explicit r, r^N = (r^q)^p, so ρ = r^(q mod p-1) mod p.
func (s *ownerSide) textbook(random *Random, from randomness, side, class int) *bigmod.Vec {
	rho := s.rho.get(class)
	size, limbs := len(s.p), len(s.pWords)
	w := s.words[:rho.Len*limbs]
	switch {
	case from.r != nil:
		wide := s.words[:rho.Len*2*limbs]
		for i := range rho.Len {
			bigmod.WordsFromBytes(wide[i*2*limbs:(i+1)*2*limbs], from.r[i*2*size:(i+1)*2*size])
		}
		root := s.root.get(class)
		s.prime.SetWide(root, wide, 2*limbs)
		s.prime.ToMont(root, root)
		s.prime.Exp(root, root, s.q)
		s.prime.FromMont(root, root)
		s.prime.Words(w, root)
	default:
		e := from.roots[side]
		if from.fresh {
			e = s.exponent[:rho.Len*size]
			random.units(e, s.pWords, s.value, size)
		}
		for i := range rho.Len {
			bigmod.WordsFromBytes(w[i*limbs:(i+1)*limbs], e[i*size:(i+1)*size])
		}
	}
	s.square.SetWide(rho, w, limbs)
	s.square.ToMont(rho, rho)
	s.square.Exp(rho, rho, s.p)
	return rho
}

// reduceExponents returns r mod 2·pa, as the powers of hs modulo p² repeat after 2·pa. That is r mod pa, plus pa when
// the parity is not that of r.
func (s *ownerSide) reduceExponents(r []byte, class int) []byte {
	reduced := s.short.get(class)
	rows := reduced.Len
	size := len(r) / rows
	limbs := (size + 7) / 8
	for i := range rows {
		bigmod.WordsFromBytes(s.words[i*limbs:(i+1)*limbs], r[i*size:(i+1)*size])
	}
	s.shortPrime.SetWide(reduced, s.words[:rows*limbs], limbs)
	n := len(s.paWords)
	s.shortPrime.Words(s.words[:rows*n], reduced)

	out := (s.table.Bits() + 7) / 8
	x, pa := s.value[:n+1], s.value[n+1:2*(n+1)]
	copy(pa, s.paWords)
	for i := range rows {
		copy(x, s.words[i*n:(i+1)*n])
		x[n] = 0
		odd := (x[0] ^ uint64(r[(i+1)*size-1])) & 1
		addMasked(x, pa, -odd)
		bigmod.BytesFromWords(s.exponent[i*out:(i+1)*out], x)
	}
	return s.exponent[:rows*out]
}

// addMasked adds y to x when mask is all ones and nothing when it is zero, in constant time.
func addMasked(x, y []uint64, mask uint64) {
	var carry uint64
	for i := range x {
		x[i], carry = bits.Add64(x[i], y[i]&mask, carry)
	}
}
