package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cipherfold/cipherfold/engine"
)

// count is a source of 0 to n-1.
func count(n int) engine.Source[int] {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return engine.FromSlice(items)
}

// pass is a stage that puts out what it gets.
func pass[T any]() engine.Stage[T, T] {
	return engine.Stage[T, T]{New: engine.Shared(func(_ context.Context, item T) (T, error) { return item, nil })}
}

// collect is a sink that appends to a slice.
func collect[T any](to *[]T) engine.Sink[T] {
	return engine.Sink[T]{Put: func(_ context.Context, item T) error {
		*to = append(*to, item)
		return nil
	}}
}

func TestRunKeepsOrderUnderRandomDelays(t *testing.T) {
	for _, queue := range []int{0, 1, 2, 3, 7, 64} {
		for _, workers := range []int{1, 2, 5, 8} {
			t.Run(fmt.Sprintf("queue %d workers %d", queue, workers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // its clock makes the delays free, and it fails on any leak
					nap := func() { time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) }
					var got []string
					stats, err := engine.Run(t.Context(), engine.Pipeline[int, string]{
						Source: count(200),
						Stage: engine.Stage[int, string]{Workers: workers, New: engine.Shared(func(_ context.Context, n int) (string, error) {
							nap()
							return fmt.Sprint("item ", 10*n), nil
						})},
						Sink:  collect(&got),
						Queue: queue,
					})
					if err != nil {
						t.Fatal(err)
					}
					if len(got) != 200 {
						t.Fatalf("%d results, want 200", len(got))
					}
					for i, s := range got {
						if want := fmt.Sprint("item ", 10*i); s != want {
							t.Fatalf("result %d is %q, want %q", i, s, want)
						}
					}
					for _, stage := range stats.Stages {
						if stage.Items != 200 {
							t.Errorf("%s counts %d items", stage.Name, stage.Items)
						}
					}
				})
			})
		}
	}
}

// The counter goes up when Next is called and down when the sink is done with the item. While one item is slow, the clock
// of synctest stands still until the others have come as far as they may.
func TestInFlightIsBounded(t *testing.T) {
	for _, queue := range []int{1, 2, 5, 16} {
		synctest.Test(t, func(t *testing.T) {
			var now, peak atomic.Int64
			source := count(500)
			next := source.Next
			source.Next = func(ctx context.Context) (int, error) {
				if n := now.Add(1); n > peak.Load() {
					peak.Store(n) // only the source raises the number
				}
				return next(ctx)
			}
			_, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
				Source: source,
				Stage: engine.Stage[int, int]{Workers: 8, New: engine.Shared(func(_ context.Context, n int) (int, error) {
					if n == 100 {
						time.Sleep(time.Hour)
					}
					return n, nil
				})},
				Sink: engine.Sink[int]{Put: func(_ context.Context, n int) error {
					now.Add(-1)
					return nil
				}},
				Queue: queue,
			})
			if err != nil {
				t.Fatal(err)
			}
			if p := peak.Load(); p != int64(queue) {
				t.Errorf("queue of %d: up to %d items in flight", queue, p)
			}
		})
	}
}

// Every kind of failure at every place, early, in the middle and at the last item.
func TestRunFailures(t *testing.T) {
	const n = 40
	for _, stage := range []string{"read", "encrypt", "write"} {
		for _, how := range []string{"error", "panic", "panic with error", "goexit", "cancel", "block"} {
			for _, item := range []int{0, 1, 17, n - 1} {
				if how == "cancel" && stage == "write" && item == n-1 {
					continue // all is stored then: TestCancelAfterTheLastItemIsSuccess
				}
				for _, shape := range []struct{ workers, queue int }{{1, 1}, {1, 8}, {3, 2}, {4, 16}, {2, 100}} {
					t.Run(fmt.Sprintf("%s %s at %d with %v", stage, how, item, shape), func(t *testing.T) {
						noLeak(t)
						ctx, cancel := context.WithCancelCause(t.Context())
						f := &fault{stage: stage, how: how, item: item, cancel: func() { cancel(errCaller) }}
						runUnderFault(t, ctx, f, n, shape.workers, shape.queue)
					})
				}
			}
		}
	}
	for _, stage := range []string{"encrypt"} {
		for _, how := range []string{"error", "panic", "goexit"} {
			t.Run(fmt.Sprintf("%s %s in New", stage, how), func(t *testing.T) {
				noLeak(t)
				runUnderFault(t, t.Context(), &fault{stage: stage, how: how, setup: true}, n, 3, 8)
			})
		}
	}
}

