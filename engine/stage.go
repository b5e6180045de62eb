package engine

import (
	"context"
	"sync/atomic"
)

// None is the output of a stage that has none (see [ForEach]).
type None = struct{}

// Work turns one value into another. It owns its input from the call on, also when it fails; its caller owns the output,
// which is ignored when there is an error. It should return soon after ctx is done.
type Work[In, Out any] func(ctx context.Context, in In) (Out, error)

// Stage is a parallel step of a run: items are worked on by several workers at once, in no particular order, and are put
// back in order at the end of the pipeline.
type Stage[In, Out any] struct {
	Name    string // for errors and statistics; "stage" when empty
	Workers int    // goroutines; 0 means one for each CPU the program may use

	// New sets up one worker and returns its function, which only that worker calls, one item at a time: scratch kept in
	// the closure needs no lock. It is called in the worker's goroutine when the worker is handed its first item, so a
	// worker that never gets an item costs nothing. Numbers run from 0 to Workers-1.
	New func(worker int) (Work[In, Out], error)

	// Discard releases an input that this stage will not work on because the run failed or was cancelled. Nil when there
	// is nothing to release. Called by several goroutines.
	Discard func(In)
}

// Shared makes every worker use the same function, which must be safe for concurrent use. For Stage.New and Tree.New.
func Shared[In, Out any](work Work[In, Out]) func(worker int) (Work[In, Out], error) {
	return func(int) (Work[In, Out], error) { return work, nil }
}

// crew is the number of workers asked for. It panics if a function is missing.
func (s Stage[In, Out]) crew() int {
	mustHave(s.New != nil, "Stage.New")
	return workersOrAll(s.Workers)
}

// start launches the workers. The returned queue is closed when they have ended, which they do after in is closed.
func (s Stage[In, Out]) start(r *run, in <-chan slot[In]) <-chan slot[Out] {
	s.Name = nameOr(s.Name, "stage")
	workers := r.atMostPlaces(s.Workers)
	out := make(chan slot[Out], cap(r.places))
	m := r.meter(s.Name, workers)
	var left atomic.Int64
	left.Store(int64(workers))
	for worker := range workers {
		r.group.Go(func() {
			defer func() {
				if left.Add(-1) > 0 {
					return
				}
				// Something is left only when every worker was ended by a Goexit.
				for slot := range in {
					throwAway(r, s.Name, s.Discard, slot)
				}
				close(out)
			}()
			s.serve(r, m, worker, in, out)
		})
	}
	return out
}

// serve is the life of one worker.
func (s Stage[In, Out]) serve(r *run, m *meter, worker int, in <-chan slot[In], out chan<- slot[Out]) {
	sh := newShift()
	defer m.add(sh)
	var work Work[In, Out]
	for next := range in {
		sh.work()
		if r.stopped() {
			throwAway(r, s.Name, s.Discard, next)
			continue
		}
		if work == nil {
			if work = s.setUp(r, worker, next); work == nil {
				continue
			}
		}
		result, ok := attempt(r, s.Name, next.index, func() (Out, error) { return work(r.ctx, next.item) })
		if !ok {
			sh.rest(0)
			continue
		}
		sh.rest(1)
		out <- slot[Out]{next.index, result}
	}
	sh.work()
}

// setUp makes a worker's function. If that fails, even by a Goexit, the item that was waiting for it is thrown away.
func (s Stage[In, Out]) setUp(r *run, worker int, waiting slot[In]) (work Work[In, Out]) {
	defer func() {
		if work == nil {
			throwAway(r, s.Name, s.Discard, waiting)
		}
	}()
	work, _ = attempt(r, s.Name, NoItem, func() (Work[In, Out], error) { return mustWork(s.New(worker)) })
	return work
}

// mustWork passes on what New returned.
func mustWork[In, Out any](work Work[In, Out], err error) (Work[In, Out], error) {
	if work == nil && err == nil {
		panic("engine: New returned neither a function nor an error")
	}
	return work, err
}
