package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cipherfold/cipherfold/engine"
)

func demandBudgetError(t *testing.T, err error, want engine.BudgetError) {
	t.Helper()
	var got *engine.BudgetError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
}

func TestBudgetRefusesWhatNeverFits(t *testing.T) {
	b := engine.NewBudget(1000)
	demandBudgetError(t, b.Reserve(t.Context(), "batches", 1001), engine.BudgetError{What: "batches", Need: 1001, Have: 1000, Limit: 1000})
	if err := b.Keep("table", 400); err != nil {
		t.Fatal(err)
	}
	demandBudgetError(t, b.Reserve(t.Context(), "batches", 601), engine.BudgetError{What: "batches", Need: 601, Have: 600, Limit: 1000})
	if err := b.Reserve(t.Context(), "batches", 600); err != nil {
		t.Fatal(err)
	}
	demandBudgetError(t, b.Keep("groups", 1), engine.BudgetError{What: "groups", Need: 1, Have: 0, Limit: 1000})
	b.Release(600)
	if err := b.Keep("groups", 600); err != nil {
		t.Fatal(err)
	}
	b.Drop(1000)
	if now, peak := b.Used(); now != 0 || peak != 1000 || b.Limit() != 1000 {
		t.Errorf("used %d, peak %d, limit %d", now, peak, b.Limit())
	}
}

func TestBudgetErrorText(t *testing.T) {
	err := &engine.BudgetError{What: "group index", Need: 3 << 29, Have: 1500, Limit: 512 << 20}
	if want := "group index: needs 1.5 GiB of memory; 1.5 KiB of the limit of 512.0 MiB can be had"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// Those who wait are served in the order in which they came, also when a later one would fit.
func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := engine.NewBudget(10)
		granted := make(chan int64, 4)
		reserve := func(n int64) {
			if err := b.Reserve(t.Context(), "batch", n); err != nil {
				t.Error(err)
			}
			granted <- n
		}
		demand := func(want ...int64) {
			t.Helper()
			synctest.Wait()
			var got []int64
			for range len(granted) {
				got = append(got, <-granted)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("granted %v, want %v", got, want)
			}
		}
		reserve(8)
		demand(8)
		for _, n := range []int64{7, 6, 1} {
			go reserve(n)
			demand() // not even the last, for which there is room
		}
		b.Release(8)
		demand(7) // 6 comes next and does not fit yet
		b.Release(7)
		demand(1, 6)
	})
}

// Standing memory that leaves no room for a request that waits makes that request fail, and lets the next one through.
func TestBudgetWakesWhoCanNoLongerFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := engine.NewBudget(10)
		if err := b.Reserve(t.Context(), "batch", 4); err != nil {
			t.Fatal(err)
		}
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- b.Reserve(t.Context(), "large batch", 9) }()
		synctest.Wait()
		go func() { small <- b.Reserve(t.Context(), "small batch", 3) }()
		synctest.Wait()
		if len(large)+len(small) != 0 {
			t.Fatal("did not wait")
		}
		if err := b.Keep("table", 2); err != nil {
			t.Fatal(err)
		}
		demandBudgetError(t, <-large, engine.BudgetError{What: "large batch", Need: 9, Have: 8, Limit: 10})
		if err := <-small; err != nil {
			t.Error(err)
		}
	})
}

// Giving up returns the context's cause, takes nothing, and lets those behind move up.
func TestBudgetGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := engine.NewBudget(10)
		if err := b.Reserve(t.Context(), "batch", 6); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- b.Reserve(ctx, "batch", 5) }()
		synctest.Wait()
		go func() { small <- b.Reserve(t.Context(), "batch", 4) }()
		synctest.Wait()
		cancel(errCaller)
		if err := <-large; err != errCaller {
			t.Errorf("got %v, want the cause", err)
		}
		if err := <-small; err != nil {
			t.Error(err)
		}
		if now, _ := b.Used(); now != 10 {
			t.Errorf("used %d, want 10", now)
		}
	})
}

