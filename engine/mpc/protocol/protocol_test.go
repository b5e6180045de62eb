package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/moments"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

var keys sync.Map // of variant, bits and number to func() *paillier.SecretKey

func testKey(variant paillier.Variant, bits, number int) *paillier.SecretKey {
	name := fmt.Sprint(variant, bits, number)
	f, _ := keys.LoadOrStore(name, sync.OnceValue(func() *paillier.SecretKey {
		var seed [32]byte
		copy(seed[:], name)
		sk, err := paillier.GenerateKey(context.Background(), rand.NewChaCha8(seed), variant, bits, true)
		if err != nil {
			panic(err)
		}
		return sk
	}))
	return f.(func() *paillier.SecretKey)()
}

// newServers splits columns among servers. Their keys are of different variants.
func newServers(q *Query, columns [][]int64, change func(*Config)) ([]*Server, error) {
	n := q.Servers
	held := make([]Columns, n)
	for _, c := range columns {
		values := make([]uint64, len(c))
		for i, x := range c {
			values[i] = uint64(x)
		}
		s := make([][]uint64, n)
		for j := range s {
			s[j] = make([]uint64, len(c))
		}
		shares.Split(s, values, shares.NewStream())
		for j := range s {
			held[j] = append(held[j], s[j])
		}
	}
	var secret []*paillier.SecretKey
	var public []*paillier.PublicKey
	for j := range n {
		secret = append(secret, testKey([]paillier.Variant{paillier.DJN, paillier.MHL, paillier.Textbook}[j%3], 768+256*(j%2), j))
		public = append(public, secret[j].Public())
	}
	var servers []*Server
	for j := range n {
		pairs := make([]shares.PairKey, n)
		for k := range pairs {
			pairs[k] = shares.PairKey{byte(min(j, k)), byte(max(j, k)), 1}
		}
		c := Config{Query: q, Number: j, Key: secret[j], Keys: public, Pairs: pairs, Label: []byte("query"), Shares: held[j]}
		if change != nil {
			change(&c)
		}
		s, err := NewServer(c)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// plain is what the user must get.
func plain(q *Query, columns [][]int64) []*moments.Moments {
	var out []*moments.Moments
	first := int64(0)
	for _, n := range q.Groups {
		m := moments.New(len(columns))
		m.Count = n
		for i, c := range columns {
			for _, x := range c[first : first+n] {
				m.Sums[i].Add(m.Sums[i], big.NewInt(x))
			}
		}
		for _, p := range q.Pairs {
			sum := new(big.Int)
			for r := first; r < first+n; r++ {
				sum.Add(sum, new(big.Int).Mul(big.NewInt(columns[p[0]][r]), big.NewInt(columns[p[1]][r])))
			}
			m.Products[max(p[0], p[1])][min(p[0], p[1])] = sum
		}
		out, first = append(out, m), first+n
	}
	return out
}

func same(a, b *moments.Moments) bool {
	equal := a.Count == b.Count && slices.EqualFunc(a.Sums, b.Sums, func(x, y *big.Int) bool { return x.Cmp(y) == 0 })
	for i := range a.Products {
		for j := range a.Products[i] {
			x, y := a.Products[i][j], b.Products[i][j]
			equal = equal && (x == nil) == (y == nil) && (x == nil || x.Cmp(y) == 0)
		}
	}
	return equal
}

// table draws values up to the bounds of the columns, which are the edge values.
func table(r *rand.Rand, q *Query) [][]int64 {
	n := int64(0)
	for _, g := range q.Groups {
		n += g
	}
	columns := make([][]int64, len(q.Columns))
	for i, c := range q.Columns {
		columns[i] = make([]int64, n)
		for k := range columns[i] {
			b := int64(c.Bound)
			columns[i][k] = []int64{b, -b, 0, r.Int64N(b+1) - b/2, r.Int64N(b + 1)}[r.IntN(5)]
		}
	}
	return columns
}

func columnsOf(bounds ...uint64) []Column {
	var out []Column
	for i, b := range bounds {
		out = append(out, Column{fmt.Sprintf("c%d", i), b})
	}
	return out
}

// Sums and sums of products are those of plain integers, for any number of servers, columns, groups, workers and chunks,
// also where every value is at its bound.
func TestQueries(t *testing.T) {
	defer leaktest.Take().Check(t, "after the test")
	r := rand.New(rand.NewPCG(1, 11))
	for _, q := range []*Query{
		{Servers: 3, Columns: columnsOf(4000, 4000), Pairs: AllPairs(2), Groups: []int64{7}},
		{Servers: 3, Columns: columnsOf(1), Groups: []int64{5}},                                                                        // sums only
		{Servers: 3, Columns: columnsOf(1<<62, 1), Pairs: [][2]int{{1, 0}}, Groups: []int64{1}},                                        // the largest value
		{Servers: 3, Columns: columnsOf(1<<28, 1<<28), Pairs: AllPairs(2), Groups: []int64{127}},                                       // the largest sum
		{Servers: 2, Columns: columnsOf(200, 300, 100), Pairs: [][2]int{{2, 2}, {0, 1}}, Groups: []int64{3, 0, 1, 17}},                 // one column in no pair
		{Servers: 4, Columns: columnsOf(9, 9), Pairs: [][2]int{{0, 1}}, Groups: []int64{6, 5}},                                         // two ways to a peer
		{Servers: 5, Columns: columnsOf(1000), Pairs: AllPairs(1), Groups: []int64{20}, Sigma: 64},                                     // wider masks
		{Servers: 3, Columns: columnsOf(1000, 50, 7, 100000), Pairs: AllPairs(4), Groups: []int64{int64(thoroughtest.Pick(40, 2000))}}, // a matrix
		{Servers: 3, Columns: columnsOf(5, 6), Pairs: AllPairs(2), Groups: []int64{0}},                                                 // no records
	} {
		columns := table(r, q)
		for _, workers := range []int{1, 3} {
			for _, chunk := range []int{1, 0} { // as small as they get, and the default
				if (workers == 1) != (chunk == 0) && !thoroughtest.AtLeast(thoroughtest.Thorough) {
					continue
				}
				servers, err := newServers(q, columns, func(c *Config) { c.Workers, c.ChunkBytes = workers, chunk })
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				results, _, err := Run(context.Background(), servers)
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				got, err := Sums(q, results...)
				if err != nil {
					t.Fatal(err)
				}
				for g, want := range plain(q, columns) {
					if !same(got[g], want) {
						t.Errorf("%+v, %d workers, chunks of %d bytes, group %d: %+v, not %+v", q, workers, chunk, g, got[g], want)
					}
				}
			}
		}
	}
}

// Random queries of random shapes.
func TestRandomQueries(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 11))
	for range thoroughtest.Pick(5, 100) {
		q := &Query{Servers: 2 + r.IntN(3), Groups: make([]int64, 1+r.IntN(3))}
		for range 1 + r.IntN(4) {
			q.Columns = append(q.Columns, Column{"c", 1 + r.Uint64N(1<<(1+r.IntN(27)))})
		}
		for _, p := range AllPairs(len(q.Columns)) {
			if r.IntN(2) == 0 {
				q.Pairs = append(q.Pairs, p)
			}
		}
		for g := range q.Groups {
			q.Groups[g] = r.Int64N(40)
		}
		columns := table(r, q)
		servers, err := newServers(q, columns, nil)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		results, _, err := Run(context.Background(), servers)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		got, err := Sums(q, results...)
		if err != nil {
			t.Fatal(err)
		}
		for g, want := range plain(q, columns) {
			if !same(got[g], want) {
				t.Errorf("%+v, group %d: %+v, not %+v", q, g, got[g], want)
			}
		}
	}
}