func runUnderFault(t *testing.T, ctx context.Context, f *fault, n, workers, queue int) {
	t.Helper()
	w := &ward{}
	next := 0
	_, err := engine.Run(ctx, engine.Pipeline[*thing, *thing]{
		Source: f.source(w, n),
		Stage:  f.step(w, "encrypt", workers),
		Sink: engine.Sink[*thing]{Name: "write", Discard: w.discard("write"), Put: func(ctx context.Context, v *thing) error {
			defer w.end(v, "write")
			if i := itemOf(v); i != next {
				t.Errorf("item %d stored, want %d", i, next)
			}
			next++
			return f.strike(ctx, "write", false, next-1)
		}},
		Queue: queue,
	})
	f.demand(t, err)
	w.check(t)
	if next > n {
		t.Errorf("%d items stored", next)
	}
}

func TestForEachFailures(t *testing.T) {
	const n = 40
	for _, stage := range []string{"read", "add"} {
		for _, how := range []string{"error", "panic", "goexit", "cancel", "block"} {
			if how == "cancel" && stage == "add" {
				continue // the other items may all be done by then, which is a success
			}
			for _, item := range []int{0, 17, n - 1} {
				for _, shape := range []struct{ workers, queue int }{{1, 1}, {4, 16}} {
					t.Run(fmt.Sprintf("%s %s at %d with %v", stage, how, item, shape), func(t *testing.T) {
						noLeak(t)
						ctx, cancel := context.WithCancelCause(t.Context())
						f := &fault{stage: stage, how: how, item: item, cancel: func() { cancel(errCaller) }}
						w := &ward{}
						_, err := engine.ForEach(ctx, engine.Loop[*thing]{
							Source: f.source(w, n),
							Stage: engine.Stage[*thing, engine.None]{
								Name: "add", Workers: shape.workers, Discard: w.discard("add"),
								New: engine.Shared(func(ctx context.Context, v *thing) (engine.None, error) {
									defer w.end(v, "add")
									return engine.None{}, f.strike(ctx, "add", false, itemOf(v))
								}),
							},
							Queue: shape.queue,
						})
						f.demand(t, err)
						w.check(t)
					})
				}
			}
		}
	}
}

