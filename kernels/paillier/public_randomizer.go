package paillier

import "github.com/cipherfold/cipherfold/bigmod"

// publicRandomizer computes randomizers, N-th residues modulo N², from the public key alone.
type publicRandomizer struct {
	pk      *PublicKey
	rings   *publicRings
	random  *Random
	table   bigmod.Table // once needed; DJN, MHL
	full    bigmod.Table // for full entropy, once needed; DJN, MHL
	rho     pieceVec
	e       []byte   // random numbers of a piece
	wide    []uint64 // r of a piece in words of N²; textbook and DJN
	scratch []uint64 // one value modulo N
}

func newPublicRandomizer(pk *PublicKey, rings *publicRings) *publicRandomizer {
	return &publicRandomizer{pk: pk, rings: rings, random: NewRandom(), rho: pieceVec{ring: rings.square}}
}

// powers is the table for random numbers of RBits() bits; not for textbook keys.
func (z *publicRandomizer) powers() bigmod.Table {
	if z.table == nil {
		z.table = z.rings.table.get()
	}
	return z.table
}

func (z *publicRandomizer) bytes() int64 {
	return z.rho.bytes() + int64(len(z.e)) + 8*int64(len(z.wide)+len(z.scratch))
}

// buffer returns n bytes of scratch for random numbers.
func (z *publicRandomizer) buffer(n int) []byte {
	if len(z.e) < n {
		z.e = make([]byte, n)
	}
	return z.e[:n]
}

// randomizers returns one randomizer for each row, in Montgomery form; the next call overwrites them.
func (z *publicRandomizer) randomizers(from randomness, rows, class int) *bigmod.Vec {
	if z.pk.variant == Textbook {
		if from.fresh {
			return z.fullEntropy(AnyRandomizers, rows, class)
		}
		return z.powersOfN(from.r, class)
	}
	e := from.r
	if from.fresh {
		e = z.buffer(rows * z.pk.randomSize())
		z.random.exponents(e, z.pk.rbits)
	}
	rho := z.rho.get(class)
	z.powers().Exp(rho, e)
	return rho
}

// fullEntropy returns fresh randomizers that are uniform in a group that has those of the ciphertexts in it, in Montgomery
// form: r^N with r uniform in (Z/N)*, or hs^r with r far beyond the order of hs. The latter suffices for a DJN key's own
// randomizers; MHL keys need it in any case, for their short decryption refuses what is not in the group of hs.
func (z *publicRandomizer) fullEntropy(of Randomizers, rows, class int) *bigmod.Vec {
	if z.pk.variant == MHL || z.pk.variant == DJN && of == OwnRandomizers {
		if z.full == nil {
			z.full = z.rings.full.get()
		}
		e := z.buffer(rows * ((z.full.Bits() + 7) / 8))
		z.random.exponents(e, z.full.Bits())
		rho := z.rho.get(class)
		z.full.Exp(rho, e)
		return rho
	}
	size := z.pk.bits / 8
	r := z.buffer(rows * size)
	if z.scratch == nil {
		z.scratch = make([]uint64, len(z.rings.nWords))
	}
	z.random.units(r, z.rings.nWords, z.scratch, size)
	return z.powersOfN(r, class)
}

// powersOfN returns r^N mod N² in Montgomery form. The exponent is public, r is not.
func (z *publicRandomizer) powersOfN(r []byte, class int) *bigmod.Vec {
	limbs, size := len(z.rings.nWords), z.pk.bits/8
	if z.wide == nil {
		z.wide = make([]uint64, pieceMax*limbs)
	}
	rho := z.rho.get(class)
	for i := range rho.Len {
		bigmod.WordsFromBytes(z.wide[i*limbs:(i+1)*limbs], r[i*size:(i+1)*size])
	}
	square := z.rings.square
	square.SetWide(rho, z.wide[:rho.Len*limbs], limbs)
	square.ToMont(rho, rho)
	square.ExpVarTime(rho, rho, z.rings.nBytes)
	return rho
}
