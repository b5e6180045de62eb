package paillier

import (
	"math/big"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// fullEntropyBits is what exponents that make randomizers fresh have beyond the order M of hs. Modulo M, a uniform
// number below 2^b is within M/2^(b+2) of uniform (in statistical distance): for b the length of M and 128 more, within
// 2^-130. See docs/threat-model.md.
const fullEntropyBits = 128

// fullBits is the length of these exponents. The order of hs divides that of h modulo N: for MHL that is 2·pa·qa, of
// rbits+1 bits at most, which loses a bit of the above; for DJN it is below N for every h that is a unit.
func (pk *PublicKey) fullBits() int {
	if pk.variant == MHL {
		return pk.rbits + fullEntropyBits
	}
	return pk.bits + fullEntropyBits
}

// publicRings is what the workers of a public key share.
type publicRings struct {
	square bigmod.Ring // modulo N²
	n      bigmod.Ring // modulo N
	// direct is modulo N², too. Multiplications cost more in it than in square, but conversions next to nothing: for
	// products that are kept as bytes. Made when first needed.
	direct  func() bigmod.Ring
	one     *bigmod.Vec // 1 modulo N²
	oneMont *bigmod.Vec // 1 modulo N² in Montgomery form
	nWords  []uint64
	nBytes  []byte
	n2Words []uint64
	hs      func() []byte // h^N mod N², big-endian; DJN, MHL
	table   lazyTable     // powers of hs for RBits exponents
	full    lazyTable     // powers of hs for full entropy; DJN, MHL
}

func newPublicRings(pk *PublicKey, impl bigmod.Implementation) *publicRings {
	r := &publicRings{
		square: newSquareRing(impl, pk.n.Bytes()),
		n:      newRing(impl, pk.n.Bytes()),
		nWords: pk.NWords(),
		nBytes: pk.N(),
	}
	r.direct = func() bigmod.Ring { return r.square }
	if impl.NewSquare != nil {
		r.direct = sync.OnceValue(func() bigmod.Ring { return impl.New(r.square.Modulus()) })
	}
	r.n2Words = r.square.Modulus().Words()
	r.one, r.oneMont = r.square.NewVec(1), r.square.NewVec(1)
	r.square.SetWide(r.one, []uint64{1}, 1)
	r.square.ToMont(r.oneMont, r.one)
	r.hs = sync.OnceValue(func() []byte { return powerOfN(r.square, pk) })
	r.table.build = func() bigmod.Table { return r.square.NewTable(r.hs(), pk.rbits) }
	r.full.build = func() bigmod.Table { return r.square.NewTable(r.hs(), pk.fullBits()) }
	return r
}

// powerOfN is hs = h^N modulo the ring's modulus, big-endian. The modulus may be secret, h and N are not.
func powerOfN(ring bigmod.Ring, pk *PublicKey) []byte {
	x := ring.NewVec(1)
	h := wordsOf(pk.h, pk.bits/64)
	ring.SetWide(x, h, len(h))
	ring.ToMont(x, x)
	ring.ExpVarTime(x, x, pk.N())
	ring.FromMont(x, x)
	be := make([]byte, ring.Modulus().Size())
	ring.Bytes(be, x)
	return be
}

// UseKernel chooses the arithmetic of workers made from now on by its name in Kernels; "" is the preferred one.
func (pk *PublicKey) UseKernel(name string) error { return pk.rings.use(name) }

// Kernel is the name of the arithmetic in use.
func (pk *PublicKey) Kernel() string { return pk.rings.get().square.Name() }

// TableBytes is the memory held by the tables of powers that the key's workers share, as far as they exist.
func (pk *PublicKey) TableBytes() int64 {
	if r := pk.rings.peek(); r != nil {
		return r.table.bytes() + r.full.bytes()
	}
	return 0
}

// secretRings is what the workers of a secret key share.
type secretRings struct {
	sides  [2]primeSide // p, q
	plain  *bigmod.CRT  // residues modulo p and q to modulo N
	cipher *bigmod.CRT  // residues modulo p² and q² to modulo N²
}

// primeSide is the arithmetic of one prime factor p of N; q is the other one.
type primeSide struct {
	square bigmod.Ring // modulo p²
	prime  bigmod.Ring // modulo p
	p      []byte      // big-endian, half of N's length; the exponent of the owner's textbook randomizers
	pWords []uint64
	q      []byte // q mod (p-1), big-endian, half of N's length
	divide *bigmod.ExactDivisor
	full   opener
	short  opener    // MHL
	table  lazyTable // powers of hs modulo p²; DJN, MHL

	shortPrime bigmod.Ring // modulo pa; MHL
	paWords    []uint64    // MHL
}

// opener is how to take the randomizer off a ciphertext modulo p²: c^e = 1 + m·x·p with a known x.
type opener struct {
	exponent []byte      // e, big-endian
	factor   *bigmod.Vec // x⁻¹ mod p, Montgomery form
}

func newSecretRings(sk *SecretKey, impl bigmod.Implementation) *secretRings {
	r := new(secretRings)
	factors, shorts := [2]*big.Int{sk.p, sk.q}, [2]*big.Int{sk.pa, sk.qa}
	for i := range r.sides {
		r.sides[i].init(sk.public, impl, factors[i], factors[1-i], shorts[i])
	}
	r.plain = newCRT(r.sides[0].prime, r.sides[1].prime)
	r.cipher = newCRT(r.sides[0].square, r.sides[1].square)
	return r
}

func newCRT(p, q bigmod.Ring) *bigmod.CRT {
	c, err := bigmod.NewCRT(p, q)
	if err != nil {
		panic("paillier: primes of a checked key: " + err.Error())
	}
	return c
}

func (s *primeSide) init(pk *PublicKey, impl bigmod.Implementation, p, q, pa *big.Int) {
	size := pk.bits / 16
	order := new(big.Int).Sub(p, one)
	s.square = newSquareRing(impl, p.Bytes())
	s.prime = newRing(impl, p.Bytes())
	s.p = p.FillBytes(make([]byte, size))
	s.pWords = s.prime.Modulus().Words()
	s.q = new(big.Int).Mod(q, order).FillBytes(make([]byte, size))
	s.divide = bigmod.NewExactDivisor(s.pWords)
	s.full = s.newOpener(p, q, order, size)
	if pa != nil {
		twice := new(big.Int).Lsh(pa, 1)
		s.short = s.newOpener(p, q, twice, (pk.rbits/2+1+7)/8)
		s.shortPrime = newRing(impl, pa.Bytes())
		s.paWords = s.shortPrime.Modulus().Words()
	}
	s.table.build = func() bigmod.Table { return s.square.NewTable(powerOfN(s.square, pk), s.exponentBits(pk)) }
}

// newOpener: (1+mN)^e = 1 + e·m·q·p mod p², so x = e·q mod p.
func (s *primeSide) newOpener(p, q, e *big.Int, size int) opener {
	x := new(big.Int).Mul(e, q)
	x.ModInverse(x, p)
	o := opener{exponent: e.FillBytes(make([]byte, size)), factor: s.prime.NewVec(1)}
	s.prime.SetWords(o.factor, wordsOf(x, s.prime.Modulus().Limbs()))
	s.prime.ToMont(o.factor, o.factor)
	return o
}

// exponentBits is the length of the exponents of hs mod p²: of r itself for DJN, of r mod 2·pa for MHL.
func (s *primeSide) exponentBits(pk *PublicKey) int {
	if pk.variant == MHL {
		return pk.rbits/2 + 1
	}
	return pk.rbits
}

// UseKernel chooses the arithmetic of workers made from now on, of this key and its public key, by its name in
// Kernels; "" is the preferred one.
func (sk *SecretKey) UseKernel(name string) error {
	if err := sk.public.UseKernel(name); err != nil {
		return err
	}
	return sk.rings.use(name)
}

// TableBytes is the memory held by the tables of powers that the key's workers share, as far as they exist.
func (sk *SecretKey) TableBytes() int64 {
	n := sk.public.TableBytes()
	if r := sk.rings.peek(); r != nil {
		n += r.sides[0].table.bytes() + r.sides[1].table.bytes()
	}
	return n
}