func TestForEachVisitsEveryItemOnce(t *testing.T) {
	noLeak(t)
	var seen [1000]atomic.Int32
	_, err := engine.ForEach(t.Context(), engine.Loop[int]{
		Source: count(len(seen)),
		Stage: engine.Stage[int, engine.None]{Workers: 7, New: engine.Shared(func(_ context.Context, n int) (engine.None, error) {
			seen[n].Add(1)
			return engine.None{}, nil
		})},
		Queue: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range seen {
		if k := seen[i].Load(); k != 1 {
			t.Errorf("item %d visited %d times", i, k)
		}
	}
}

func TestFirstErrorWins(t *testing.T) {
	noLeak(t)
	first, later := errors.New("first"), errors.New("later")
	_, err := engine.ForEach(t.Context(), engine.Loop[int]{
		Source: count(100),
		Stage: engine.Stage[int, engine.None]{Name: "work", Workers: 4, New: engine.Shared(func(ctx context.Context, n int) (engine.None, error) {
			if n == 2 {
				return engine.None{}, first
			}
			<-ctx.Done()
			return engine.None{}, later
		})},
		Queue: 8,
	})
	var at *engine.Error
	if !errors.As(err, &at) || at.Err != first || at.Item != 2 || at.Stage != "work" {
		t.Errorf("got %v", err)
	}
	if want := "work: item 2: first"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A cancelled run does not even ask for the first item.
func TestCancelledBeforeTheStart(t *testing.T) {
	noLeak(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errCaller)
	_, err := engine.Run(ctx, engine.Pipeline[int, int]{
		Source: engine.Source[int]{Next: func(context.Context) (int, error) {
			t.Error("Next was called")
			return 0, io.EOF
		}},
		Stage: pass[int](),
		Sink:  engine.Sink[int]{Put: func(context.Context, int) error { return nil }},
	})
	if err != errCaller {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestDeadlineIsReturnedAsTheCause(t *testing.T) {
	noLeak(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := engine.Run(ctx, engine.Pipeline[int, int]{
		Source: engine.Source[int]{Next: func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}},
		Stage: pass[int](),
		Sink:  engine.Sink[int]{Put: func(context.Context, int) error { return nil }},
	})
	if err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

// foreignContext is a context that package context does not know: it tells the contexts made from it in a goroutine of its
// own, a little late.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (c foreignContext) Done() <-chan struct{} { return c.done }

func (c foreignContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// A function that sees the caller's context end before the run's own does is not taken for the culprit.
func TestCancellationIsNoError(t *testing.T) {
	noLeak(t)
	for range 50 {
		caller := foreignContext{context.Background(), make(chan struct{})}
		_, err := engine.ForEach(caller, engine.Loop[int]{
			Source: count(5),
			Stage: engine.Stage[int, engine.None]{Workers: 1, New: engine.Shared(func(context.Context, int) (engine.None, error) {
				close(caller.done)
				return engine.None{}, fmt.Errorf("while sealing: %w", caller.Err())
			})},
		})
		if err != context.Canceled {
			t.Fatalf("got %v", err)
		}
	}
}

func TestCancelAfterTheLastItemIsSuccess(t *testing.T) {
	noLeak(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stored := 0
	eof := make(chan struct{})
	source := count(5)
	next := source.Next
	source.Next = func(ctx context.Context) (int, error) {
		n, err := next(ctx)
		if err == io.EOF {
			close(eof)
		}
		return n, err
	}
	_, err := engine.Run(ctx, engine.Pipeline[int, int]{
		Source: source,
		Stage:  pass[int](),
		Sink: engine.Sink[int]{Put: func(context.Context, int) error {
			if stored++; stored == 5 {
				<-eof
				cancel(errCaller)
			}
			return nil
		}},
		Queue: 6,
	})
	if err != nil {
		t.Errorf("all items are stored, and yet: %v", err)
	}
}

// A wrapped io.EOF is what a file cut short looks like; it must not pass for the end.
func TestWrappedEOFIsAFailure(t *testing.T) {
	noLeak(t)
	_, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
		Source: engine.Source[int]{Next: func(context.Context) (int, error) { return 0, fmt.Errorf("footer: %w", io.EOF) }},
		Stage:  pass[int](),
		Sink:   engine.Sink[int]{Put: func(context.Context, int) error { return nil }},
	})
	var at *engine.Error
	if !errors.As(err, &at) || at.Stage != "source" || at.Item != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestEmptySource(t *testing.T) {
	noLeak(t)
	var got []int
	stats, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
		Source: count(0),
		Stage: engine.Stage[int, int]{Workers: 4, New: func(int) (engine.Work[int, int], error) {
			t.Error("a worker was set up for no item")
			return nil, nil
		}},
		Sink: collect(&got),
	})
	if err != nil || len(got) != 0 || len(stats.Stages) != 3 {
		t.Errorf("got %v, %v, %+v", got, err, stats)
	}
}

// Workers that get no item are never set up, and none are started beyond the items that may be in flight.
func TestWorkersAreSetUpWhenNeeded(t *testing.T) {
	noLeak(t)
	var setUp atomic.Int32
	var got []int
	stats, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
		Source: count(1),
		Stage: engine.Stage[int, int]{Workers: 8, New: func(worker int) (engine.Work[int, int], error) {
			setUp.Add(1)
			if worker < 0 || worker >= 3 {
				t.Errorf("worker %d of 3", worker)
			}
			return func(_ context.Context, n int) (int, error) { return n, nil }, nil
		}},
		Sink:  collect(&got),
		Queue: 3,
	})
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	if setUp.Load() != 1 || stats.Stages[1].Workers != 3 {
		t.Errorf("%d workers set up, %d started; want 1 and 3", setUp.Load(), stats.Stages[1].Workers)
	}
}

// Under the clock of synctest every duration is exact.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := count(4)
		next := source.Next
		source.Name, source.Next = "read", func(ctx context.Context) (int, error) {
			n, err := next(ctx)
			if err == nil {
				time.Sleep(time.Second)
			}
			return n, err
		}
		stats, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
			Source: source,
			Stage: engine.Stage[int, int]{Name: "work", Workers: 1, New: engine.Shared(func(_ context.Context, n int) (int, error) {
				time.Sleep(3 * time.Second)
				return n, nil
			})},
			Sink:  engine.Sink[int]{Name: "write", Put: func(context.Context, int) error { time.Sleep(2 * time.Second); return nil }},
			Queue: 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := engine.Stats{Wall: 15 * time.Second, Stages: []engine.StageStats{
			{Name: "read", Workers: 1, Items: 4, Busy: 4 * time.Second, Wall: 4 * time.Second},
			{Name: "work", Workers: 1, Items: 4, Busy: 12 * time.Second, Wait: time.Second, Wall: 12 * time.Second},
			{Name: "write", Workers: 1, Items: 4, Busy: 8 * time.Second, Wait: 7 * time.Second, Wall: 11 * time.Second},
		}}
		if fmt.Sprint(stats) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", stats, want)
		}
	})
}

