package stores

import (
	"context"
	"math/rand/v2"
	"time"
)

// schedule says how often and after which delays a request is made again.
type schedule struct {
	attempts    int           // in all, without any progress in between
	first, most time.Duration // the delay doubles from the first to the most
}

// delay returns how long to wait after the n-th failure, from 1: half of it is
// random, so that clients that failed together do not come back together.
func (p schedule) delay(n int) time.Duration {
	d := p.first << min(n-1, 16)
	if d <= 0 || d > p.most {
		d = p.most
	}
	return d/2 + rand.N(d/2+1)
}

// wait waits after the n-th failure.
func (p schedule) wait(ctx context.Context, n int) error {
	timer := time.NewTimer(p.delay(n))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try runs op until it succeeds, fails for good or has failed too often.
func (b *bucket) try(ctx context.Context, op func() error) error {
	for n := 1; ; n++ {
		err := op()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == b.tune.retries.attempts || !b.passing(err) {
			return err
		}
		if err := b.tune.retries.wait(ctx, n); err != nil {
			return err
		}
	}
}
