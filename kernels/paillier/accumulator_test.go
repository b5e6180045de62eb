package paillier

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

func TestAccumulator(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		pool := o.ciphertexts(random, 20)
		for _, groups := range []int{1, 2, 5, 129, 300} {
			sums := []*Accumulator{sk.Public().NewAccumulator(groups), sk.Public().NewAccumulator(groups), sk.Public().NewAccumulator(groups)}
			if sums[0].Bytes() < int64(groups*sk.Public().CiphertextSize()) || sums[0].Groups() != groups {
				t.Errorf("%d groups in %d bytes", sums[0].Groups(), sums[0].Bytes())
			}
			want := make([]*big.Int, groups)
			for i := range want {
				want[i] = new(big.Int).Set(one)
			}
			for range 12 {
				n := random.IntN(150)
				to, list := make([]int32, n), make([]*big.Int, n)
				for i := range to {
					g := random.IntN(groups)
					if random.IntN(3) == 0 {
						g = 0 // a group that gets much
					} else if g == groups-1 && groups > 2 {
						g = 1 // a group that gets nothing
					}
					to[i], list[i] = int32(g), pool[random.IntN(len(pool))]
					want[g].Mul(want[g], list[i]).Mod(want[g], o.n2)
				}
				ok(t, sums[random.IntN(2)].Add(to, o.ct(list...)))
			}
			// 2 += 0, 2 += 1: the first merge meets empty groups only.
			ok(t, sums[2].Merge(sums[0]))
			ok(t, sums[2].Merge(sums[1]))
			// Parts of the sums, before and after one another, leave them as they are.
			for _, r := range [][2]int{{0, groups}, {groups / 2, groups}, {groups - 1, groups}, {0, 1}, {groups, groups}} {
				part := o.room(r[1] - r[0])
				ok(t, sums[2].Sums(part, r[0]))
				equal(t, "sums of a range", o.fromCT(part), want[r[0]:r[1]])
			}
			dst := o.room(groups)
			ok(t, sums[2].Finish(dst))
			equal(t, "sums", o.fromCT(dst), want)

			// Finished accumulators are empty; merged ones are not.
			ok(t, sums[2].Finish(dst))
			for _, c := range o.fromCT(dst) {
				if c.Cmp(one) != 0 {
					t.Fatal("a finished accumulator is not empty")
				}
			}
			ok(t, sums[2].Merge(sums[1]))
			ok(t, sums[2].Merge(sums[0]))
			ok(t, sums[2].Finish(dst))
			equal(t, "sums merged again", o.fromCT(dst), want)
		}
		ok(t, sk.Public().NewAccumulator(0).Finish(nil))
	})
}

func TestAccumulatorRefuses(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		good := o.ciphertexts(seeded(t), 3)
		a := sk.Public().NewAccumulator(4)
		checkRefusal(t, "Add", a.Add([]int32{0, 1, 2}, o.ct(good[0], good[1], o.n2)), 0, 2)

		for _, bad := range []*big.Int{new(big.Int), sk.p, o.n} {
			a = sk.Public().NewAccumulator(200)
			ok(t, a.Add([]int32{0, 150, 150, 199}, o.ct(good[0], good[1], bad, good[2])))
			ok(t, a.Sums(o.room(150), 0))
			checkRefusal(t, "Sums", a.Sums(o.room(60), 140), 0, 10)
			checkRefusal(t, "Finish", a.Finish(o.room(200)), 0, 150)
			ok(t, a.Add([]int32{3}, o.ct(good[0])))
			ok(t, a.Finish(o.room(200)))
		}

		if a.Merge(sk.Public().NewAccumulator(3)) == nil {
			t.Error("accumulators of different lengths merge")
		}
		other := testKey(t, map[Variant]Variant{Textbook: DJN, DJN: MHL, MHL: Textbook}[sk.public.variant], testBits)
		if a.Merge(other.Public().NewAccumulator(200)) == nil {
			t.Error("accumulators of different keys merge")
		}

		// 2^32 ciphertexts in a group do not fit.
		full, more := sk.Public().NewAccumulator(2), sk.Public().NewAccumulator(2)
		ok(t, full.Add([]int32{1}, o.ct(good[0])))
		ok(t, more.Add([]int32{1}, o.ct(good[0])))
		full.sums.counts[1], more.sums.counts[1] = math.MaxUint32-5, 6
		if full.Merge(more) == nil || full.Add([]int32{1}, o.ct(good[0])) == nil {
			t.Error("a full group takes more")
		}
		ok(t, full.Add([]int32{0}, o.ct(good[0])))
	})
}

