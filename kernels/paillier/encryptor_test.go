package paillier

import (
	"bytes"
	"errors"
	"math/big"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
)

// batchSizes are around the lengths of pieces and lanes.
var batchSizes = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 130}

func TestEncryptAgreesWithFormulas(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		public, owner := sk.Public().NewEncryptor(), sk.NewEncryptor()
		for _, n := range batchSizes {
			m, r := o.residues(random, n), o.randoms(random, n)
			got, byOwner := o.room(n), o.room(n)
			ok(t, public.encryptWith(got, o.plain(m...), o.random(r...)))
			ok(t, owner.encryptWith(byOwner, o.plain(m...), o.random(r...)))
			if !bytes.Equal(got, byOwner) {
				t.Fatalf("%d rows: the owner's ciphertexts differ from those by public key", n)
			}
			checked := min(n, 9) // the formulas are slow
			var want []*big.Int
			for i := range checked {
				want = append(want, o.encrypt(m[i], r[i]))
			}
			equal(t, "ciphertexts", o.fromCT(got)[:checked], want)

			plain := make([]uint64, n*sk.Public().PlaintextLimbs())
			ok(t, sk.NewDecryptor().Decrypt(plain, got))
			equal(t, "Decrypt", o.fromPlain(plain), m)
			ok(t, sk.NewDecryptor().DecryptFull(plain, got))
			equal(t, "DecryptFull", o.fromPlain(plain), m)
		}
	})
}

func TestEncryptIsFresh(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		m := o.residues(seeded(t), 20)
		seen := map[string]bool{}
		for _, key := range []Key{sk, sk.Public()} {
			for range 2 {
				ct := o.room(len(m))
				ok(t, key.NewEncryptor().Encrypt(ct, o.plain(m...)))
				for _, c := range o.fromCT(ct) {
					if seen[c.String()] {
						t.Fatal("a ciphertext came twice")
					}
					seen[c.String()] = true
				}
				ok(t, sk.Public().NewEvaluator().Check(ct))
				plain := make([]uint64, len(o.plain(m...)))
				ok(t, sk.NewDecryptor().Decrypt(plain, ct))
				equal(t, "plaintexts", o.fromPlain(plain), m)
			}
		}
	})
}

// The owner's randomizers must be N-th residues, or they would tell something about q to who knows p; and those of DJN
// and MHL must lie in the group of hs.
func TestRandomizersAreResidues(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		zero := o.plain(new(big.Int), new(big.Int), new(big.Int))
		order := new(big.Int).Mul(new(big.Int).Sub(sk.p, one), new(big.Int).Sub(sk.q, one))
		if sk.public.variant == MHL {
			order.Mul(sk.pa, sk.qa).Lsh(order, 1)
		}
		ct := o.room(3)
		for _, key := range []Key{sk, sk.Public()} {
			ok(t, key.NewEncryptor().Encrypt(ct, zero))
			for _, c := range o.fromCT(ct) {
				if o.power(c, order).Cmp(one) != 0 {
					t.Fatalf("an encryption of 0 is outside the group of randomizers")
				}
			}
		}
		e := sk.Public().NewEvaluator()
		ok(t, e.Rerandomize(ct, ct))
		for _, c := range o.fromCT(ct) {
			if o.power(c, order).Cmp(one) != 0 {
				t.Fatalf("a re-randomized encryption of 0 is outside the group of randomizers")
			}
		}
	})
}

func TestEncryptWithRoots(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		m := o.residues(random, 9)
		size := sk.Public().Bits() / 16
		var roots [2][]*big.Int
		for range m {
			roots[0] = append(roots[0], new(big.Int).Add(bigBelow(random, new(big.Int).Sub(sk.p, one)), one))
			roots[1] = append(roots[1], new(big.Int).Add(bigBelow(random, new(big.Int).Sub(sk.q, one)), one))
		}
		rhoP, rhoQ := bytesOf(roots[0], size), bytesOf(roots[1], size)
		ct := o.room(len(m))
		if sk.Public().Variant() != Textbook {
			if err := sk.NewEncryptor().encryptWithRoots(ct, o.plain(m...), rhoP, rhoQ); err == nil {
				t.Fatal("a key of another variant takes roots")
			}
			return
		}
		if err := sk.Public().NewEncryptor().encryptWithRoots(ct, o.plain(m...), rhoP, rhoQ); err == nil {
			t.Fatal("a public key takes roots")
		}
		ok(t, sk.NewEncryptor().encryptWithRoots(ct, o.plain(m...), rhoP, rhoQ))
		for i, c := range o.fromCT(ct) {
			for k, p := range []*big.Int{sk.p, sk.q} {
				square := new(big.Int).Mul(p, p)
				want := new(big.Int).Mul(m[i], o.n)
				want.Add(want, one).Mul(want, new(big.Int).Exp(roots[k][i], p, square)).Mod(want, square)
				if want.Cmp(new(big.Int).Mod(c, square)) != 0 {
					t.Fatalf("ciphertext %d is wrong modulo factor %d", i, k)
				}
			}
		}
		for _, bad := range []*big.Int{new(big.Int), sk.p} {
			roots[0][4] = bad
			var e *knownanswer.RandomnessError
			err := sk.NewEncryptor().encryptWithRoots(ct, o.plain(m...), bytesOf(roots[0], size), rhoQ)
			if !errors.As(err, &e) || e.Index != 4 {
				t.Fatalf("root %v: %v", bad, err)
			}
		}
	})
}

