package protocol

import (
	"context"
	"fmt"
	"io"
	"math/big"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/kernels/moments"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Sums adds the words of all servers, in any order: for each group its sums, which are exact. It is what the user does.
func Sums(q *Query, results ...[]uint64) ([]*moments.Moments, error) {
	if len(results) != q.Servers {
		return nil, fmt.Errorf("results of %d servers, not %d", len(results), q.Servers)
	}
	for _, r := range results {
		if len(r) != len(q.Groups)*q.Words() {
			return nil, fmt.Errorf("a server sent %d sums, not %d", len(r), len(q.Groups)*q.Words())
		}
	}
	total := make([]uint64, len(q.Groups)*q.Words())
	shares.Combine(total, results...)
	var out []*moments.Moments
	for g, n := range q.Groups {
		m := moments.New(len(q.Columns))
		m.Count = n
		words := total[g*q.Words():]
		for i := range q.Columns {
			m.Sums[i].SetInt64(int64(words[i]))
		}
		for k, p := range q.Pairs {
			m.Products[max(p[0], p[1])][min(p[0], p[1])] = big.NewInt(int64(words[len(q.Columns)+k]))
		}
		out = append(out, m)
	}
	return out, nil
}

// Traffic counts what servers send each other.
type Traffic struct {
	Chunks      int64
	Ciphertexts int64
	Bytes       int64 // of ciphertexts
}

// Run lets servers that are all in this process answer their query, and returns each one's words for the user and what
// each one sent. Nothing of one server's reaches another but by Send, Answer and Result.
func Run(ctx context.Context, servers []*Server) (results [][]uint64, sent []Traffic, err error) {
	results, sent = make([][]uint64, len(servers)), make([]Traffic, len(servers))
	answered := make([]Traffic, len(servers)*len(servers))
	type direction struct {
		owner, peer int
		traffic     Traffic
	}
	var directions []*direction
	for a := range servers {
		for _, b := range Peers(len(servers), a) {
			directions = append(directions, &direction{owner: a, peer: b})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range directions {
		wire := make(chan *Chunk)
		owner, peer := servers[d.owner], servers[d.peer]
		group.Go(func() error {
			defer close(wire)
			return owner.Send(ctx, func(ctx context.Context, c *Chunk) error {
				d.traffic.add(owner.Key.Public().CiphertextSize(), c.Ciphertexts...)
				select {
				case wire <- c:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
		})
		group.Go(func() error {
			answer, err := peer.Answer(ctx, d.owner, func(ctx context.Context) (*Chunk, error) {
				select {
				case c, ok := <-wire:
					if !ok {
						return nil, io.EOF
					}
					return c, nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			})
			if err != nil {
				return err
			}
			answered[d.owner*len(servers)+d.peer].add(owner.Key.Public().CiphertextSize(), answer.Groups...)
			return owner.Open(ctx, d.peer, answer)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for _, d := range directions {
		sent[d.owner].plus(d.traffic)
		sent[d.peer].plus(answered[d.owner*len(servers)+d.peer])
	}
	for j, s := range servers {
		if results[j], err = s.Result(context.WithoutCancel(ctx)); err != nil {
			return nil, nil, err
		}
	}
	return results, sent, nil
}

// add counts a message.
func (t *Traffic) add(size int, ciphertexts ...[]byte) {
	t.Chunks++
	for _, ct := range ciphertexts {
		t.Bytes += int64(len(ct))
		t.Ciphertexts += int64(len(ct) / size)
	}
}

func (t *Traffic) plus(u Traffic) {
	t.Chunks, t.Ciphertexts, t.Bytes = t.Chunks+u.Chunks, t.Ciphertexts+u.Ciphertexts, t.Bytes+u.Bytes
}
