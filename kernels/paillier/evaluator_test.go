package paillier

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
)

// evaluatorSizes are around the lengths of pieces of all operations.
var evaluatorSizes = []int{0, 1, 8, 33, 131}

func TestFold(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		pool := o.ciphertexts(random, 40)
		for _, n := range evaluatorSizes {
			for batches := 1; batches <= 5; batches++ {
				var cts [][]byte
				var want []*big.Int
				for range n {
					want = append(want, one)
				}
				for range batches {
					var list []*big.Int
					for i := range n {
						c := pool[random.IntN(len(pool))]
						list = append(list, c)
						want[i] = new(big.Int).Mul(want[i], c)
						want[i].Mod(want[i], o.n2)
					}
					cts = append(cts, o.ct(list...))
				}
				dst := o.room(n)
				ok(t, e.Fold(dst, cts...))
				equal(t, fmt.Sprintf("fold of %d batches", batches), o.fromCT(dst), want)
				ok(t, e.Fold(cts[batches-1], cts...))
				if !bytes.Equal(dst, cts[batches-1]) {
					t.Fatal("folding into a batch itself gives something else")
				}
			}
		}
	})
}

func TestSum(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		pool := o.ciphertexts(random, 30)
		for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 63, 64, 127, 128, 129, 255, 300} {
			want := new(big.Int).Set(one)
			var list []*big.Int
			for range n {
				c := pool[random.IntN(len(pool))]
				list = append(list, c)
				want.Mul(want, c).Mod(want, o.n2)
			}
			dst := o.room(1)
			ok(t, e.Sum(dst, o.ct(list...)))
			equal(t, fmt.Sprintf("sum of %d", n), o.fromCT(dst), []*big.Int{want})
		}
	})
}

// scalarsOfBits draws signed numbers of up to the given length, with zeros and edge values.
func scalarsOfBits(t *testing.T, n, bits int, signed bool) []*big.Int {
	random := seeded(t)
	limit := new(big.Int).Lsh(one, uint(bits))
	out := make([]*big.Int, n)
	for i := range out {
		switch i % 7 {
		case 3:
			out[i] = new(big.Int)
		case 5:
			out[i] = new(big.Int).Sub(limit, one)
		default:
			out[i] = bigBelow(random, limit)
		}
		if signed && random.IntN(2) == 0 {
			out[i].Neg(out[i])
		}
	}
	return out
}

func TestWeightedSum(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		pool := o.ciphertexts(random, 12)
		for _, n := range []int{0, 1, 2, 9, 150} {
			for _, bits := range []int{1, 2, 8, 17, 64, 100} {
				if n == 150 && bits > 17 {
					continue // the formula is slow
				}
				for _, signed := range []bool{false, true} {
					w := scalarsOfBits(t, n, bits, signed)
					want := new(big.Int).Set(one)
					var list []*big.Int
					for i := range n {
						c := pool[random.IntN(len(pool))]
						list = append(list, c)
						want.Mul(want, o.power(c, w[i])).Mod(want, o.n2)
					}
					dst := o.room(1)
					ok(t, e.WeightedSum(dst, o.ct(list...), BigScalars(w)))
					equal(t, fmt.Sprintf("weighted sum of %d, %d bits", n, bits), o.fromCT(dst), []*big.Int{want})
				}
			}
		}
		// all weights zero, and zero-length scalars
		dst := o.room(1)
		for _, w := range []Scalars{Int64Scalars([]int64{0, 0}), {Size: 0, Neg: make([]bool, 2)}} {
			ok(t, e.WeightedSum(dst, o.ct(pool[:2]...), w))
			equal(t, "weights 0", o.fromCT(dst), []*big.Int{one})
		}
	})
}

// Every window must give the same; small memory, few rows and many lanes choose different ones.
func TestPippengerPlans(t *testing.T) {
	windows := map[int]bool{}
	for _, n := range []int{1, 2, 100, 1000, 10000, 100000, 1000000} {
		for _, length := range []int{1, 8, 16, 32, 64, 300} {
			for _, negative := range []bool{false, true} {
				p := planPippenger(n, length, negative, 512)
				windows[p.bits] = true
				if p.windows*p.bits < length || (p.windows-1)*p.bits >= length {
					t.Errorf("%d windows of %d bits for %d", p.windows, p.bits, length)
				}
				if size := (1<<p.bits - 1) * p.lanes * 512; p.bits > 1 && size > pippengerMemoryMax {
					t.Errorf("%d bytes of buckets", size)
				}
				if negative != (p.lanes == 2*p.windows) {
					t.Errorf("%d lanes for %d windows", p.lanes, p.windows)
				}
			}
		}
	}
	if len(windows) < 6 {
		t.Errorf("only %d different windows", len(windows))
	}
	// Filters cost one multiplication per selected row: weights of one bit take one bucket and no conversion.
	if p := planPippenger(1000, 1, false, 512); p.bits != 1 || p.lanes != 1 || p.mont {
		t.Errorf("a filter is planned as %+v", p)
	}
}