func TestEncryptRefuses(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		const n = 12
		for _, key := range []Key{sk, sk.Public()} {
			e := key.NewEncryptor()
			m, r := o.plain(o.residues(random, n)...), o.randoms(random, n)
			copy(m[5*sk.Public().PlaintextLimbs():], sk.Public().NWords())
			var tooLarge *PlaintextError
			if err := e.Encrypt(o.room(n), m); !errors.As(err, &tooLarge) || tooLarge.Index != 5 {
				t.Fatalf("plaintext N: %v", err)
			}
			m = o.plain(o.residues(random, n)...)
			bad := []*big.Int{new(big.Int), o.n, sk.p, new(big.Int).Lsh(sk.q, 1)}
			if o.hs != nil {
				bad = nil // every exponent of randomSize() bytes is in range when RBits is a multiple of 8
			}
			for _, x := range bad {
				r[7] = x
				var e1 *knownanswer.RandomnessError
				if err := e.encryptWith(o.room(n), m, o.random(r...)); !errors.As(err, &e1) || e1.Index != 7 {
					t.Fatalf("randomness %v: %v", x, err)
				}
			}
		}
	})
}

func TestPanicsOnLengths(t *testing.T) {
	sk := testKey(t, DJN, testBits)
	o := newOracle(sk)
	m := o.plain(one, two)
	e, d, public := sk.Public().NewEvaluator(), sk.NewDecryptor(), sk.Public().NewEncryptor()
	for name, f := range map[string]func(){
		"Encrypt dst":      func() { public.Encrypt(o.room(1), m) },
		"Encrypt m":        func() { public.Encrypt(o.room(2), m[1:]) },
		"encryptWith":      func() { public.encryptWith(o.room(2), m, make([]byte, 3)) },
		"encryptWithRoots": func() { testKey(t, Textbook, testBits).NewEncryptor().encryptWithRoots(o.room(2), m, nil, nil) },
		"Decrypt":          func() { d.Decrypt(m, o.room(1)) },
		"Decrypt ct":       func() { d.Decrypt(m, o.room(2)[1:]) },
		"Check":            func() { e.Check(o.room(1)[1:]) },
		"Fold":             func() { e.Fold(o.room(1), o.room(2)) },
		"Fold none":        func() { e.Fold(o.room(1)) },
		"WeightedFold":     func() { e.WeightedFold(o.room(1), []int64{1}, o.room(1), o.room(1)) },
		"WeightedFold ct":  func() { e.WeightedFold(o.room(1), []int64{1}, o.room(2)) },
		"WeightedFold 0":   func() { e.WeightedFold(nil, nil) },
		"Sum":              func() { e.Sum(o.room(2), o.room(2)) },
		"WeightedSum":      func() { e.WeightedSum(o.room(1), o.room(2), Int64Scalars([]int64{1})) },
		"AddPlain":         func() { e.AddPlain(o.room(2), o.room(2), m[1:]) },
		"MulPlain":         func() { e.MulPlain(o.room(2), o.room(1), one) },
		"MulEach":          func() { e.MulEach(o.room(2), o.room(2), Int64Scalars(nil)) },
		"Negate":           func() { e.Negate(o.room(2), o.room(1)) },
		"Rerandomize":      func() { e.Rerandomize(o.room(2), o.room(1)) },
		"rerandomizeWith":  func() { e.rerandomizeWith(o.room(2), o.room(2), nil) },
		"Accumulator":      func() { sk.Public().NewAccumulator(3).Add([]int32{0}, o.room(2)) },
		"group":            func() { sk.Public().NewAccumulator(3).Add([]int32{3}, o.ct(one)) },
		"negative group":   func() { sk.Public().NewAccumulator(3).Add([]int32{-1}, o.ct(one)) },
		"Finish":           func() { sk.Public().NewAccumulator(3).Finish(o.room(2)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Workers of one key run side by side on shared tables.
func TestWorkersInParallel(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		m := o.residues(seeded(t), 10)
		want := o.plain(m...)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				var key Key = sk
				if i%2 == 0 {
					key = sk.Public()
				}
				ct, got := o.room(len(m)), make([]uint64, len(want))
				if err := key.NewEncryptor().Encrypt(ct, want); err != nil {
					t.Error(err)
				}
				if err := sk.Public().NewEvaluator().Rerandomize(ct, ct); err != nil {
					t.Error(err)
				}
				if err := sk.NewDecryptor().Decrypt(got, ct); err != nil {
					t.Error(err)
				}
				for k := range got {
					if got[k] != want[k] {
						t.Error("wrong plaintext")
						return
					}
				}
			})
		}
		wg.Wait()
		if sk.Public().Variant() != Textbook && (sk.TableBytes() <= sk.Public().TableBytes() || sk.Public().TableBytes() <= 0) {
			t.Errorf("tables of %d and %d bytes", sk.TableBytes(), sk.Public().TableBytes())
		}
	})
}
