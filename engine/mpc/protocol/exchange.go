package protocol

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/kernels/paillier/innerproduct"
)

// Chunk is encrypted shares of consecutive records of a group.
type Chunk struct {
	Group       int
	First       int64 // record, from 0 in its group
	Records     int
	Ciphertexts [][]byte // of each column of the query; nil for columns that are in no pair
}

// Answer is a peer's response: for each group, one ciphertext for each pair.
type Answer struct{ Groups [][]byte }

// Send encrypts this server's shares under its own key and hands them over chunk by chunk, in order. send owns the chunk.
func (s *Server) Send(ctx context.Context, send func(context.Context, *Chunk) error) error {
	used := s.Query.multiplied()
	columns := 0
	for _, u := range used {
		if u {
			columns++
		}
	}
	if columns == 0 {
		return nil
	}
	layout, size := s.layouts[s.Number], s.Key.Public().CiphertextSize()
	group, first := 0, int64(0)
	next := func(context.Context) (*Chunk, error) {
		for group < len(s.Query.Groups) && first >= s.Query.Groups[group] {
			group, first = group+1, 0
		}
		if group == len(s.Query.Groups) {
			return nil, io.EOF
		}
		n := s.Query.Groups[group]
		// Small groups are divided among the workers, as far as that is worth the peer's effort for each chunk.
		blocks := max(1, s.ChunkBytes/(columns*size))
		share := (int(min(n, RecordsMax))/layout.Records + 2*s.Workers) / (2 * s.Workers)
		blocks = min(blocks, max(share, chunkBlocksMin))
		c := &Chunk{Group: group, First: first, Records: int(min(n-first, int64(blocks*layout.Records)))}
		first += int64(c.Records)
		return c, nil
	}
	_, err := engine.Run(ctx, engine.Pipeline[*Chunk, *Chunk]{
		Source: engine.Source[*Chunk]{Name: "chunks", Next: next},
		Stage: engine.Stage[*Chunk, *Chunk]{Name: "encrypt shares", Workers: s.Workers, New: func(int) (engine.Work[*Chunk, *Chunk], error) {
			owner, u := innerproduct.NewOwner(s.Key, layout), []uint64(nil)
			return func(ctx context.Context, c *Chunk) (*Chunk, error) {
				if cap(u) < c.Records {
					u = make([]uint64, c.Records)
				}
				c.Ciphertexts = make([][]byte, len(used))
				for i := range used {
					if !used[i] {
						continue
					}
					if err := s.Shares.Read(ctx, u[:c.Records], i, s.first[c.Group]+c.First); err != nil {
						return nil, err
					}
					c.Ciphertexts[i] = make([]byte, layout.Ciphertexts(c.Records)*size)
					if err := owner.Encrypt(c.Ciphertexts[i], u[:c.Records]); err != nil {
						return nil, err
					}
				}
				return c, nil
			}, nil
		}},
		Sink: engine.Sink[*Chunk]{Name: "send shares", Put: send},
	})
	return err
}

// chunkBlocksMin is the least number of ciphertexts of a column in a chunk, where there are so many: with fewer, a peer's
// work for each chunk outweighs that for each ciphertext.
const chunkBlocksMin = 256

// Answer takes the chunks of an owner, in order, multiplies them with this server's shares and returns the answer for the
// owner. next returns io.EOF when there are no more. Chunks that do not fit the query are refused.
func (s *Server) Answer(ctx context.Context, owner int, next func(context.Context) (*Chunk, error)) (*Answer, error) {
	q := s.Query
	answer := &Answer{Groups: make([][]byte, len(q.Groups))}
	if len(q.Pairs) == 0 {
		return answer, nil
	}
	pk, layout := s.Keys[owner], s.layouts[owner]
	var mu sync.Mutex
	var idle []*innerproduct.Peer // workers between two groups
	doubled := q.doubled()
	for group, n := range q.Groups {
		taken := int64(0)
		source := func(ctx context.Context) (*Chunk, error) {
			if taken == n {
				return nil, io.EOF
			}
			c, err := next(ctx)
			if err == io.EOF {
				return nil, fmt.Errorf("server %d sent %d records of group %d, which has %d", owner, taken, group+1, n)
			}
			if err != nil {
				return nil, err
			}
			if err := s.checkChunk(owner, c, group, taken, n); err != nil {
				return nil, err
			}
			taken += int64(c.Records)
			return c, nil
		}
		var crew []*innerproduct.Peer
		_, err := engine.ForEach(ctx, engine.Loop[*Chunk]{
			Source: engine.Source[*Chunk]{Name: "receive shares", Next: source},
			Stage: engine.Stage[*Chunk, engine.None]{Name: "multiply shares", Workers: s.Workers, New: func(int) (engine.Work[*Chunk, engine.None], error) {
				mu.Lock()
				defer mu.Unlock()
				var peer *innerproduct.Peer
				if k := len(idle); k > 0 {
					peer, idle = idle[k-1], idle[:k-1]
				} else {
					peer = innerproduct.NewPeer(pk, layout, doubled)
				}
				crew = append(crew, peer)
				columns := make([][]uint64, len(q.Columns))
				return func(ctx context.Context, c *Chunk) (engine.None, error) {
					return engine.None{}, s.multiply(ctx, peer, c, columns)
				}, nil
			}},
		})
		if err != nil {
			return nil, err
		}
		if len(crew) == 0 {
			crew = append(crew, innerproduct.NewPeer(pk, layout, doubled))
		}
		for _, other := range crew[1:] {
			if err := crew[0].Merge(other); err != nil {
				return nil, fmt.Errorf("server %d: %w", owner, err)
			}
		}
		words := make([]uint64, len(q.Pairs))
		answer.Groups[group] = make([]byte, len(q.Pairs)*pk.CiphertextSize())
		if err := crew[0].Respond(answer.Groups[group], words); err != nil {
			return nil, fmt.Errorf("server %d: %w", owner, err)
		}
		s.add(group, words)
		idle = append(idle, crew...)
	}
	if c, err := next(ctx); err != io.EOF {
		if err == nil {
			err = fmt.Errorf("server %d sent records from %d of group %d, which are not in the query", owner, c.First, c.Group+1)
		}
		return nil, err
	}
	return answer, nil
}

