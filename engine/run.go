package engine

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// slot is an item on its way, with its number in source order.
type slot[T any] struct {
	index int64
	item  T
}

// run is the state shared by the goroutines of one Run, ForEach or Reduce.
//
// Every queue between two stages has room for as many slots as there are places, so a send never blocks and needs no
// way out; only the source waits (for a place), and it does so under the context. When the context ends, the source
// closes its queue and each stage in turn drains and closes: that is the whole shutdown.
type run struct {
	parent context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	begun  time.Time
	places chan struct{} // one token for each item in flight
	group  sync.WaitGroup
	meters []*meter // appended by the starting goroutine only
	unseen func()   // tells the Gauge, if there is one, that the run is over

	// Written by the source before it closes its queue, read by the last stage after its queue is closed.
	ended bool  // the source came to its end
	total int64 // items it produced

	// Written by the last stage, read once all goroutines have ended.
	done bool // every item arrived
}

// newRun prepares a run with room for `queue` items in flight, by default two for each worker.
func newRun(ctx context.Context, queue, workers int) *run {
	if queue <= 0 {
		queue = max(2*workers, 2)
	}
	r := &run{parent: ctx, begun: time.Now(), places: make(chan struct{}, queue)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if g, ok := ctx.Value(gaugeKey{}).(*Gauge); ok {
		r.unseen = g.watch(r)
	}
	return r
}

// fail ends the run with an error; only the first one counts. Once the caller's context is cancelled the run is already
// over and whatever its functions return is a consequence.
func (r *run) fail(stage string, item int64, err error) {
	if r.parent.Err() != nil {
		r.cancel(context.Cause(r.parent))
		return
	}
	r.cancel(&Error{Stage: stage, Item: item, Err: err})
}

// stopped reports whether the run has failed or was cancelled.
func (r *run) stopped() bool { return r.ctx.Err() != nil }

// meter opens the account of the next stage.
func (r *run) meter(name string, workers int) *meter {
	m := &meter{stats: StageStats{Name: name, Workers: workers}}
	r.meters = append(r.meters, m)
	return m
}

// atMostPlaces is the number of goroutines of a stage that asks for `workers`: more than there are places would never work.
func (r *run) atMostPlaces(workers int) int { return min(workersOrAll(workers), cap(r.places)) }

// wait returns once all goroutines have ended.
func (r *run) wait() (Stats, error) {
	r.group.Wait()
	if r.unseen != nil {
		r.unseen()
	}
	stats := Stats{Wall: time.Since(r.begun)}
	for _, m := range r.meters {
		stats.Stages = append(stats.Stages, m.stats)
	}
	var err error
	if !r.done {
		err = context.Cause(r.ctx)
	}
	r.cancel(nil)
	return stats, err
}

// attempt calls a function of the caller's. An error, a panic or a Goexit ends the run, and ok is false.
func attempt[T any](r *run, stage string, item int64, f func() (T, error)) (value T, ok bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			r.fail(stage, item, &PanicError{Value: v, Stack: debug.Stack()})
			return
		}
		r.fail(stage, item, errGoexit)
	}()
	result, err := f()
	returned = true
	if err != nil {
		r.fail(stage, item, err)
		return value, false
	}
	return result, true
}

// throwAway gives an item that nobody will take to its consumer's Discard.
func throwAway[T any](r *run, stage string, discard func(T), s slot[T]) {
	if discard == nil {
		return
	}
	attempt(r, stage, s.index, func() (None, error) {
		discard(s.item)
		return None{}, nil
	})
}

func workersOrAll(n int) int {
	if n <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}

// mustHave panics when the caller left out what has no default.
func mustHave(there bool, what string) {
	if !there {
		panic("engine: " + what + " is missing")
	}
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}
