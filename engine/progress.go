package engine

import (
	"context"
	"sync"
	"sync/atomic"
)

// Progress is what a progress bar polls while a run goes on. The functions given to the run add to it in whatever unit
// the bar shows (rows, say); the engine itself never touches it. The zero value is ready; all fields are safe for
// concurrent use.
type Progress struct {
	Done  atomic.Int64 // units finished
	Total atomic.Int64 // units expected; 0 while unknown
	Read  atomic.Int64 // units that were read, of which some are not finished; 0 where that is not counted
	Bytes atomic.Int64 // bytes finished
	Items atomic.Int64 // pieces of work finished, of which a unit may have several
}

// Gauge tells, while runs go on, how many items are on their way through them. The zero value is ready; all methods are
// safe for concurrent use.
type Gauge struct {
	mu   sync.Mutex
	runs map[*run]struct{}
}

type gaugeKey struct{}

// WithGauge returns a context whose runs g watches.
func WithGauge(ctx context.Context, g *Gauge) context.Context {
	return context.WithValue(ctx, gaugeKey{}, g)
}

// InFlight returns how many items are in flight now, and how many there may be.
func (g *Gauge) InFlight() (items, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for r := range g.runs {
		items += len(r.places)
		most += cap(r.places)
	}
	return items, most
}

// watch begins to watch a run, until the returned function is called.
func (g *Gauge) watch(r *run) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs == nil {
		g.runs = make(map[*run]struct{})
	}
	g.runs[r] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.runs, r)
	}
}
