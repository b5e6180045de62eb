package paper2

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// broken runs Algorithm 4, which is BROKEN: g = a^(p(p-1)(q-1)) mod N² is 1+tN with a t that p divides, so that every
// public key pk_i = 1+sk_i·t·N shows its secret key by one division.
type broken struct {
	evaluator *paillier.Evaluator
	size      int
	n, n2     *big.Int
	p, q      *big.Int // known to all servers
	g, g1     *big.Int
	sk        []*big.Int // of the three servers and the user
	pks       []*big.Int
	pk        *big.Int // their product
}

// newBroken makes the keys of section 3.4.2.
func newBroken(ctx context.Context, bits int, kernel string) (*broken, error) {
	key, err := paillier.GenerateKey(ctx, nil, paillier.Textbook, bits, true)
	if err != nil {
		return nil, err
	}
	if err := key.UseKernel(kernel); err != nil {
		return nil, err
	}
	var file struct{ P, Q string }
	if err := json.Unmarshal(key.MarshalSecret(), &file); err != nil {
		return nil, err
	}
	b := &broken{evaluator: key.Public().NewEvaluator(), size: key.Public().CiphertextSize(), n: new(big.Int).SetBytes(key.Public().N())}
	b.p, _ = new(big.Int).SetString(file.P, 16)
	b.q, _ = new(big.Int).SetString(file.Q, 16)
	b.n2 = new(big.Int).Mul(b.n, b.n)
	one := big.NewInt(1)
	exponent := new(big.Int).Mul(b.p, new(big.Int).Sub(b.p, one))
	exponent.Mul(exponent, new(big.Int).Sub(b.q, one))
	for b.g == nil || b.g.Cmp(one) == 0 {
		a, err := rand.Int(rand.Reader, b.n2)
		if err != nil {
			return nil, err
		}
		b.g = a.Exp(a, exponent, b.n2)
	}
	b.g1 = new(big.Int).Exp(new(big.Int).Add(b.n, one), b.p, b.n2)
	b.pk = big.NewInt(1)
	for range bench.ServersCount + 1 {
		sk, err := b.random()
		if err != nil {
			return nil, err
		}
		pk := new(big.Int).Exp(b.g, sk, b.n2)
		b.sk, b.pks = append(b.sk, sk), append(b.pks, pk)
		b.pk.Mul(b.pk, pk).Mod(b.pk, b.n2)
	}
	return b, nil
}

// random is uniform in Z_q*.
func (b *broken) random() (*big.Int, error) {
	r, err := rand.Int(rand.Reader, new(big.Int).Sub(b.q, big.NewInt(1)))
	if err != nil {
		return nil, err
	}
	return r.Add(r, big.NewInt(1)), nil
}

