package pipeline

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// contest lets peers encrypt on several cores at a time.
type contest struct {
	bits, cores int
	libraries   []peers.Library
	workers     [][]peers.Worker // per library, one for each core
	rates       [][]float64      // per library, textbook encryptions per second on all cores
}

func newContest(ctx context.Context, sk *paillier.SecretKey, libraries []peers.Library, cores int) (*contest, error) {
	rows, err := peers.RandomRows(sk)
	if err != nil {
		return nil, err
	}
	c := &contest{bits: sk.Public().Bits(), cores: cores, libraries: libraries, rates: make([][]float64, len(libraries))}
	for _, l := range libraries {
		var workers []peers.Worker
		for range cores {
			workers = append(workers, l.New(peers.KeyOf(sk), rows))
		}
		c.workers = append(c.workers, workers)
	}
	return c, ctx.Err()
}

func (c *contest) free() {
	for _, workers := range c.workers {
		for _, w := range workers {
			w.Close()
		}
	}
}

// measure notes the rate of each peer over that many seconds of wall time.
func (c *contest) measure(ctx context.Context, seconds float64) error {
	for i, workers := range c.workers {
		counts := make([]int, len(workers))
		start := time.Now()
		var group sync.WaitGroup
		for k, w := range workers {
			group.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				for ctx.Err() == nil && time.Since(start).Seconds() < seconds {
					w.Run(peers.EncryptTextbook, 1)
					counts[k]++
				}
			})
		}
		group.Wait()
		n := 0
		for _, x := range counts {
			n += x
		}
		c.rates[i] = append(c.rates[i], float64(n)/time.Since(start).Seconds())
	}
	return ctx.Err()
}

func (c *contest) results() []bench.Result {
	var out []bench.Result
	for i, l := range c.libraries {
		out = append(out, bench.Result{
			Impl: l.Name, Op: bench.OpEncrypt, Variant: string(paillier.Textbook), Role: bench.RolePublic, Bits: c.bits, Threads: c.cores,
			OpsPerS: bench.SpreadOf(c.rates[i]), Ratio: map[string]float64{},
		})
	}
	return out
}
