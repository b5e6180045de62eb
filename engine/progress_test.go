package engine_test

import (
	"context"
	"io"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
)

// A gauge sees the items of all runs under its context while they go on, and nothing afterwards.
func TestGauge(t *testing.T) {
	var g engine.Gauge
	ctx := engine.WithGauge(context.Background(), &g)
	next := 0
	seen := 0
	_, err := engine.Run(ctx, engine.Pipeline[int, int]{
		Queue: 4,
		Source: engine.Source[int]{Next: func(context.Context) (int, error) {
			if next++; next > 100 {
				return 0, io.EOF
			}
			return next, nil
		}},
		Stage: engine.Stage[int, int]{Workers: 2, New: func(int) (engine.Work[int, int], error) {
			return func(_ context.Context, x int) (int, error) { return x, nil }, nil
		}},
		Sink: engine.Sink[int]{Put: func(context.Context, int) error {
			items, most := g.InFlight()
			if most != 4 || items < 1 || items > 4 { // the one that is being put is still in flight
				t.Errorf("%d of %d items in flight", items, most)
			}
			seen++
			return nil
		}},
	})
	if err != nil || seen != 100 {
		t.Fatalf("%d items, %v", seen, err)
	}
	if items, most := g.InFlight(); items != 0 || most != 0 {
		t.Errorf("%d of %d items in flight after the run", items, most)
	}
}