// randoms is random, n times.
func (b *broken) randoms(n int) ([]*big.Int, error) {
	out := make([]*big.Int, n)
	for i := range out {
		var err error
		if out[i], err = b.random(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *broken) element(x *big.Int) []byte { return x.FillBytes(make([]byte, b.size)) }

func (b *broken) repeat(x *big.Int, n int) []byte {
	out := make([]byte, 0, n*b.size)
	for range n {
		out = append(out, b.element(x)...)
	}
	return out
}

// powers is one exponentiation with half the exponent for each element.
func (b *broken) powers(side *bench.ServersSide, ct []byte, exponents paillier.Scalars) ([]byte, error) {
	out := make([]byte, len(ct))
	side.Half += int64(len(ct) / b.size)
	return out, timed(side, func() error { return b.evaluator.MulEach(out, ct, exponents) })
}

func (b *broken) multiply(side *bench.ServersSide, list ...[]byte) ([]byte, error) {
	out := make([]byte, len(list[0]))
	return out, timed(side, func() error { return b.evaluator.Fold(out, list...) })
}

// pair is an ElGamal ciphertext (A, B), or many.
type pair struct{ a, b []byte }

// product is Algorithm 4. seen gets the encryptions of all x, as they are on the wire.
func (b *broken) product(xs, ys [bench.ServersCount][]int64, want *big.Int, seen *pair) (part, error) {
	var p part
	n := len(xs[0])
	side := &p.server
	g, pk, g1 := b.repeat(b.g, n), b.repeat(b.pk, n), b.repeat(b.g1, n)
	ring := func(base func(j int, r paillier.Scalars) (pair, error), copiesOfLast int) (c pair, err error) {
		for j := range bench.ServersCount {
			r, err := b.randoms(n)
			if err != nil {
				return c, err
			}
			e, err := base(j, paillier.BigScalars(r))
			if err != nil {
				return c, err
			}
			if j > 0 {
				var err1, err2 error
				e.a, err1 = b.multiply(side, c.a, e.a)
				e.b, err2 = b.multiply(side, c.b, e.b)
				if err1 != nil || err2 != nil {
					return c, fmt.Errorf("%v, %v", err1, err2)
				}
			}
			c = e
			copies := 1
			if j == bench.ServersCount-1 {
				copies = copiesOfLast
			}
			pass(side, side, copies*(len(c.a)+len(c.b)))
		}
		return c, nil
	}
	// Steps 3 to 5: A = g^r, B = g1^x·pk^r.
	c, err := ring(func(j int, r paillier.Scalars) (e pair, err error) {
		if e.a, err = b.powers(side, g, r); err != nil {
			return e, err
		}
		m, err := b.powers(side, g1, paillier.Int64Scalars(xs[j]))
		if err != nil {
			return e, err
		}
		mask, err := b.powers(side, pk, r)
		if err != nil {
			return e, err
		}
		e.b, err = b.multiply(side, m, mask)
		return e, err
	}, bench.ServersCount-1)
	if err != nil {
		return p, err
	}
	*seen = c
	// Steps 6 to 8.
	c, err = ring(func(j int, r paillier.Scalars) (e pair, err error) {
		y := paillier.Int64Scalars(ys[j])
		for _, s := range []struct {
			dst        *[]byte
			base, mask []byte
		}{{&e.a, c.a, g}, {&e.b, c.b, pk}} {
			m, err := b.powers(side, s.base, y)
			if err != nil {
				return e, err
			}
			mask, err := b.powers(side, s.mask, r)
			if err != nil {
				return e, err
			}
			if *s.dst, err = b.multiply(side, m, mask); err != nil {
				return e, err
			}
		}
		return e, nil
	}, 0)
	if err != nil {
		return p, err
	}
	a, sum := make([]byte, b.size), make([]byte, b.size)
	if err := timed(side, func() error {
		if err := b.evaluator.Sum(a, c.a); err != nil {
			return err
		}
		return b.evaluator.Sum(sum, c.b)
	}); err != nil {
		return p, err
	}
	// Steps 10 to 14.
	pass(side, side, (bench.ServersCount-1)*len(a))
	pass(side, side, (bench.ServersCount-1)*len(a))
	for j := range bench.ServersCount {
		d, err := b.powers(side, a, paillier.BigScalars([]*big.Int{new(big.Int).Neg(b.sk[j])}))
		if err != nil {
			return p, err
		}
		if sum, err = b.multiply(side, sum, d); err != nil {
			return p, err
		}
	}
	pass(side, &p.user, len(a)+len(sum))
	d, err := b.powers(&p.user, a, paillier.BigScalars([]*big.Int{new(big.Int).Neg(b.sk[bench.ServersCount])}))
	if err != nil {
		return p, err
	}
	opened, err := b.multiply(&p.user, sum, d)
	if err != nil {
		return p, err
	}
	if got := b.plain(new(big.Int).SetBytes(opened)); got.Cmp(want) != 0 {
		return p, fmt.Errorf("algorithm 4 gives %s, not %s", got, want)
	}
	return p, nil
}

// plain is L(x)/p as a signed number modulo q.
func (b *broken) plain(x *big.Int) *big.Int {
	m := x.Sub(x, big.NewInt(1))
	m.Div(m, b.n).Div(m, b.p).Mod(m, b.q)
	if m.Cmp(new(big.Int).Rsh(b.q, 1)) > 0 {
		m.Sub(m, b.q)
	}
	return m
}

// run measures the products; the averages are those of Algorithm 2.
func (b *broken) run(ctx context.Context, r *readings, log func(string)) (products map[string]part, seen pair, err error) {
	products = map[string]part{}
	for _, s := range []struct {
		name string
		u, v [bench.ServersCount][]int64
		want *big.Int
	}{{"yy", r.ys, r.ys, r.sumYY}, {"xx", r.xs, r.xs, r.sumXX}, {"xy", r.xs, r.ys, r.sumXY}} {
		log("algorithm 4, sum of " + s.name)
		if ctx.Err() != nil {
			return nil, seen, context.Cause(ctx)
		}
		if products[s.name], err = b.product(s.u, s.v, s.want, &seen); err != nil {
			return nil, seen, err
		}
	}
	return products, seen, nil
}
