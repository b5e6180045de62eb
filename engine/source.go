package engine

import (
	"context"
	"io"
)

// Source produces the items of a run, in order.
type Source[T any] struct {
	Name string // for errors and statistics; "source" when empty

	// Next returns the next item, or exactly io.EOF after the last one (a wrapped io.EOF is a failure: it usually
	// means a file cut short). An item returned together with an error is ignored. Only one goroutine calls Next, with
	// at most Queue-1 items in flight. It may block if it gives up when ctx is done. To wait for memory in
	// Budget.Reserve is safe when the consumer or Discard releases it, because items are finished in the order of
	// reservation.
	Next func(ctx context.Context) (T, error)
}

// FromSlice is a source of the given items. The caller keeps those that a failed run did not reach.
func FromSlice[T any](items []T) Source[T] {
	next := 0
	return Source[T]{Next: func(context.Context) (T, error) {
		if next == len(items) {
			var none T
			return none, io.EOF
		}
		next++
		return items[next-1], nil
	}}
}

// start runs the source in a goroutine of its own. The queue is closed when it has ended, for whatever reason.
func (s Source[T]) start(r *run) <-chan slot[T] {
	name := nameOr(s.Name, "source")
	out := make(chan slot[T], cap(r.places))
	m := r.meter(name, 1)
	r.group.Go(func() {
		defer close(out)
		sh := newShift()
		defer m.add(sh)
		for ; ; r.total++ {
			select {
			case r.places <- struct{}{}:
			case <-r.ctx.Done():
			}
			sh.work()
			if r.stopped() {
				return
			}
			item, ok := attempt(r, name, r.total, func() (T, error) {
				item, err := s.Next(r.ctx)
				if err == io.EOF {
					r.ended, err = true, nil
				}
				return item, err
			})
			if !ok || r.ended {
				sh.rest(0)
				return
			}
			sh.rest(1)
			out <- slot[T]{r.total, item}
		}
	})
	return out
}