// A regression from a query is that of the plain table.
func TestRegression(t *testing.T) {
	q := &Query{Servers: 3, Columns: columnsOf(400, 300, 9), Pairs: AllPairs(3), Groups: []int64{30}}
	columns := table(rand.New(rand.NewPCG(3, 11)), q)
	servers, err := newServers(q, columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	results, sent, err := Run(context.Background(), servers)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Sums(q, results...)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := got[0].Regress(0, []int{1, 2})
	b, err2 := plain(q, columns)[0].Regress(0, []int{1, 2})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for i := range a.Coefficients {
		if a.Coefficients[i].Cmp(b.Coefficients[i]) != 0 || a.Variances[i].Cmp(b.Variances[i]) != 0 || a.R2.Cmp(b.R2) != 0 {
			t.Errorf("coefficient %d: %s ± %s, R² %s", i, a.Coefficients[i], a.Variances[i], a.R2)
		}
	}
	for j, s := range sent { // chunks of three columns, and an answer of six sums
		layout := servers[j].layouts[j]
		if want := int64(3*layout.Ciphertexts(30) + 6); s.Ciphertexts != want || s.Bytes == 0 || s.Chunks < 2 {
			t.Errorf("server %d sent %+v, not %d ciphertexts", j, s, want)
		}
	}
}

// Of each two servers, one sends to the other.
func TestPeers(t *testing.T) {
	for n := 2; n <= ServersMax; n++ {
		seen := map[[2]int]int{}
		for a := range n {
			for _, b := range Peers(n, a) {
				seen[[2]int{min(a, b), max(a, b)}]++
				if a == b {
					t.Errorf("%d servers: %d sends to itself", n, a)
				}
			}
		}
		if len(seen) != n*(n-1)/2 || slices.Max(slices.Collect(func(yield func(int) bool) {
			for _, k := range seen {
				if !yield(k) {
					return
				}
			}
		})) != 1 {
			t.Errorf("%d servers: %v", n, seen)
		}
	}
}

// What cannot be answered exactly is refused before anything is computed.
func TestRefusedQueries(t *testing.T) {
	two := columnsOf(1<<28, 1<<28)
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{Servers: 1, Columns: two, Groups: []int64{1}}, "1 servers"},
		{Query{Servers: 17, Columns: two, Groups: []int64{1}}, "17 servers"},
		{Query{Servers: 3, Groups: []int64{1}}, "0 columns"},
		{Query{Servers: 3, Columns: two}, "0 groups"},
		{Query{Servers: 3, Columns: two, Groups: make([]int64, GroupsMax+1)}, "1048577 groups"},
		{Query{Servers: 3, Columns: make([]Column, 200), Groups: make([]int64, 100_000)}, "200 sums for each of 100000 groups"},
		{Query{Servers: 3, Columns: two, Groups: make([]int64, AnswersMax/3+1), Pairs: AllPairs(2)}, "3 sums of products for each of 43691 groups"},
		{Query{Servers: 3, Columns: two, Groups: []int64{-1}}, "a group of -1 records"},
		{Query{Servers: 3, Columns: two, Groups: []int64{1, RecordsMax}}, "a group of 1099511627776 records after 1"},
		{Query{Servers: 3, Columns: two, Groups: []int64{1}, Sigma: 39}, "masks of 39 bits"},
		{Query{Servers: 3, Columns: two, Groups: []int64{1}, Pairs: [][2]int{{0, 2}}}, "columns 0 and 2 of 2"},
		{Query{Servers: 3, Columns: two, Groups: []int64{1}, Pairs: [][2]int{{-1, 0}}}, "columns -1 and 0 of 2"},
		{Query{Servers: 3, Columns: two, Groups: []int64{1}, Pairs: [][2]int{{0, 1}, {1, 0}}}, "c0 and c1 occurs twice"},
		{Query{Servers: 3, Columns: columnsOf(1 << 62), Groups: []int64{2}}, "the sum of 2 values of c0 up to 4611686018427387904"},
		{Query{Servers: 3, Columns: columnsOf(math.MaxUint64), Groups: []int64{1}}, "the sum of 1 values of c0"},
		{Query{Servers: 3, Columns: two, Groups: []int64{128}, Pairs: [][2]int{{0, 1}}}, "the sum of 128 products of c0 up to 268435456 and c1"},
		{Query{Servers: 3, Columns: columnsOf(1<<40, 1<<40), Groups: []int64{1}, Pairs: AllPairs(2)}, "the sum of 1 products"},
	} {
		err := c.q.Check()
		var usage *job.UsageError
		if !errors.As(err, &usage) || usage.Hint == "" || !strings.Contains(usage.Cause, c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	for _, groups := range [][]int64{{127}, make([]int64, AnswersMax/3)} {
		good := Query{Servers: 3, Columns: two, Groups: groups, Pairs: AllPairs(2)}
		if err := good.Check(); err != nil {
			t.Error(err)
		}
	}
	if _, err := newServers(&Query{Servers: 3}, nil, nil); err == nil {
		t.Error("a server takes a query without columns")
	}
}

// A server refuses what does not fit it.
func TestRefusedConfigs(t *testing.T) {
	q := &Query{Servers: 3, Columns: columnsOf(5, 5), Pairs: AllPairs(2), Groups: []int64{3}}
	columns := [][]int64{{1, 2, 3}, {3, 2, 1}}
	for name, change := range map[string]func(*Config){
		"number":         func(c *Config) { c.Number = 3 },
		"public keys":    func(c *Config) { c.Keys = c.Keys[:2] },
		"pair keys":      func(c *Config) { c.Pairs = nil },
		"another secret": func(c *Config) { c.Key = testKey(paillier.DJN, 768, 99) },
		"no label":       func(c *Config) { c.Label = nil },
	} {
		if _, err := newServers(q, columns, change); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	long := &Query{Servers: 3, Columns: columnsOf(5), Groups: []int64{3}, Sigma: 64}
	short := testKey(paillier.DJN, 512, 98)
	if _, err := NewServer(Config{Query: long, Key: short, Keys: []*paillier.PublicKey{short.Public(), short.Public(), short.Public()},
		Pairs: make([]shares.PairKey, 3), Label: []byte("x")}); err != nil {
		t.Errorf("512 bits have room for a slot of 200: %v", err)
	}
}

// play lets server 0 send to server 1, with chunks changed on the way.
func play(t *testing.T, q *Query, columns [][]int64, change func(*Chunk) []*Chunk) error {
	t.Helper()
	servers, err := newServers(q, columns, func(c *Config) { c.Workers, c.ChunkBytes = 1, 1 })
	if err != nil {
		t.Fatal(err)
	}
	var wire []*Chunk
	if err := servers[0].Send(context.Background(), func(_ context.Context, c *Chunk) error {
		wire = append(wire, change(c)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err = servers[1].Answer(context.Background(), 0, func(context.Context) (*Chunk, error) {
		if len(wire) == 0 {
			return nil, io.EOF
		}
		c := wire[0]
		wire = wire[1:]
		return c, nil
	})
	return err
}

// Chunks that are missing, repeated, out of order or of other sizes are refused, with what was wrong.
func TestRefusedChunks(t *testing.T) {
	q := &Query{Servers: 3, Columns: columnsOf(5, 5, 5), Pairs: [][2]int{{0, 1}}, Groups: []int64{2, 3}}
	columns := [][]int64{{1, 2, 3, 4, 5}, {3, 2, 1, 0, 1}, {0, 0, 0, 0, 0}}
	one := func(f func(*Chunk)) func(*Chunk) []*Chunk {
		return func(c *Chunk) []*Chunk { f(c); return []*Chunk{c} }
	}
	if err := play(t, q, columns, one(func(*Chunk) {})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Chunk) []*Chunk
		want   string
	}{
		{func(c *Chunk) []*Chunk { return nil }, "sent 0 records of group 1, which has 2"},
		{func(c *Chunk) []*Chunk { return []*Chunk{c, c} }, "sent records from 0 of group 1"},
		{func(c *Chunk) []*Chunk {
			if c.Group == 1 && c.First == 2 {
				return []*Chunk{c, c}
			}
			return []*Chunk{c}
		}, "which are not in the query"},
		{one(func(c *Chunk) { c.Group++ }), "of group 2, not from 0 of group 1"},
		{one(func(c *Chunk) { c.First = 1 }), "sent records from 1 of group 1, not from 0"},
		{one(func(c *Chunk) { c.Records = 0 }), "sent 0 records"},
		{one(func(c *Chunk) { c.Records = 9 }), "sent 9 records from 0 of group 1, which has 2"},
		{one(func(c *Chunk) { c.Records = 1 }), "a chunk ends with a ciphertext of"},
		{one(func(c *Chunk) { c.Ciphertexts = c.Ciphertexts[:2] }), "sent 2 columns, not 3"},
		{one(func(c *Chunk) { c.Ciphertexts[1] = c.Ciphertexts[1][1:] }), "bytes of column c1 for 2 records"},
		{one(func(c *Chunk) { c.Ciphertexts[2] = []byte{1} }), "1 bytes of column c2"},
		{one(func(c *Chunk) { clear(c.Ciphertexts[0]) }), "ciphertext"},
	} {
		if err := play(t, q, columns, c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}

// Answers and results of other sizes, or of another key, are refused.
func TestRefusedAnswers(t *testing.T) {
	q := &Query{Servers: 3, Columns: columnsOf(5), Pairs: AllPairs(1), Groups: []int64{2}}
	servers, err := newServers(q, [][]int64{{1, 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := servers[0].Key.Public().CiphertextSize()
	for want, a := range map[string]*Answer{
		"for 2 groups, not 1":      {Groups: make([][]byte, 2)},
		"with 1 bytes for group 1": {Groups: [][]byte{{1}}},
		"group 1: ":                {Groups: [][]byte{make([]byte, size)}},
	} {
		if err := servers[0].Open(context.Background(), 1, a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := Sums(q, make([]uint64, 2)); err == nil {
		t.Error("the result of one server is taken for three")
	}
	if _, err := Sums(q, make([]uint64, 2), make([]uint64, 2), make([]uint64, 3)); err == nil {
		t.Error("a result of another size is taken")
	}
}

// A query ends soon after it is cancelled or a server cannot read its shares, and leaves no goroutine.
func TestEnds(t *testing.T) {
	defer leaktest.Take().Check(t, "after the test")
	q := &Query{Servers: 3, Columns: columnsOf(5), Pairs: AllPairs(1), Groups: []int64{100}}
	columns := [][]int64{make([]int64, 100)}
	servers, err := newServers(q, columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Run(ctx, servers); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	servers, err = newServers(q, columns, func(c *Config) {
		if c.Number == 2 {
			c.Shares = Columns{make([]uint64, 50)}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Run(context.Background(), servers); err == nil || !strings.Contains(err.Error(), "no shares of records") {
		t.Errorf("short shares: %v", err)
	}
}

// No server's words tell anything alone: they are other ones each time, also where nothing is multiplied.
func TestWordsAreMasked(t *testing.T) {
	q := &Query{Servers: 3, Columns: columnsOf(5), Pairs: AllPairs(1), Groups: []int64{2}}
	seen := map[uint64]bool{}
	for round := range 5 {
		servers, err := newServers(q, [][]int64{{1, 2}}, func(c *Config) {
			c.Label = fmt.Append(nil, round)
			c.Shares = Columns{{uint64(c.Number), 7}} // the same each time
		})
		if err != nil {
			t.Fatal(err)
		}
		results, _, err := Run(context.Background(), servers)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Sums(q, results...)
		if err != nil || got[0].Sums[0].Int64() != 24 || got[0].Product(0, 0).Int64() != 9+21*21 {
			t.Fatalf("%+v, %v", got[0], err)
		}
		for _, r := range results {
			for _, w := range r {
				if seen[w] {
					t.Errorf("the word %d comes twice", w)
				}
				seen[w] = true
			}
		}
	}
}

// Values come to the user as they were, and averages too, for keys of every variant.
func TestRetrieval(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 11))
	for k, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
		sk := testKey(variant, 512+256*k, 50)
		for _, servers := range []int{2, 3, 5} {
			for _, n := range []int{0, 1, 4, 5, 30} {
				values, words := make([]int64, n), make([]uint64, n)
				for i := range values {
					values[i] = []int64{0, 1, -1, math.MaxInt64, math.MinInt64, r.Int64() - r.Int64()}[r.IntN(6)]
					words[i] = uint64(values[i])
				}
				s := make([][]uint64, servers)
				for j := range s {
					s[j] = make([]uint64, n)
				}
				shares.Split(s, words, shares.NewStream())
				var message, mean []byte
				for j := range s {
					worker, err := NewRetrieval(sk.Public(), servers)
					if err != nil {
						t.Fatal(err)
					}
					var err1, err2 error
					message, err1 = worker.Add(message, s[j])
					mean, err2 = worker.Add(mean, []uint64{shares.Sum(s[j])})
					if err := errors.Join(err1, err2); err != nil {
						t.Fatal(err)
					}
				}
				got, err1 := Retrieve(sk, servers, n, message)
				sum, err2 := Retrieve(sk, servers, 1, mean)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, values) || uint64(sum[0]) != shares.Sum(words) {
					t.Errorf("%s, %d servers, %d values: %d, sum %d", variant, servers, n, got, sum)
				}
			}
		}
	}
	sk := testKey(paillier.DJN, 768, 50)
	worker, err := NewRetrieval(sk.Public(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Add([]byte{1}, []uint64{1}); err == nil {
		t.Error("a short message is taken")
	}
	if _, err := worker.Add(slices.Repeat([]byte{255}, worker.Size(1)), []uint64{1}); err == nil {
		t.Error("a message that is no ciphertext is taken")
	}
	if _, err := Retrieve(sk, 3, 1, []byte{1}); err == nil {
		t.Error("a short message is opened")
	}
	if _, err := Retrieve(sk, 3, 1, make([]byte, worker.Size(1))); err == nil {
		t.Error("a message that is no ciphertext is opened")
	}
	if _, err := NewRetrieval(sk.Public(), 1); err == nil {
		t.Error("one server")
	}
	if _, err := Retrieve(sk, 1, 1, nil); err == nil {
		t.Error("one server")
	}
}
