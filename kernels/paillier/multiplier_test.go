package paillier

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
)

// Products in any association, in place or not, are those of math/big once they are finished.
func TestMultiplier(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o, random := newOracle(sk), seeded(t)
		pool := append(o.ciphertexts(random, 20), one, new(big.Int).Sub(o.n2, one))
		m := sk.Public().NewMultiplier()
		size := sk.Public().CiphertextSize()
		if m.Bytes() < int64(pieceMax*size) {
			t.Errorf("%d bytes", m.Bytes())
		}
		for _, n := range []int{0, 1, 7, 8, 9, 16, 17, 128, 131} {
			rows, factors, want := make([][]byte, n), make([]uint32, n), make([]*big.Int, n)
			for i := range rows {
				want[i] = pool[random.IntN(len(pool))]
				rows[i] = o.ct(want[i])
			}
			ok(t, m.CheckRange(bytes.Join(rows, nil)))
			for range 3 {
				other, dst, products := make([][]byte, n), make([][]byte, n), make([]*big.Int, n)
				for i := range other {
					j := random.IntN(n)
					other[i] = rows[j]
					products[i] = new(big.Int).Mul(want[i], want[j])
					products[i].Mod(products[i], o.n2)
					dst[i] = make([]byte, size)
				}
				ok(t, m.Mul(dst, rows, other))
				rows, want = dst, products
			}
			// Every round has doubled the number of factors.
			for i := range factors {
				factors[i] = 8
			}
			inPlace := make([][]byte, n)
			for i := range rows {
				inPlace[i] = slices.Clone(rows[i])
			}
			ok(t, m.Mul(inPlace, inPlace, rows))
			ok(t, m.Mul(inPlace, rows, inPlace))
			dst := o.room(n)
			ok(t, m.Finish(dst, rows, factors))
			equal(t, "products", o.fromCT(dst), want)
			for i := range factors {
				factors[i] = 24
				want[i] = new(big.Int).Exp(want[i], big.NewInt(3), o.n2)
			}
			ok(t, m.Finish(dst, inPlace, factors))
			equal(t, "products in place", o.fromCT(dst), want)
		}
		dst := o.room(3)
		ok(t, m.Finish(dst, [][]byte{nil, o.ct(pool[0]), nil}, []uint32{0, 1, 0}))
		equal(t, "nothing", o.fromCT(dst), []*big.Int{one, pool[0], one})
	})
}

func TestMultiplierRefuses(t *testing.T) {
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		o := newOracle(sk)
		good := o.ciphertexts(seeded(t), 10)
		m := sk.Public().NewMultiplier()
		all := o.ct(append(good, o.n2)...)
		checkRefusal(t, "CheckRange", m.CheckRange(all), 0, 10)
		rows := func(list ...*big.Int) (out [][]byte) {
			for _, c := range list {
				out = append(out, o.ct(c))
			}
			return out
		}
		dst := rows(good...)
		list := slices.Clone(good)
		list[8] = o.n2
		checkRefusal(t, "Mul", m.Mul(dst, rows(list...), rows(good...)), 0, 8)
		checkRefusal(t, "Mul", m.Mul(dst, rows(good...), rows(list...)), 1, 8)
		ones := []uint32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
		checkRefusal(t, "Finish", m.Finish(o.room(10), rows(list...), ones), 0, 8)
		for _, bad := range []*big.Int{new(big.Int), sk.p, o.n} {
			list[8] = bad
			products := rows(good...)
			ok(t, m.Mul(products, products, rows(list...)))
			checkRefusal(t, "Finish", m.Finish(o.room(10), products, []uint32{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}), 0, 8)
			ok(t, m.Finish(o.room(10), rows(good...), ones))
		}
	})
}
