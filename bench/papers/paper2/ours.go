package paper2

import (
	"context"
	"fmt"
	"math/big"
	"runtime"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/kernels/moments"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// ours runs this program's protocols between three servers in one process. The time of the servers is that of all three on
// the same cores.
type ours struct {
	bits   int
	user   *paillier.SecretKey
	secret []*paillier.SecretKey
	public []*paillier.PublicKey
	label  int
}

func newOurs(ctx context.Context, bits int, kernel string, testKey bool) (*ours, error) {
	o := &ours{bits: bits}
	for j := range bench.ServersCount + 1 {
		sk, err := paillier.GenerateKey(ctx, nil, paillier.DJN, bits, testKey)
		if err != nil {
			return nil, err
		}
		if err := sk.UseKernel(kernel); err != nil {
			return nil, err
		}
		sk.NewEncryptor() // makes the tables of powers, once for each key
		if j == bench.ServersCount {
			o.user = sk
			o.user.Public().NewEncryptor()
			break
		}
		o.secret, o.public = append(o.secret, sk), append(o.public, sk.Public())
	}
	return o, nil
}

// ringShares splits both columns modulo 2^64.
func (r *readings) ringShares() []protocol.Columns {
	held := make([]protocol.Columns, bench.ServersCount)
	random := shares.NewStream()
	for _, column := range [][]int64{r.x, r.y} {
		values, s := make([]uint64, len(column)), make([][]uint64, bench.ServersCount)
		for i, v := range column {
			values[i] = uint64(v)
		}
		for j := range s {
			s[j] = make([]uint64, len(column))
		}
		shares.Split(s, values, random)
		for j := range s {
			held[j] = append(held[j], s[j])
		}
	}
	return held
}

// access is retrieval of one value under the user's key.
func (o *ours) access(r *readings, held []protocol.Columns) (part, error) {
	var p part
	var message []byte
	for j := range bench.ServersCount {
		worker, err := protocol.NewRetrieval(o.user.Public(), bench.ServersCount)
		if err != nil {
			return p, err
		}
		if err := timed(&p.server, func() (err error) {
			message, err = worker.Add(message, held[j][0][:1])
			return err
		}); err != nil {
			return p, err
		}
		p.server.Encryptions++
		if j < bench.ServersCount-1 {
			pass(&p.server, &p.server, len(message))
		}
	}
	pass(&p.server, &p.user, len(message))
	p.user.Full++
	var got []int64
	if err := timed(&p.user, func() (err error) {
		got, err = protocol.Retrieve(o.user, bench.ServersCount, 1, message)
		return err
	}); err != nil {
		return p, err
	}
	if got[0] != r.x[0] {
		return p, fmt.Errorf("retrieval gives %d, not %d", got[0], r.x[0])
	}
	return p, nil
}

// queries are the rows that are queries, with what the user computes.
var queries = []struct {
	row      string
	columns  int
	pairs    [][2]int
	evaluate func(*moments.Moments) error
}{
	{bench.RowAverage, 1, nil, func(m *moments.Moments) error {
		_, err := m.Mean(0)
		return err
	}},
	{bench.RowVariance1, 1, [][2]int{{0, 0}}, func(m *moments.Moments) error {
		_, err := m.Covariance(0, 0)
		return err
	}},
	{bench.RowRegression1, 2, protocol.AllPairs(2), func(m *moments.Moments) error {
		_, err := m.Regress(1, []int{0})
		return err
	}},
	{bench.RowCorrelation1, 2, protocol.AllPairs(2), func(m *moments.Moments) error {
		_, _, err := m.Correlation(0, 1)
		return err
	}},
}

// query answers one row, on that many cores.
func (o *ours) query(ctx context.Context, row string, r *readings, held []protocol.Columns, threads int) (part, error) {
	var p part
	for _, kind := range queries {
		if kind.row != row {
			continue
		}
		q := &protocol.Query{Servers: bench.ServersCount, Columns: []protocol.Column{{Name: "x", Bound: readingMax}, {Name: "y", Bound: readingMax}}[:kind.columns],
			Pairs: kind.pairs, Groups: []int64{int64(len(r.x))}}
		o.label++
		var servers []*protocol.Server
		for j := range bench.ServersCount {
			keys := make([]shares.PairKey, bench.ServersCount)
			for k := range keys {
				keys[k] = shares.PairKey{byte(min(j, k)), byte(max(j, k))} // any will do to measure
			}
			s, err := protocol.NewServer(protocol.Config{Query: q, Number: j, Key: o.secret[j], Keys: o.public, Pairs: keys,
				Label: fmt.Append(nil, o.bits, o.label), Shares: held[j], Workers: threads})
			if err != nil {
				return p, err
			}
			servers = append(servers, s)
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		var results [][]uint64
		var sent []protocol.Traffic
		if err := timed(&p.server, func() (err error) {
			results, sent, err = protocol.Run(ctx, servers)
			return err
		}); err != nil {
			return p, err
		}
		answers := int64(bench.ServersCount * len(kind.pairs))
		for _, t := range sent {
			p.server.SentBytes += t.Bytes
			p.server.Received += t.Bytes
			p.server.Encryptions += t.Ciphertexts
		}
		p.server.Encryptions -= answers
		p.server.Full = answers // r^N that make the randomness of an answer fresh
		for _, pair := range kind.pairs {
			terms := int64(2)
			if pair[0] == pair[1] {
				terms = 1
			}
			p.server.Short += terms * bench.ServersCount * int64(len(r.x))
		}
		for _, words := range results {
			pass(&p.server, &p.user, 8*len(words))
		}
		var got []*moments.Moments
		if err := timed(&p.user, func() (err error) {
			if got, err = protocol.Sums(q, results...); err != nil {
				return err
			}
			return kind.evaluate(got[0])
		}); err != nil {
			return p, err
		}
		return p, r.compare(got[0], kind.pairs)
	}
	return p, fmt.Errorf("no query for %s", row)
}

// compare holds sums against the plain ones.
func (r *readings) compare(m *moments.Moments, pairs [][2]int) error {
	for i, want := range []int64{r.sumX, r.sumY}[:len(m.Sums)] {
		if m.Sums[i].Cmp(big.NewInt(want)) != 0 {
			return fmt.Errorf("the sum of column %d is %s, not %d", i+1, m.Sums[i], want)
		}
	}
	products := map[[2]int]*big.Int{{0, 0}: r.sumXX, {0, 1}: r.sumXY, {1, 1}: r.sumYY}
	for _, pair := range pairs {
		if got := m.Product(pair[0], pair[1]); got.Cmp(products[pair]) != 0 {
			return fmt.Errorf("the sum of products %v is %s, not %s", pair, got, products[pair])
		}
	}
	return nil
}
