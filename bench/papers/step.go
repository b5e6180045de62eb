package papers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/kernels/noise"
)

// These are kinds of steps that the program has no verb for, because they should be used only for comparison.
const (
	stepSummary  = "summary"  // one source: count, sum, mean and variance, in the clear
	stepPerturb  = "perturb"  // one source: noise on every value, in the clear
	stepSum      = "sum"      // sums of all sources' records in the clear, with noise when asked for
	stepTextbook = "textbook" // Paillier one value at a time, in math/big
)

// step is the work of one process.
type step struct {
	Kind    string   `json:"kind"`
	In      []string `json:"in"`
	Out     string   `json:"out"`
	Records int      `json:"records"`
	Bits    int      `json:"bits"`
	// Variance is σ² of discrete Gaussian noise; "" for none.
	Variance string `json:"variance"`
}

// summary is what a source tells at the feature level.
type summary struct {
	Count    int64   `json:"count"`
	Sum      int64   `json:"sum"`
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"`
}

// Step does the work of one process, described in JSON, and returns its results. It is for processes that Paper1
// starts.
func Step(ctx context.Context, description string) (any, error) {
	var s step
	if err := json.Unmarshal([]byte(description), &s); err != nil {
		return nil, err
	}
	switch s.Kind {
	case stepSummary:
		return s.summarise(ctx)
	case stepPerturb, stepSum:
		return struct{}{}, s.sum(ctx)
	case stepTextbook:
		return struct{}{}, s.textbook(ctx)
	}
	return nil, fmt.Errorf("unknown step %q", s.Kind)
}

func (s step) summarise(ctx context.Context) (summary, error) {
	var out summary
	var squares float64
	err := eachValue(ctx, s.In[0], valueColumn, func(_, v int64) {
		out.Count++
		out.Sum += v
		squares += float64(v) * float64(v)
	})
	n := float64(out.Count)
	out.Mean = float64(out.Sum) / n
	out.Variance = (squares - n*out.Mean*out.Mean) / max(1, n-1)
	return out, err
}

// combine is feature-level fusion: counts and sums add up, means are weighted by counts.
func combine(parts []summary) summary {
	var out summary
	for _, p := range parts {
		out.Count += p.Count
		out.Sum += p.Sum
	}
	out.Mean = float64(out.Sum) / float64(out.Count)
	return out
}

func (s step) sum(ctx context.Context) error {
	sums := make([]int64, s.Records)
	for _, in := range s.In {
		if err := eachValue(ctx, in, valueColumn, func(id, v int64) { sums[id] += v }); err != nil {
			return err
		}
	}
	if s.Variance != "" {
		v, ok := new(big.Rat).SetString(s.Variance)
		if !ok {
			return fmt.Errorf("variance %q", s.Variance)
		}
		g, err := noise.NewGaussian(v)
		if err != nil {
			return err
		}
		random := noise.NewRandom()
		for i := range sums {
			sums[i] += int64(g.Draw(random).LowBits())
		}
	}
	at := -1
	return writeTable(ctx, s.Out, s.Records, func() int64 { at++; return sums[at] })
}

func (s step) textbook(ctx context.Context) error {
	key, err := generateTextbook(s.Bits)
	if err != nil {
		return err
	}
	fused := make([]*big.Int, s.Records)
	for i, in := range s.In {
		err := eachValue(ctx, in, valueColumn, func(id, v int64) {
			if ctx.Err() != nil {
				return
			}
			c := key.encrypt(v)
			if i > 0 {
				c = key.fuse(fused[id], c)
			}
			fused[id] = c
		})
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	at := -1
	return writeTable(ctx, s.Out, s.Records, func() int64 { at++; return key.decrypt(fused[at]).Int64() })
}
