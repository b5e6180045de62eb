package protocol

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Shares reads the shares of one server. Several goroutines call it.
type Shares interface {
	// Read fills dst with the shares of the records from first on, counted over all groups, of a column of the query.
	Read(ctx context.Context, dst []uint64, column int, first int64) error
}

// Columns are shares in memory, a vector for each column.
type Columns [][]uint64

// Read copies shares.
func (c Columns) Read(_ context.Context, dst []uint64, column int, first int64) error {
	if column >= len(c) || first+int64(len(dst)) > int64(len(c[column])) {
		return fmt.Errorf("no shares of records %d to %d of column %d", first, first+int64(len(dst)), column)
	}
	copy(dst, c[column][first:])
	return nil
}

// Config is what a server brings to a query.
type Config struct {
	Query  *Query
	Number int                   // of this server, from 0
	Key    *paillier.SecretKey   // its own
	Keys   []*paillier.PublicKey // of all servers, which all have at least 2048 bits unless this server's is a test key
	Pairs  []shares.PairKey      // secret keys with all servers; that with itself is not used
	Label  []byte                // of this query, the same for all servers
	Shares Shares

	Workers    int // 0 means one for each CPU the program may use
	ChunkBytes int // of ciphertexts in a message, at most, as far as one block has room; 0 means ChunkBytesDefault
}

// ChunkBytesDefault bounds the memory of a query: each worker holds two chunks at most.
const ChunkBytesDefault = 4 << 20

// Server is the part of one server in one query. Its methods may be called by several goroutines, each direction once.
type Server struct {
	Config
	layouts []shares.Convolution // of the keys of all servers
	first   []int64              // record of each group

	mu     sync.Mutex
	result []uint64 // the words of each group so far
}

// NewServer checks the query and what the server brings to it. A query that is refused is a *job.UsageError.
func NewServer(c Config) (*Server, error) {
	if err := c.Query.Check(); err != nil {
		return nil, err
	}
	n := c.Query.Servers
	if c.Number < 0 || c.Number >= n || len(c.Keys) != n || len(c.Pairs) != n {
		return nil, fmt.Errorf("server %d of %d with %d public keys and %d keys of pairs", c.Number, n, len(c.Keys), len(c.Pairs))
	}
	if c.Keys[c.Number].Fingerprint() != c.Key.Public().Fingerprint() {
		return nil, fmt.Errorf("server %d has another secret key than the others know it by", c.Number)
	}
	if len(c.Label) == 0 {
		return nil, fmt.Errorf("the query has no label")
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.ChunkBytes <= 0 {
		c.ChunkBytes = ChunkBytesDefault
	}
	s := &Server{Config: c, result: make([]uint64, len(c.Query.Groups)*c.Query.Words())}
	for j, pk := range c.Keys {
		if pk.Test() && !c.Key.Public().Test() {
			return nil, fmt.Errorf("the key of server %d has %d bits: it is for tests only", j, pk.Bits())
		}
		layout, err := shares.NewConvolution(pk.Bits(), c.Query.records(), c.Query.Sigma)
		if err != nil {
			return nil, job.Misuse("Use a longer key or fewer records.", "server %d: %v", j, err)
		}
		s.layouts = append(s.layouts, layout)
	}
	first := int64(0)
	for _, n := range c.Query.Groups {
		s.first, first = append(s.first, first), first+n
	}
	return s, nil
}

// Digest identifies what all servers of a query must agree on: the query, its label, and their public keys.
func (s *Server) Digest() [32]byte {
	agreed := struct {
		Query *Query
		Label []byte
		Keys  []string
	}{Query: s.Query, Label: s.Label}
	for _, pk := range s.Keys {
		agreed.Keys = append(agreed.Keys, pk.Fingerprint())
	}
	data, err := json.Marshal(agreed)
	if err != nil {
		panic(err) // numbers and texts always have a JSON form
	}
	return sha256.Sum256(data)
}

// add adds a word for each pair to the result of a group.
func (s *Server) add(group int, words []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := group*s.Query.Words() + len(s.Query.Columns)
	for k, w := range words {
		s.result[at+k] += w
	}
}

// localRecords is how many records are read at a time for the part that a server computes alone.
const localRecords = 1 << 16

// Result returns the server's word for each sum of each group, for the user. It is called once, after Open and Answer of
// all directions; it reads all shares once more, for the server's own part.
func (s *Server) Result(ctx context.Context) ([]uint64, error) {
	q := s.Query
	columns := make([][]uint64, len(q.Columns))
	for i := range columns {
		columns[i] = make([]uint64, min(localRecords, q.records()))
	}
	out := make([]uint64, len(s.result))
	for g, n := range q.Groups {
		words := out[g*q.Words() : (g+1)*q.Words()]
		for first := int64(0); first < n; first += localRecords {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			rows := min(localRecords, n-first)
			for i := range columns {
				if err := s.Shares.Read(ctx, columns[i][:rows], i, s.first[g]+first); err != nil {
					return nil, err
				}
				words[i] += shares.Sum(columns[i][:rows])
			}
			for k, p := range q.Pairs {
				words[len(q.Columns)+k] += shares.Product(columns[p[0]][:rows], columns[p[1]][:rows])
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shares.Combine(out, out, s.result)
	label := s.Digest() // and not Label alone: under one label, another query would reveal the difference
	shares.AddZeroShares(out, s.Number, s.Pairs, label[:])
	return out, nil
}