func TestPippengerWindows(t *testing.T) {
	sk := testKey(t, DJN, testBits)
	o, random := newOracle(sk), seeded(t)
	e := sk.Public().NewEvaluator()
	pool := o.ciphertexts(random, 6)
	const n, length = 20, 21
	w := scalarsOfBits(t, n, length, true)
	want, list := new(big.Int).Set(one), []*big.Int{}
	for i := range n {
		c := pool[random.IntN(len(pool))]
		list = append(list, c)
		want.Mul(want, o.power(c, w[i])).Mod(want, o.n2)
	}
	scalars, ct := BigScalars(w), o.ct(list...)
	for c := 1; c <= 9; c++ {
		for _, mont := range []bool{false, true} {
			windows := (length + c - 1) / c
			p := &pippenger{bits: c, windows: windows, lanes: 2 * windows, mont: mont, row: pieceVec{ring: e.rings.square}}
			p.buckets = newScatter(e.rings.square, (1<<c-1)*p.lanes+3) // more buckets than needed, as after a larger sum
			ok(t, pieces(n, pieceMax, func(first, rows, class int) error {
				x := e.x.get(class)
				if err := e.load(x, ct, 0, first); err != nil {
					return err
				}
				return p.add(x, class, scalars, first)
			}))
			positive, negative := p.result(e)
			ok(t, e.rings.square.InverseVarTime(negative, negative))
			e.rings.square.ToMont(negative, negative)
			e.rings.square.Mul(positive, positive, negative)
			got := o.room(1)
			e.rings.square.Bytes(got, positive)
			equal(t, fmt.Sprintf("window %d, Montgomery %v", c, mont), o.fromCT(got), []*big.Int{want})
		}
	}
}

func TestWeightedFold(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		pool := o.ciphertexts(random, 10)
		const least = -1 << 63
		for _, weights := range [][]int64{
			{1}, {0}, {-1}, {0, 0}, {1, 1, 1}, {1, -1}, {3, -5, 7}, {2, 0, -2}, {-4, -6}, {1 << 40, 12345678901, -987654321},
			{least, 1<<63 - 1}, {0x5555555555555555, -0x3333333333333333, 1},
		} {
			for _, n := range []int{0, 1, 9, 33} {
				var cts [][]byte
				want := make([]*big.Int, n)
				for i := range want {
					want[i] = new(big.Int).Set(one)
				}
				for _, w := range weights {
					var list []*big.Int
					for i := range n {
						k := random.IntN(len(pool))
						list = append(list, pool[k])
						if n <= 9 || i < 3 {
							want[i].Mul(want[i], o.power(pool[k], big.NewInt(w))).Mod(want[i], o.n2)
						}
					}
					cts = append(cts, o.ct(list...))
				}
				dst := o.room(n)
				ok(t, e.WeightedFold(dst, weights, cts...))
				got := o.fromCT(dst)
				if n > 9 {
					got, want = got[:3], want[:3]
				}
				equal(t, fmt.Sprintf("weights %v", weights), got, want)
				ok(t, e.WeightedFold(cts[0], weights, cts...))
				if !bytes.Equal(dst, cts[0]) {
					t.Fatal("folding into a batch itself gives something else")
				}
			}
		}
	})
}

func TestMul(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		pool := o.ciphertexts(random, 35)
		for _, n := range []int{0, 1, 9, 35} {
			list := pool[:n]
			for _, length := range []int{1, 3, 8, 40, 64} {
				w := scalarsOfBits(t, n, length, true)
				var want []*big.Int
				for i, c := range list {
					want = append(want, o.power(c, w[i]))
				}
				dst := o.ct(list...)
				ok(t, e.MulEach(dst, dst, BigScalars(w)))
				equal(t, fmt.Sprintf("MulEach by %d bits", length), o.fromCT(dst), want)
			}
		}
		for _, s := range []string{"0", "1", "-1", "2", "-3", "18446744073709551615", "-340282366920938463463374607431768211456"} {
			scalar, _ := new(big.Int).SetString(s, 10)
			list := pool[:10]
			var want []*big.Int
			for _, c := range list {
				want = append(want, o.power(c, scalar))
			}
			dst := o.ct(list...)
			ok(t, e.MulPlain(dst, dst, scalar))
			equal(t, "MulPlain by "+s, o.fromCT(dst), want)
		}
	})
}

