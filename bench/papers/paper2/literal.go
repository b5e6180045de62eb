package paper2

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// readings are two columns, and their shares as the paper makes them: integers α and β of 32 bits and a sign, γ = ρ-α-β.
type readings struct {
	x, y         []int64
	xs, ys       [bench.ServersCount][]int64
	sumXX, sumXY *big.Int
	sumYY        *big.Int
	sumX, sumY   int64
	generator    *rand.Rand
}

// readingMax bounds the readings: tenths of a degree, pulses and the like.
const readingMax = 4000

// newReadings draws n correlated pairs from a fixed seed.
func newReadings(n int) *readings {
	r := &readings{generator: rand.New(rand.NewPCG(2, 2015)), sumXX: new(big.Int), sumXY: new(big.Int), sumYY: new(big.Int)}
	for range n {
		x := r.generator.Int64N(readingMax+1) - readingMax/4
		y := -x/2 + r.generator.Int64N(500)
		r.x, r.y = append(r.x, x), append(r.y, y)
		r.sumX, r.sumY = r.sumX+x, r.sumY+y
		for _, s := range []struct {
			sum  *big.Int
			a, b int64
		}{{r.sumXX, x, x}, {r.sumXY, x, y}, {r.sumYY, y, y}} {
			s.sum.Add(s.sum, new(big.Int).Mul(big.NewInt(s.a), big.NewInt(s.b)))
		}
	}
	r.xs, r.ys = r.printedShares(r.x), r.printedShares(r.y)
	return r
}

// printedShares are shares as section 3.2 has them.
func (r *readings) printedShares(values []int64) (s [bench.ServersCount][]int64) {
	for _, v := range values {
		a, b := printedShare(r.generator), printedShare(r.generator)
		s[0], s[1], s[2] = append(s[0], a), append(s[1], b), append(s[2], v-a-b)
	}
	return s
}

// printedShare is α or β of section 3.2: 32 bits and a sign.
func printedShare(r *rand.Rand) int64 {
	share := int64(r.Uint32())
	if r.IntN(2) == 1 {
		return -share
	}
	return share
}

// literal runs Algorithms 1 to 3 under the key of a user, step by step. Records of a step are computed together, which
// changes neither their number nor what is sent.
type literal struct {
	sk        *paillier.SecretKey
	evaluator *paillier.Evaluator
	decryptor *paillier.Decryptor
	size      int
	generator []byte // N+1, as a ciphertext
}

func newLiteral(ctx context.Context, bits int, kernel string) (*literal, error) {
	sk, err := paillier.GenerateKey(ctx, nil, paillier.Textbook, bits, true)
	if err != nil {
		return nil, err
	}
	if err := sk.UseKernel(kernel); err != nil {
		return nil, err
	}
	pk := sk.Public()
	n := new(big.Int).SetBytes(pk.N())
	l := &literal{sk: sk, evaluator: pk.NewEvaluator(), decryptor: sk.NewDecryptor(), size: pk.CiphertextSize()}
	l.generator = n.Add(n, big.NewInt(1)).FillBytes(make([]byte, l.size))
	return l, nil
}

// encrypt is Encrypt of section 2.1.2: g^m·r^N, two exponentiations for each number.
func (l *literal) encrypt(side *bench.ServersSide, values []int64) ([]byte, error) {
	g := make([]byte, 0, len(values)*l.size)
	for range values {
		g = append(g, l.generator...)
	}
	return l.power(side, g, values)
}

// power is C^m·r^N for ciphertexts C: two exponentiations for each.
func (l *literal) power(side *bench.ServersSide, ct []byte, values []int64) ([]byte, error) {
	out := make([]byte, len(ct))
	side.Full += 2 * int64(len(values))
	return out, timed(side, func() error {
		if err := l.evaluator.MulEach(out, ct, paillier.Int64Scalars(values)); err != nil {
			return err
		}
		return l.evaluator.Rerandomize(out, out) // r^N, r uniform
	})
}

// multiply is the product of two batches.
func (l *literal) multiply(side *bench.ServersSide, a, b []byte) ([]byte, error) {
	out := make([]byte, len(a))
	return out, timed(side, func() error { return l.evaluator.Fold(out, a, b) })
}

