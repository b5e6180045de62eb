package engine

import "context"

// Pipeline is a source, a parallel stage and a sink.
type Pipeline[In, Out any] struct {
	Source Source[In]
	Stage  Stage[In, Out]
	Sink   Sink[Out]
	Queue  int // most items in flight; 0 means two for each worker. Fewer than there are workers leaves some idle.
}

// Run passes every item of the source through the stage and puts the results in source order. The rules are those of
// the package comment. A run in which the sink has put every item is a success, even if ctx is cancelled right after.
func Run[In, Out any](ctx context.Context, p Pipeline[In, Out]) (Stats, error) {
	mustHave(p.Source.Next != nil, "Source.Next")
	mustHave(p.Sink.Put != nil, "Sink.Put")
	r := newRun(ctx, p.Queue, p.Stage.crew())
	p.Sink.start(r, p.Stage.start(r, p.Source.start(r)))
	return r.wait()
}

// Loop is a source and a stage that keeps what it makes.
type Loop[In any] struct {
	Source Source[In]
	Stage  Stage[In, None]
	Queue  int // most items in flight; 0 means two for each worker
}

// ForEach passes every item of the source through the stage, in no particular order, and returns when all are done: for
// accumulation into state that belongs to the worker (merged by the caller afterwards) or that is shared. The rules are those of the package comment.
func ForEach[In any](ctx context.Context, l Loop[In]) (Stats, error) {
	mustHave(l.Source.Next != nil, "Source.Next")
	r := newRun(ctx, l.Queue, l.Stage.crew())
	in := l.Stage.start(r, l.Source.start(r))
	r.group.Go(func() {
		var finished int64
		for range in {
			finished++
			<-r.places
		}
		r.done = r.ended && finished == r.total
	})
	return r.wait()
}