func TestAddNegateRerandomize(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		for _, n := range evaluatorSizes {
			list := o.ciphertexts(random, min(n, 12))
			for len(list) < n {
				list = append(list, list[random.IntN(12)])
			}
			m, r := o.residues(random, n), o.randoms(random, n)
			var sums, inverses, random []*big.Int
			for i, c := range list {
				f := new(big.Int).Mul(m[i], o.n)
				f.Add(f, one).Mul(f, c)
				sums = append(sums, f.Mod(f, o.n2))
				inverses = append(inverses, new(big.Int).ModInverse(c, o.n2))
				if i < 5 {
					x := o.randomizer(r[i])
					random = append(random, x.Mul(x, c).Mod(x, o.n2))
				}
			}
			dst := o.ct(list...)
			ok(t, e.AddPlain(dst, dst, o.plain(m...)))
			equal(t, "AddPlain", o.fromCT(dst), sums)
			dst = o.ct(list...)
			ok(t, e.Negate(dst, dst))
			equal(t, "Negate", o.fromCT(dst), inverses)
			dst = o.ct(list...)
			ok(t, e.rerandomizeWith(dst, dst, o.random(r...)))
			equal(t, "rerandomizeWith", o.fromCT(dst)[:len(random)], random)
			dst = o.room(n)
			ok(t, e.Rerandomize(dst, o.ct(list...)))
			for i, c := range o.fromCT(dst) {
				if c.Cmp(list[i]) == 0 {
					t.Fatal("Rerandomize left a ciphertext as it was")
				}
				if i < 5 && o.decrypt(c).Cmp(o.decrypt(list[i])) != 0 {
					t.Fatal("Rerandomize changed a plaintext")
				}
			}
		}
		var bad *PlaintextError
		if err := e.AddPlain(o.room(2), o.ct(one, one), append(o.plain(one), sk.Public().NWords()...)); !errors.As(err, &bad) || bad.Index != 1 {
			t.Errorf("AddPlain of N: %v", err)
		}
		if sk.Public().Variant() == Textbook {
			var refused *knownanswer.RandomnessError
			if err := e.rerandomizeWith(o.room(2), o.ct(one, one), o.random(one, sk.p)); !errors.As(err, &refused) || refused.Index != 1 {
				t.Errorf("rerandomizeWith p: %v", err)
			}
		}
	})
}

// Own randomizers are made fresh by powers of hs where the key has it, other ones by N-th residues of all kinds. The
// randomness is known here, so that the results are too.
func TestRerandomizeOf(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		pk := sk.Public()
		const rows = 19
		list := o.ciphertexts(random, rows)
		for _, of := range []Randomizers{AnyRandomizers, OwnRandomizers} {
			seed := [32]byte{7}
			e := pk.NewEvaluator()
			e.randomizers().random = newRandom(seed)
			dst := o.ct(list...)
			ok(t, e.RerandomizeOf(dst, dst, of))
			inGroup := pk.variant == MHL || pk.variant == DJN && of == OwnRandomizers
			stream, bits := newRandom(seed), pk.bits
			if inGroup {
				bits = map[Variant]int{DJN: pk.bits, MHL: pk.rbits}[pk.variant] + 128
			}
			r := make([]byte, rows*((bits+7)/8))
			if inGroup {
				stream.exponents(r, bits)
			} else {
				stream.units(r, pk.NWords(), make([]uint64, pk.PlaintextLimbs()), bits/8)
			}
			symbols := 0
			var want []*big.Int
			for i, x := range fromBytes(r, len(r)/rows) {
				rho := new(big.Int).Exp(x, o.n, o.n2)
				if inGroup {
					rho.Exp(o.hs, x, o.n2)
				}
				symbols += big.Jacobi(rho, o.n)
				want = append(want, rho.Mul(rho, list[i]).Mod(rho, o.n2))
			}
			equal(t, "RerandomizeOf "+string(of), o.fromCT(dst), want)
			if (symbols == rows) != inGroup {
				t.Errorf("%q: Jacobi symbols of the randomizers add up to %d of %d", of, symbols, rows)
			}
			for i, c := range o.fromCT(dst)[:3] {
				if o.decrypt(c).Cmp(o.decrypt(list[i])) != 0 {
					t.Errorf("%q changed a plaintext", of)
				}
			}
		}
	})
}

// Nothing is known of what was computed from a ciphertext of which nothing is known.
func TestRandomizersAnd(t *testing.T) {
	var unset Randomizers
	for _, test := range []struct{ a, b, want Randomizers }{
		{OwnRandomizers, OwnRandomizers, OwnRandomizers}, {OwnRandomizers, unset, AnyRandomizers}, {unset, OwnRandomizers, AnyRandomizers},
		{unset, unset, AnyRandomizers}, {"other", OwnRandomizers, AnyRandomizers}, {"other", "other", AnyRandomizers},
	} {
		if got := test.a.And(test.b); got != test.want {
			t.Errorf("%q and %q give %q, want %q", test.a, test.b, got, test.want)
		}
	}
}

