package kernelbench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
)

// contender is one operation by one implementation.
type contender struct {
	bench.Result
	rowsMin, rowsMax int // of a batch; run is given a power of two times rowsMin
	run              func(rows int) (ops int, err error)

	rows  int       // of a batch, as calibrated
	rates []float64 // operations per second, round by round
}

func (c *contender) String() string {
	return fmt.Sprintf("%s %s %s %s %s %d", c.Impl, c.Kernel, c.Op, c.Variant, c.Role, c.Bits)
}

// calibrate runs the operation once, which builds its tables and scratch, and chooses the size of a batch: as in jobs, or
// what fits into a slice of time.
func (c *contender) calibrate(slice time.Duration) error {
	for c.rows = c.rowsMin; ; c.rows *= 2 {
		if _, err := c.run(c.rows); err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		start := threadTime()
		if _, err := c.run(c.rows); err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		if 2*c.rows > c.rowsMax || 2*(threadTime()-start) > slice {
			return nil
		}
	}
}

// measure runs the operation for a slice of time and notes the rate of this round.
func (c *contender) measure(ctx context.Context, slice time.Duration) error {
	ops := 0
	for start := threadTime(); ; {
		n, err := c.run(c.rows)
		if err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		ops += n
		if spent := threadTime() - start; spent >= slice {
			c.rates = append(c.rates, float64(ops)/spent.Seconds())
			return ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// baselines are, for an operation of ours, what a peer does instead, and the name of the ratio.
func baselines(op string) []baseline {
	switch op {
	case bench.OpEncrypt:
		return []baseline{{bench.OpEncrypt, "textbook", ""}, {bench.OpEncrypt, "djn", " djn"}}
	case bench.OpRerandomize, bench.OpOwn:
		return []baseline{{bench.OpEncrypt, "textbook", ""}} // r^N and one product
	case bench.OpSquareMul, bench.OpSquareSqr:
		return []baseline{{op, "", ""}}
	case bench.OpWeighted:
		return []baseline{{bench.OpMul64, "djn", ""}} // one power for each term
	default:
		return []baseline{{op, "djn", ""}}
	}
}

type baseline struct{ op, variant, suffix string }

// ratioName is the name of a ratio to this peer.
func (c *contender) ratioName(b baseline) string {
	if strings.HasSuffix(c.Impl, peers.WindowsSuffix) {
		return c.Impl // it does nothing else
	}
	return c.Impl + b.suffix
}

// compare fills in the rates and ratios of all contenders of one key size.
func compare(list []*contender) {
	for _, c := range list {
		c.OpsPerS = bench.SpreadOf(c.rates)
		c.Ratio = map[string]float64{}
		if c.Impl != bench.Cipherfold {
			continue
		}
		for _, b := range baselines(c.Op) {
			for _, peer := range list {
				if peer.Impl != bench.Cipherfold && peer.Op == b.op && peer.Variant == b.variant && peer.Bits == c.Bits {
					c.Ratio[peer.ratioName(b)] = bench.Ratio(c.rates, peer.rates)
				}
			}
		}
	}
}