func TestProgressIsSafeToPoll(t *testing.T) {
	noLeak(t)
	var p engine.Progress
	p.Total.Store(300)
	polled := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(polled)
		var last int64
		for {
			now := p.Done.Load()
			if now < last || now > p.Total.Load() {
				t.Errorf("progress went from %d to %d of %d", last, now, p.Total.Load())
			}
			last = now
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	_, err := engine.ForEach(t.Context(), engine.Loop[int]{
		Source: count(300),
		Stage: engine.Stage[int, engine.None]{Workers: 4, New: engine.Shared(func(_ context.Context, n int) (engine.None, error) {
			p.Done.Add(1)
			p.Bytes.Add(int64(n))
			return engine.None{}, nil
		})},
	})
	close(stop)
	<-polled
	if err != nil || p.Done.Load() != 300 || p.Bytes.Load() != 299*300/2 {
		t.Errorf("done %d, bytes %d, error %v", p.Done.Load(), p.Bytes.Load(), err)
	}
}

// A panic in a Discard does not stop the shutdown nor hide the first error.
func TestDiscardPanics(t *testing.T) {
	noLeak(t)
	_, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
		Source: count(100),
		Stage: engine.Stage[int, int]{
			Workers: 2,
			New: engine.Shared(func(_ context.Context, n int) (int, error) {
				if n == 3 {
					return 0, errFault
				}
				return n, nil
			}),
			Discard: func(int) { panic("in Discard") },
		},
		Sink:  engine.Sink[int]{Put: func(context.Context, int) error { return nil }, Discard: func(int) { panic("in Discard") }},
		Queue: 50,
	})
	if !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
}
