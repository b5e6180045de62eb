package engine

import "context"

// Sink takes the results of a pipeline, in source order.
type Sink[T any] struct {
	Name string // for errors and statistics; "sink" when empty

	// Put stores one result, which it owns from the call on, also when it fails. Only one goroutine calls Put, in source
	// order without gaps. It should return soon after ctx is done.
	Put func(ctx context.Context, item T) error

	// Discard releases a result that will not be stored because the run failed or was cancelled. Nil when there is
	// nothing to release.
	Discard func(T)
}

// start runs the sink in a goroutine of its own until its queue is closed.
func (s Sink[T]) start(r *run, in <-chan slot[T]) {
	s.Name = nameOr(s.Name, "sink")
	m := r.meter(s.Name, 1)
	r.group.Go(func() {
		sh := newShift()
		defer m.add(sh)

		// Items in flight are numbered from `next` to less than next + places, because a place is given back only after
		// its item was put, in order: a ring of that size holds whatever came too early.
		early := make([]*slot[T], cap(r.places))
		var next int64
		defer func() {
			for slot := range in {
				throwAway(r, s.Name, s.Discard, slot)
			}
			for _, slot := range early {
				if slot != nil {
					throwAway(r, s.Name, s.Discard, *slot)
				}
			}
			r.done = r.ended && next == r.total
		}()

		for came := range in {
			early[came.index%int64(len(early))] = &came
			for {
				place := &early[next%int64(len(early))]
				if *place == nil || r.stopped() {
					break
				}
				item := (*place).item
				*place = nil
				sh.work()
				_, ok := attempt(r, s.Name, next, func() (None, error) { return None{}, s.Put(r.ctx, item) })
				if !ok {
					sh.rest(0)
					break
				}
				sh.rest(1)
				next++
				<-r.places
			}
		}
		sh.work()
	})
}
