package paillier

import (
	"context"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// TestGenerateKey generates keys of the sizes in use and of test sizes and looks at their form. Parsing them again makes
// all the checks of a key.
func TestGenerateKey(t *testing.T) {
	type keySize struct {
		variant     Variant
		bits, rbits int
	}
	sizes := []keySize{
		{Textbook, 512, 0}, {DJN, 512, 256}, {MHL, 512, 160}, {MHL, 640, 200}, {MHL, 1024, 320},
		{Textbook, 3072, 0}, {DJN, 2048, 1024}, {MHL, 2048, 448},
	}
	for _, c := range append(sizes, thoroughtest.Pick(nil, []keySize{{MHL, 3072, 512}})...) {
		start := time.Now()
		sk, err := GenerateKey(context.Background(), nil, c.variant, c.bits, c.bits < 2048)
		if err != nil {
			t.Fatalf("%s %d: %v", c.variant, c.bits, err)
		}
		t.Logf("%s %d: %v", c.variant, c.bits, time.Since(start))
		pk := sk.Public()
		if pk.Variant() != c.variant || pk.Bits() != c.bits || pk.n.BitLen() != c.bits || pk.RBits() != c.rbits || pk.Test() != (c.bits < 2048) {
			t.Errorf("%s %d: got %s, %d bits, exponents of %d, test %v", c.variant, c.bits, pk.Variant(), pk.Bits(), pk.RBits(), pk.Test())
		}
		if sk.p.Bit(c.bits/2-2) != 1 || sk.q.Bit(c.bits/2-2) != 1 || sk.p.Cmp(sk.q) == 0 {
			t.Errorf("%s %d: bad primes", c.variant, c.bits)
		}
		again, err := ParseKey(sk.MarshalSecret())
		if err != nil {
			t.Fatalf("%s %d: parsing: %v", c.variant, c.bits, err)
		}
		if string(again.(*SecretKey).MarshalSecret()) != string(sk.MarshalSecret()) {
			t.Errorf("%s %d: the key file does not come back", c.variant, c.bits)
		}
		public, err := ParseKey(pk.MarshalPublic())
		if err != nil {
			t.Fatalf("%s %d: parsing: %v", c.variant, c.bits, err)
		}
		if public.Public().Fingerprint() != pk.Fingerprint() || again.Public().Fingerprint() != pk.Fingerprint() {
			t.Errorf("%s %d: the fingerprint changes", c.variant, c.bits)
		}
		if string(public.(*PublicKey).MarshalPublic()) != string(pk.MarshalPublic()) {
			t.Errorf("%s %d: the public key file does not come back", c.variant, c.bits)
		}
	}
}

// The order of h is exactly 2·pa·qa, by the conditions of Ma, Han and Lei themselves.
func TestShortBaseOrder(t *testing.T) {
	sk := testKey(t, MHL, testBits)
	n, h := sk.public.n, sk.public.h
	alpha := new(big.Int).Mul(sk.pa, sk.qa)
	power := func(e *big.Int) *big.Int { return new(big.Int).Exp(h, e, n) }
	if power(new(big.Int).Lsh(alpha, 1)).Cmp(one) != 0 {
		t.Error("h^(2α) is not 1")
	}
	for _, e := range []*big.Int{alpha, new(big.Int).Lsh(sk.pa, 1), new(big.Int).Lsh(sk.qa, 1)} {
		if power(e).Cmp(one) == 0 {
			t.Errorf("h^%v is 1", e)
		}
	}
	beta := new(big.Int).Mul(new(big.Int).Sub(sk.p, one), new(big.Int).Sub(sk.q, one))
	beta.Div(beta, new(big.Int).Lsh(alpha, 2))
	if new(big.Int).GCD(nil, nil, alpha, beta).Cmp(one) != 0 {
		t.Error("α and β share a factor")
	}
	if alpha.BitLen() != sk.public.rbits {
		t.Errorf("α has %d bits", alpha.BitLen())
	}
}

func TestGenerateKeyRefuses(t *testing.T) {
	for _, c := range []struct {
		variant Variant
		bits    int
		test    bool
		kind    error
	}{
		{DJN, 1024, false, ErrKeySize}, {DJN, 1920, false, ErrKeySize}, {DJN, 384, true, ErrKeySize}, {DJN, 1000, true, ErrKeySize},
		{DJN, 2176, false, ErrKeySize}, {DJN, 8192, false, ErrKeySize}, {DJN, 0, true, ErrKeySize}, {DJN, -2048, true, ErrKeySize},
		{"rsa", 2048, false, ErrKeySyntax}, {"", 2048, false, ErrKeySyntax},
	} {
		_, err := GenerateKey(context.Background(), nil, c.variant, c.bits, c.test)
		var bad *KeyError
		if !errors.Is(err, c.kind) || !errors.As(err, &bad) || bad.Hint == "" {
			t.Errorf("%s %d: %v", c.variant, c.bits, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := GenerateKey(ctx, nil, MHL, 4096, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("cancelled after %v only", d)
	}
	// A source of randomness that ends, at every stage of the work.
	for variant, lengths := range map[Variant][]int64{Textbook: {0, 20, 40}, DJN: {0, 40, 100}, MHL: {0, 20, 45, 60, 100}} {
		for _, n := range lengths {
			_, err := GenerateKey(context.Background(), io.LimitReader(seededReader(t), n), variant, 512, true)
			if err == nil || !strings.Contains(err.Error(), "generating") || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s with %d bytes of randomness: %v", variant, n, err)
			}
		}
	}
}

// zeroReader gives zeros: with it p = q, which generation must not accept.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestGenerateKeyFromBadRandomness(t *testing.T) {
	if _, err := GenerateKey(context.Background(), zeroReader{}, Textbook, 512, true); !errors.Is(err, ErrKeyModulus) && !errors.Is(err, ErrKeyPrime) {
		t.Errorf("a source of zeros gives %v", err)
	}
}

func TestFirstPrime(t *testing.T) {
	random := seeded(t)
	for range 30 {
		start := bigBelow(random, new(big.Int).Lsh(one, 128))
		start.SetBit(start, 0, 1)
		step := big.NewInt(2 * (1 + random.Int64N(1000)))
		got, err := firstPrime(context.Background(), start, step)
		ok(t, err)
		want := new(big.Int).Set(start)
		i := 0
		for ; i < sieveLength && !want.ProbablyPrime(20); i++ {
			want.Add(want, step)
		}
		if i == sieveLength { // start and step share a factor
			if got != nil {
				t.Fatalf("%v + i·%v: found %v", start, step, got)
			}
			continue
		}
		if got == nil || got.Cmp(want) != 0 {
			t.Fatalf("%v + i·%v: found %v, want %v", start, step, got, want)
		}
	}
}

func TestAccessors(t *testing.T) {
	sk := testKey(t, DJN, 1024)
	pk := sk.Public()
	if new(big.Int).SetBytes(pk.N()).Cmp(pk.n) != 0 || len(pk.N()) != 128 || len(pk.NWords()) != 16 || pk.PlaintextLimbs() != 16 {
		t.Error("N")
	}
	if new(big.Int).SetBytes(pk.H()).Cmp(pk.h) != 0 || len(pk.H()) != 128 || pk.randomSize() != 64 || pk.CiphertextSize() != 256 {
		t.Error("h")
	}
	textbook := testKey(t, Textbook, 1024).Public()
	if textbook.H() != nil || textbook.RBits() != 0 || textbook.randomSize() != 128 || textbook.TableBytes() != 0 {
		t.Error("textbook")
	}
	if pk.Public() != pk || sk.Public() != pk {
		t.Error("Public")
	}
}

func TestKernels(t *testing.T) {
	names := map[string]bool{}
	for _, impl := range Kernels() {
		if names[impl.Name] || impl.Why == "" {
			t.Errorf("kernel %q is listed twice or gives no reason", impl.Name)
		}
		names[impl.Name] = true
	}
	if !names["generic"] {
		t.Error("there is no generic kernel")
	}
	key, err := ParseKey(testKey(t, DJN, testBits).MarshalSecret())
	ok(t, err)
	var bad *KeyError
	for _, k := range []Key{key, key.Public()} {
		if err := k.UseKernel("abacus"); !errors.Is(err, ErrKeyKernel) || !errors.As(err, &bad) || !strings.Contains(bad.Hint, "generic") {
			t.Errorf("an unknown kernel: %v", err)
		}
		ok(t, k.UseKernel("generic"))
		ok(t, k.UseKernel(""))
	}
	preferred, err := kernelByName("")
	ok(t, err)
	for _, impl := range Kernels() {
		if !impl.Available && !errors.Is(key.UseKernel(impl.Name), ErrKeyKernel) {
			t.Errorf("kernel %s is in use on a machine that cannot run it", impl.Name)
		}
	}
	ok(t, key.UseKernel(""))
	if got := key.Public().Kernel(); got != preferred.Name || !preferred.Available {
		t.Errorf("kernel %q is in use", got)
	}
	// Workers go on with what they were made with, and their tables are let go with them.
	e := key.NewEncryptor()
	if key.TableBytes() == 0 || e.Bytes() == 0 {
		t.Error("no memory is reported")
	}
	ok(t, key.UseKernel("generic"))
	if key.TableBytes() != 0 {
		t.Error("tables of another kernel are still held")
	}
	o := newOracle(key.(*SecretKey))
	ok(t, e.Encrypt(o.room(1), o.plain(one)))
	ok(t, key.NewEncryptor().Encrypt(o.room(1), o.plain(one)))
}