func TestDecryptRefuses(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		const n = 20
		good := o.ciphertexts(seeded(t), n)
		m := make([]uint64, n*sk.Public().PlaintextLimbs())
		d := sk.NewDecryptor()
		for reason, list := range map[string][]*big.Int{
			reasonZero:   {new(big.Int)},
			reasonRange:  {o.n2, new(big.Int).Add(o.n2, one)},
			reasonFactor: {sk.p, sk.q, o.n, new(big.Int).Mul(sk.p, sk.p), new(big.Int).Mul(sk.q, big.NewInt(12345))},
		} {
			for _, bad := range list {
				for _, place := range []int{0, 9, n - 1} {
					all := append([]*big.Int(nil), good...)
					all[place] = bad
					for _, decrypt := range []func([]uint64, []byte) error{d.Decrypt, d.DecryptFull} {
						for i := range m {
							m[i] = 7
						}
						err := decrypt(m, o.ct(all...))
						checkRefusal(t, "Decrypt", err, 0, place)
						var e *CiphertextError
						if errors.As(err, &e) && e.Reason != reason {
							t.Errorf("reason %q, want %q", e.Reason, reason)
						}
						for _, w := range m {
							if w != 0 {
								t.Fatal("plaintexts are left after an error")
							}
						}
					}
				}
			}
		}
	})
}

// The short powers of an MHL key open its own ciphertexts only.
func TestForeignRandomizer(t *testing.T) {
	sk := testKey(t, MHL, testBits)
	o := newOracle(sk)
	good := o.ciphertexts(seeded(t), 9)
	textbook, err := newPublicKey(Textbook, testBits, o.n, nil, 0)
	ok(t, err)
	want := []*big.Int{big.NewInt(42), new(big.Int).Sub(o.n, one)}
	ct := o.room(2)
	ok(t, textbook.NewEncryptor().Encrypt(ct, o.plain(want...)))
	foreign := o.fromCT(ct)
	d, m := sk.NewDecryptor(), make([]uint64, 2*sk.Public().PlaintextLimbs())
	ok(t, d.DecryptFull(m, ct))
	equal(t, "DecryptFull", o.fromPlain(m), want)
	for place := range good {
		list := append([]*big.Int(nil), good...)
		list[place] = foreign[place%2]
		err := d.Decrypt(make([]uint64, 9*sk.Public().PlaintextLimbs()), o.ct(list...))
		checkRefusal(t, "Decrypt", err, 0, place)
		var e *CiphertextError
		if errors.As(err, &e) && e.Reason != reasonForeign {
			t.Errorf("reason %q", e.Reason)
		}
	}
	// Sums with a foreign part, and textbook re-randomization, are foreign as well; the key's own re-randomization is not.
	e := sk.Public().NewEvaluator()
	ok(t, e.Fold(ct, o.ct(good[:2]...), o.ct(foreign...)))
	checkRefusal(t, "sum", d.Decrypt(m, ct), 0, 0)
	ok(t, textbook.NewEvaluator().Rerandomize(ct, o.ct(good[:2]...)))
	checkRefusal(t, "re-randomized", d.Decrypt(m, ct), 0, 0)
	ok(t, e.Rerandomize(ct, o.ct(good[:2]...)))
	ok(t, d.Decrypt(m, ct))
}