// A request that is granted and cancelled at the same moment goes either way, and is counted accordingly.
func TestBudgetGrantsAndGivesUpAtOnce(t *testing.T) {
	outcomes := map[bool]int{}
	for i := range 60 {
		synctest.Test(t, func(t *testing.T) {
			b := engine.NewBudget(10)
			if err := b.Reserve(t.Context(), "batch", 10); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			waiting := make(chan error, 1)
			go func() { waiting <- b.Reserve(ctx, "batch", 4) }()
			synctest.Wait()
			if i%2 == 0 {
				b.Release(10)
				cancel(errCaller)
			} else {
				cancel(errCaller)
				b.Release(10)
			}
			err := <-waiting
			want := int64(4)
			if err != nil {
				want = 0
			}
			if now, _ := b.Used(); now != want || err != nil && err != errCaller {
				t.Errorf("used %d after %v", now, err)
			}
			outcomes[err == nil]++
		})
	}
	t.Logf("granted %d times, given up %d times", outcomes[true], outcomes[false])
}

// Many users at once never exceed the limit, never hang, and give everything back.
func TestBudgetUnderLoad(t *testing.T) {
	noLeak(t)
	const limit = 1000
	b := engine.NewBudget(limit)
	var users sync.WaitGroup
	for user := range 16 {
		users.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(user)))
			for range 300 {
				n := random.Int64N(limit / 2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(2000))*time.Microsecond)
				if err := b.Reserve(ctx, "batch", n); err == nil {
					if now, _ := b.Used(); now > limit {
						t.Errorf("%d used of %d", now, limit)
					}
					if k := random.Int64N(100); b.Keep("table", k) == nil {
						b.Drop(k)
					}
					b.Release(n)
				}
				cancel()
			}
		})
	}
	users.Wait()
	if now, peak := b.Used(); now != 0 || peak > limit || peak == 0 {
		t.Errorf("at the end %d used, peak %d", now, peak)
	}
	if err := b.Reserve(t.Context(), "all", limit); err != nil {
		t.Error(err)
	}
}

// A source may wait for memory that the sink gives back, with less memory than items may be in flight.
func TestBudgetInPipeline(t *testing.T) {
	noLeak(t)
	b := engine.NewBudget(50)
	release := func(int) { b.Release(20) }
	source := count(200)
	next := source.Next
	source.Next = func(ctx context.Context) (int, error) {
		n, err := next(ctx)
		if err == nil {
			err = b.Reserve(ctx, "batch", 20)
		}
		return n, err
	}
	_, err := engine.Run(t.Context(), engine.Pipeline[int, int]{
		Source: source,
		Stage:  engine.Stage[int, int]{Workers: 4, Discard: release, New: engine.Shared(func(_ context.Context, n int) (int, error) { return n, nil })},
		Sink: engine.Sink[int]{Discard: release, Put: func(_ context.Context, n int) error {
			defer release(n)
			if n == 150 {
				return errFault
			}
			return nil
		}},
		Queue: 16,
	})
	if !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
	if now, peak := b.Used(); now != 0 || peak > 40 {
		t.Errorf("used %d at the end, %d at most; want 0 and no more than 40", now, peak)
	}
}

func TestNilBudgetHasNoLimit(t *testing.T) {
	var b *engine.Budget
	if err := errors.Join(b.Reserve(t.Context(), "batch", 1<<62), b.Keep("table", 1<<62)); err != nil {
		t.Error(err)
	}
	b.Release(1 << 62)
	b.Drop(1 << 62)
	if now, peak := b.Used(); now != 0 || peak != 0 || b.Limit() != 0 {
		t.Errorf("used %d, %d of %d", now, peak, b.Limit())
	}
}

func TestBudgetMisuse(t *testing.T) {
	for name, call := range map[string]func(*engine.Budget){
		"release": func(b *engine.Budget) { b.Release(1) },
		"drop":    func(b *engine.Budget) { b.Drop(1) },
		"reserve": func(b *engine.Budget) { _ = b.Reserve(t.Context(), "batch", -1) },
		"keep":    func(b *engine.Budget) { _ = b.Keep("table", -1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := engine.NewBudget(10)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				if now, _ := b.Used(); now != 0 {
					t.Errorf("used %d afterwards", now)
				}
			}()
			call(b)
		})
	}
}