// Every operation must refuse every kind of invalid ciphertext, at every place, and name the place.
func TestInvalidCiphertexts(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		e := sk.Public().NewEvaluator()
		const n = 37
		good := o.ciphertexts(random, n)
		m := o.plain(good...) // any residues
		ones := make([]int64, n)
		minus := make([]int64, n)
		for i := range ones {
			ones[i], minus[i] = 1, -1
		}
		for name, bad := range map[string]*big.Int{
			reasonZero: new(big.Int), reasonRange: o.n2, "p": sk.p, "N": o.n, "multiple of q": new(big.Int).Mul(sk.q, sk.q),
			"highest": new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*sk.Public().CiphertextSize())), one),
		} {
			for _, place := range []int{0, 7, 32, n - 1} {
				list := append([]*big.Int(nil), good...)
				list[place] = bad
				ct, clean := o.ct(list...), o.ct(good...)
				dst := o.room(n)
				for op, err := range map[string]error{
					"Check":           e.Check(ct),
					"Fold":            e.Fold(dst, ct),
					"Sum":             e.Sum(o.room(1), ct),
					"WeightedSum":     e.WeightedSum(o.room(1), ct, Int64Scalars(ones)),
					"WeightedSum -":   e.WeightedSum(o.room(1), ct, Int64Scalars(minus)),
					"AddPlain":        e.AddPlain(dst, ct, m),
					"MulPlain":        e.MulPlain(dst, ct, two),
					"MulPlain 0":      e.MulPlain(dst, ct, new(big.Int)),
					"MulPlain -":      e.MulPlain(dst, ct, big.NewInt(-2)),
					"MulEach":         e.MulEach(dst, ct, Int64Scalars(ones)),
					"MulEach -":       e.MulEach(dst, ct, Int64Scalars(minus)),
					"Negate":          e.Negate(dst, ct),
					"rerandomizeWith": e.rerandomizeWith(dst, ct, o.random(o.randoms(random, n)...)),
				} {
					checkRefusal(t, op+" "+name, err, 0, place)
				}
				for op, err := range map[string]error{
					"Fold":           e.Fold(dst, clean, ct, clean),
					"WeightedFold":   e.WeightedFold(dst, []int64{1, 2, 1}, clean, ct, clean),
					"WeightedFold -": e.WeightedFold(dst, []int64{1, -2, 0}, clean, ct, clean),
					"Fold into":      e.Fold(ct, clean, ct),
				} {
					checkRefusal(t, op+" "+name, err, 1, place)
				}
				// After an error the worker is as good as new.
				ok(t, e.Check(clean))
				ok(t, e.Sum(o.room(1), clean))
			}
		}
		// Of a row or batch with weight 0 the range is checked.
		list := append([]*big.Int(nil), good...)
		list[3] = o.n2
		zeros := append([]int64(nil), ones...)
		zeros[3] = 0
		checkRefusal(t, "WeightedSum 0", e.WeightedSum(o.room(1), o.ct(list...), Int64Scalars(zeros)), 0, 3)
		checkRefusal(t, "WeightedFold 0", e.WeightedFold(o.room(n), []int64{0, 1}, o.ct(list...), o.ct(good...)), 0, 3)
		checkRefusal(t, "MulEach 0", e.MulEach(o.room(n), o.ct(list...), Int64Scalars(zeros)), 0, 3)
		list[3] = sk.p
		checkRefusal(t, "MulEach 0 of a factor", e.MulEach(o.room(n), o.ct(list...), Int64Scalars(zeros)), 0, 3)
		ok(t, e.WeightedSum(o.room(1), o.ct(list...), Int64Scalars(zeros)))
	})
}

func checkRefusal(t *testing.T, what string, err error, batch, index int) {
	t.Helper()
	var bad *CiphertextError
	if !errors.As(err, &bad) || bad.Batch != batch || bad.Index != index || bad.Reason == "" {
		t.Errorf("%s: want ciphertext %d of batch %d refused, got %v", what, index, batch, err)
	}
	if bad != nil && !strings.Contains(err.Error(), fmt.Sprint(index)) {
		t.Errorf("%s: the message does not name the place: %v", what, err)
	}
}

// Two invalid ciphertexts: the first is named, and of two factors whose product is a multiple of N too.
func TestFirstInvalidIsNamed(t *testing.T) {
	sk := testKey(t, Textbook, testBits)
	o := newOracle(sk)
	e := sk.Public().NewEvaluator()
	good := o.ciphertexts(seeded(t), 20)
	for first := range 20 {
		for second := first + 1; second < 20; second += 5 {
			list := append([]*big.Int(nil), good...)
			list[first], list[second] = sk.p, sk.q
			checkRefusal(t, "Check", e.Check(o.ct(list...)), 0, first)
		}
	}
}