// checkChunk refuses a chunk that is not the next one of the query.
func (s *Server) checkChunk(owner int, c *Chunk, group int, taken, n int64) error {
	layout, size := s.layouts[owner], s.Keys[owner].CiphertextSize()
	switch {
	case c.Group != group || c.First != taken:
		return fmt.Errorf("server %d sent records from %d of group %d, not from %d of group %d", owner, c.First, c.Group+1, taken, group+1)
	case c.Records < 1 || int64(c.Records) > n-taken:
		return fmt.Errorf("server %d sent %d records from %d of group %d, which has %d", owner, c.Records, taken, group+1, n)
	case c.Records%layout.Records != 0 && taken+int64(c.Records) < n:
		return fmt.Errorf("server %d sent %d records from %d of group %d: a chunk ends with a ciphertext of %d records", owner, c.Records, taken, group+1, layout.Records)
	case len(c.Ciphertexts) != len(s.Query.Columns):
		return fmt.Errorf("server %d sent %d columns, not %d", owner, len(c.Ciphertexts), len(s.Query.Columns))
	}
	for i, used := range s.Query.multiplied() {
		want := 0
		if used {
			want = layout.Ciphertexts(c.Records) * size
		}
		if len(c.Ciphertexts[i]) != want {
			return fmt.Errorf("server %d sent %d bytes of column %s for %d records, not %d", owner, len(c.Ciphertexts[i]), s.Query.Columns[i].Name, c.Records, want)
		}
	}
	return nil
}

// multiply adds a chunk to the sums of a worker. columns is its scratch.
func (s *Server) multiply(ctx context.Context, peer *innerproduct.Peer, c *Chunk, columns [][]uint64) error {
	for i, used := range s.Query.multiplied() {
		if !used {
			continue
		}
		if cap(columns[i]) < c.Records {
			columns[i] = make([]uint64, c.Records)
		}
		columns[i] = columns[i][:c.Records]
		if err := s.Shares.Read(ctx, columns[i], i, s.first[c.Group]+c.First); err != nil {
			return err
		}
	}
	for k, p := range s.Query.Pairs {
		u, v := p[0], p[1]
		terms := []innerproduct.Term{{Ciphertexts: c.Ciphertexts[u], Shares: columns[v]}}
		if u != v {
			terms = append(terms, innerproduct.Term{Ciphertexts: c.Ciphertexts[v], Shares: columns[u]})
		}
		if err := peer.AddVarTime(k, terms...); err != nil {
			return fmt.Errorf("columns %s and %s, records from %d: %w", s.Query.Columns[u].Name, s.Query.Columns[v].Name, c.First, err)
		}
	}
	return nil
}

// Open opens the answer of a peer.
func (s *Server) Open(ctx context.Context, peer int, a *Answer) error {
	q := s.Query
	if len(a.Groups) != len(q.Groups) {
		return fmt.Errorf("server %d answered for %d groups, not %d", peer, len(a.Groups), len(q.Groups))
	}
	if len(q.Pairs) == 0 {
		return nil
	}
	owner, words := innerproduct.NewOwner(s.Key, s.layouts[s.Number]), make([]uint64, len(q.Pairs))
	for group, ct := range a.Groups {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if want := len(q.Pairs) * s.Key.Public().CiphertextSize(); len(ct) != want {
			return fmt.Errorf("server %d answered with %d bytes for group %d, not %d", peer, len(ct), group+1, want)
		}
		if err := owner.Open(words, ct); err != nil {
			return fmt.Errorf("server %d, group %d: %w", peer, group+1, err)
		}
		s.add(group, words)
	}
	return nil
}
