package paillier

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// seeded is a reproducible source of test data.
func seeded(t testing.TB) *rand.Rand {
	var seed [32]byte
	copy(seed[:], t.Name())
	return rand.New(rand.NewChaCha8(seed))
}

// seededReader is the same as a stream of bytes.
func seededReader(t testing.TB) io.Reader {
	var seed [32]byte
	copy(seed[:], t.Name())
	return rand.NewChaCha8(seed)
}

// testBits is the size of most test keys.
var testBits = thoroughtest.Pick(512, 1024)

var testKeys sync.Map // of variant and bits to func() *SecretKey

// testKey returns a key of its own making for a variant and size, the same one in all tests of a run.
func testKey(t testing.TB, variant Variant, bits int) *SecretKey {
	t.Helper()
	name := fmt.Sprint(variant, bits)
	key, _ := testKeys.LoadOrStore(name, sync.OnceValue(func() *SecretKey {
		var seed [32]byte
		copy(seed[:], name)
		sk, err := GenerateKey(context.Background(), rand.NewChaCha8(seed), variant, bits, true)
		if err != nil {
			panic(err)
		}
		return sk
	}))
	return key.(func() *SecretKey)()
}

// forKeys runs a test once for each variant and registered kernel.
func forKeys(t *testing.T, test func(t *testing.T, sk *SecretKey)) { forKeysOf(t, testBits, test) }

// forKeysOf is forKeys for keys of another size.
func forKeysOf(t *testing.T, bits int, test func(t *testing.T, sk *SecretKey)) {
	for _, impl := range Kernels() {
		for _, variant := range []Variant{Textbook, DJN, MHL} {
			t.Run(impl.Name+"/"+string(variant), func(t *testing.T) {
				if !impl.Available {
					t.Skip(impl.Why)
				}
				sk := testKey(t, variant, bits)
				if err := sk.UseKernel(impl.Name); err != nil {
					t.Fatal(err)
				}
				test(t, sk)
			})
		}
	}
}

// oracle computes with math/big by the textbook formulas of the README of the vectors.
type oracle struct {
	sk    *SecretKey
	n, n2 *big.Int
	hs    *big.Int
	d     *big.Int // 0 modulo λ, 1 modulo N: c^d = 1+mN
}

func newOracle(sk *SecretKey) *oracle {
	n := sk.public.n
	o := &oracle{sk: sk, n: n, n2: new(big.Int).Mul(n, n)}
	if sk.public.h != nil {
		o.hs = new(big.Int).Exp(sk.public.h, n, o.n2)
	}
	lambda := new(big.Int).Mul(new(big.Int).Sub(sk.p, one), new(big.Int).Sub(sk.q, one))
	o.d = new(big.Int).Mul(lambda, new(big.Int).ModInverse(lambda, n))
	return o
}

func (o *oracle) randomizer(r *big.Int) *big.Int {
	if o.hs == nil {
		return new(big.Int).Exp(r, o.n, o.n2)
	}
	return new(big.Int).Exp(o.hs, r, o.n2)
}

func (o *oracle) encrypt(m, r *big.Int) *big.Int {
	c := new(big.Int).Exp(new(big.Int).Add(o.n, one), m, o.n2)
	return c.Mul(c, o.randomizer(r)).Mod(c, o.n2)
}

func (o *oracle) decrypt(c *big.Int) *big.Int {
	u := new(big.Int).Exp(c, o.d, o.n2)
	return u.Div(u.Sub(u, one), o.n)
}

// power is c^s for any s.
func (o *oracle) power(c, s *big.Int) *big.Int { return new(big.Int).Exp(c, s, o.n2) }

// residues draws n plaintexts, with the edge values first.
func (o *oracle) residues(random *rand.Rand, n int) []*big.Int {
	edges := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(o.n, one), new(big.Int).Rsh(o.n, 1), o.sk.p, o.sk.q}
	out := make([]*big.Int, n)
	for i := range out {
		if i < len(edges) {
			out[i] = edges[i]
		} else {
			out[i] = bigBelow(random, o.n)
		}
	}
	return out
}

// randoms draws n explicit random numbers, with the edge values first.
func (o *oracle) randoms(random *rand.Rand, n int) []*big.Int {
	limit, low := o.n, one
	if o.hs != nil {
		limit, low = new(big.Int).Lsh(one, uint(o.sk.public.rbits)), new(big.Int)
	}
	out := make([]*big.Int, n)
	for i := range out {
		switch i {
		case 0:
			out[i] = low
		case 1:
			out[i] = new(big.Int).Sub(limit, one)
		default:
			out[i] = new(big.Int).Add(bigBelow(random, new(big.Int).Sub(limit, one)), one)
		}
	}
	return out
}

// ciphertexts makes n encryptions of random plaintexts.
func (o *oracle) ciphertexts(random *rand.Rand, n int) []*big.Int {
	m, r := o.residues(random, n), o.randoms(random, n)
	out := make([]*big.Int, n)
	for i := range out {
		out[i] = o.encrypt(m[i], r[i])
	}
	return out
}

func bigBelow(random *rand.Rand, limit *big.Int) *big.Int {
	words := make([]big.Word, len(limit.Bits())+1)
	for i := range words {
		words[i] = big.Word(random.Uint64())
	}
	x := new(big.Int).SetBits(words)
	return x.Mod(x, limit)
}

// bytesOf writes values of size bytes each.
func bytesOf(values []*big.Int, size int) []byte {
	out := make([]byte, size*len(values))
	for i, v := range values {
		v.FillBytes(out[i*size : (i+1)*size])
	}
	return out
}

func (o *oracle) ct(values ...*big.Int) []byte { return bytesOf(values, o.sk.public.CiphertextSize()) }

func (o *oracle) room(n int) []byte { return make([]byte, n*o.sk.public.CiphertextSize()) }

func (o *oracle) random(values ...*big.Int) []byte { return bytesOf(values, o.sk.public.randomSize()) }

// plain writes residues as a batch of plaintexts.
func (o *oracle) plain(values ...*big.Int) []uint64 {
	limbs := o.sk.public.PlaintextLimbs()
	var out []uint64
	for _, v := range values {
		out = append(out, wordsOf(new(big.Int).Mod(v, o.n), limbs)...)
	}
	return out
}

// fromBytes reads a batch of values of size bytes.
func fromBytes(b []byte, size int) []*big.Int {
	var out []*big.Int
	for ; len(b) > 0; b = b[size:] {
		out = append(out, new(big.Int).SetBytes(b[:size]))
	}
	return out
}

func (o *oracle) fromCT(ct []byte) []*big.Int { return fromBytes(ct, o.sk.public.CiphertextSize()) }

func (o *oracle) fromPlain(m []uint64) []*big.Int {
	limbs := o.sk.public.PlaintextLimbs()
	var out []*big.Int
	for ; len(m) > 0; m = m[limbs:] {
		v := new(big.Int)
		for k := limbs - 1; k >= 0; k-- {
			v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(m[k]))
		}
		out = append(out, v)
	}
	return out
}

func equal(t *testing.T, what string, got, want []*big.Int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Cmp(want[i]) != 0 {
			t.Fatalf("%s: value %d of %d is\n%x, want\n%x", what, i, len(got), got[i], want[i])
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