// decrypt opens one ciphertext: one exponentiation.
func (l *literal) decrypt(side *bench.ServersSide, ct []byte) (*big.Int, error) {
	m := make([]uint64, l.sk.Public().PlaintextLimbs())
	side.Full++
	if err := timed(side, func() error { return l.decryptor.Decrypt(m, ct) }); err != nil {
		return nil, err
	}
	return centred(m, l.sk.Public().N()), nil
}

// centred is the number of least magnitude that is m modulo N.
func centred(m []uint64, modulus []byte) *big.Int {
	x, n := new(big.Int), new(big.Int).SetBytes(modulus)
	for i := len(m) - 1; i >= 0; i-- {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(m[i]))
	}
	if x.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		x.Sub(x, n)
	}
	return x
}

// chain is Algorithm 1, and Algorithm 2 with sums: each server multiplies its encryption into what it got.
func (l *literal) chain(want int64, share func(server int) int64) (part, error) {
	var p part
	var product []byte
	for j := range bench.ServersCount {
		c, err := l.encrypt(&p.server, []int64{share(j)})
		if err != nil {
			return p, err
		}
		if j > 0 {
			if c, err = l.multiply(&p.server, product, c); err != nil {
				return p, err
			}
		}
		product = c
		if j < bench.ServersCount-1 {
			pass(&p.server, &p.server, len(product))
		}
	}
	pass(&p.server, &p.user, len(product))
	got, err := l.decrypt(&p.user, product)
	if err == nil && got.Cmp(big.NewInt(want)) != 0 {
		err = fmt.Errorf("the chain of servers gives %s, not %d", got, want)
	}
	return p, err
}

// product is Algorithm 3. seen gets what a server sees: the encryptions of all x.
func (l *literal) product(xs, ys [bench.ServersCount][]int64, want *big.Int, seen *[]byte) (part, error) {
	var p part
	// Steps 3 to 5, with C = E(x) for all.
	var c []byte
	for j := range bench.ServersCount {
		e, err := l.encrypt(&p.server, xs[j])
		if err != nil {
			return p, err
		}
		if j > 0 {
			if e, err = l.multiply(&p.server, c, e); err != nil {
				return p, err
			}
		}
		c = e
		copies := 1
		if j == bench.ServersCount-1 {
			copies = bench.ServersCount - 1
		}
		pass(&p.server, &p.server, copies*len(c))
	}
	*seen = c
	// Steps 6 to 8.
	var product []byte
	for j := range bench.ServersCount {
		e, err := l.power(&p.server, c, ys[j])
		if err != nil {
			return p, err
		}
		if j > 0 {
			if e, err = l.multiply(&p.server, product, e); err != nil {
				return p, err
			}
		}
		product = e
		if j < bench.ServersCount-1 {
			pass(&p.server, &p.server, len(product))
		}
	}
	sum := make([]byte, l.size)
	if err := timed(&p.server, func() error { return l.evaluator.Sum(sum, product) }); err != nil {
		return p, err
	}
	pass(&p.server, &p.user, len(sum))
	got, err := l.decrypt(&p.user, sum)
	if err == nil && got.Cmp(want) != 0 {
		err = fmt.Errorf("algorithm 3 gives %s, not %s", got, want)
	}
	return p, err
}

// run measures all that the rows of the paper consist of, and leaves the encryptions of x that every server sees.
func (l *literal) run(ctx context.Context, r *readings, log func(string)) (p parts, seen []byte, err error) {
	p.products = map[string]part{}
	if p.access, err = middle(func() (part, error) { return l.chain(r.x[0], func(j int) int64 { return r.xs[j][0] }) }); err != nil {
		return p, nil, err
	}
	if p.average, err = middle(func() (part, error) { return l.chain(r.sumX, func(j int) int64 { return sum(r.xs[j]) }) }); err != nil {
		return p, nil, err
	}
	for _, s := range []struct {
		name string
		u, v [bench.ServersCount][]int64
		want *big.Int
	}{{"yy", r.ys, r.ys, r.sumYY}, {"xx", r.xs, r.xs, r.sumXX}, {"xy", r.xs, r.ys, r.sumXY}} {
		log("algorithm 3, sum of " + s.name)
		if ctx.Err() != nil {
			return p, nil, context.Cause(ctx)
		}
		if p.products[s.name], err = l.product(s.u, s.v, s.want, &seen); err != nil {
			return p, nil, err
		}
	}
	return p, seen, nil
}

func sum(v []int64) (s int64) {
	for _, x := range v {
		s += x
	}
	return s
}
