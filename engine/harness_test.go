package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine"
)

// noLeak fails the test if, at its end, more goroutines run than at its start.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		now := runtime.NumGoroutine()
		for range 200 { // a goroutine is still counted for a moment after its last deferred call
			if now <= before {
				return
			}
			time.Sleep(time.Millisecond)
			now = runtime.NumGoroutine()
		}
		stacks := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
	})
}

// thing is a value that must come to an end exactly once: taken by a function or discarded.
type thing struct {
	id    string
	ends  int
	where []string
}

// ward watches over things.
type ward struct {
	mu         sync.Mutex
	things     []*thing
	live, peak int
}

func (w *ward) make(id string) *thing {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := &thing{id: id}
	w.things = append(w.things, v)
	w.live++
	w.peak = max(w.peak, w.live)
	return v
}

func (w *ward) end(v *thing, where string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.ends++
	v.where = append(v.where, where)
	w.live--
}

// discard is a Discard function that reports to the ward.
func (w *ward) discard(where string) func(*thing) {
	return func(v *thing) { w.end(v, "discarded by "+where) }
}

// check demands that everything made has ended once.
func (w *ward) check(t *testing.T) {
	t.Helper()
	for _, v := range w.things {
		if v.ends != 1 {
			t.Errorf("%s ended %d times: %q", v.id, v.ends, v.where)
		}
	}
}

// fault makes one function of a run go wrong at one item.
type fault struct {
	stage  string // where; "" nowhere
	setup  bool   // in New instead of the function
	item   int
	how    string // "error", "panic", "panic with error", "goexit", "cancel", "block"
	cancel func() // cancels the caller's context
}

var (
	errFault  = errors.New("fault")
	errCaller = errors.New("the caller had enough")
)

// strike is called by every function of the run.
func (f *fault) strike(ctx context.Context, stage string, setup bool, item int) error {
	if f.stage != stage || f.setup != setup || !setup && f.item != item {
		return nil
	}
	switch f.how {
	case "error":
		return fmt.Errorf("at work: %w", errFault)
	case "panic":
		panic("fault")
	case "panic with error":
		panic(errFault)
	case "goexit":
		runtime.Goexit()
	case "cancel": // and go on as if nothing were
		f.cancel()
	case "block":
		f.cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// demand checks the error of a run with this fault.
func (f *fault) demand(t *testing.T, err error) {
	t.Helper()
	if f.how == "cancel" || f.how == "block" {
		if err != errCaller {
			t.Errorf("got %v, want exactly the cause of the caller's context", err)
		}
		return
	}
	var at *engine.Error
	if !errors.As(err, &at) {
		t.Fatalf("got %v, want an *engine.Error", err)
	}
	item := int64(f.item)
	if f.setup {
		item = engine.NoItem
	}
	if at.Stage != f.stage || at.Item != item {
		t.Errorf("error is at %s, item %d; want %s, item %d", at.Stage, at.Item, f.stage, item)
	}
	var panicked *engine.PanicError
	switch f.how {
	case "error", "panic with error":
		if !errors.Is(err, errFault) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
	switch f.how {
	case "panic", "panic with error":
		if !errors.As(err, &panicked) {
			t.Fatalf("%v is no *PanicError", err)
		}
		if !containsAll(string(panicked.Stack), "strike", "harness_test.go") {
			t.Errorf("the stack does not show where the panic was:\n%s", panicked.Stack)
		}
		if !containsAll(err.Error(), "bug in this program", "fault") {
			t.Errorf("%q does not say that it is a bug", err)
		}
	case "goexit":
		if !containsAll(err.Error(), "bug in this program") {
			t.Errorf("%q does not say that it is a bug", err)
		}
	}
}

// source makes n things under the ward.
func (f *fault) source(w *ward, n int) engine.Source[*thing] {
	i := -1
	return engine.Source[*thing]{Name: "read", Next: func(ctx context.Context) (*thing, error) {
		if i++; i == n {
			return nil, io.EOF
		}
		if err := f.strike(ctx, "read", false, i); err != nil {
			return nil, err
		}
		return w.make(fmt.Sprint("read ", i)), nil
	}}
}

// step ends each thing it gets and makes another.
func (f *fault) step(w *ward, name string, workers int) engine.Stage[*thing, *thing] {
	return engine.Stage[*thing, *thing]{
		Name: name, Workers: workers, Discard: w.discard(name),
		New: func(int) (engine.Work[*thing, *thing], error) {
			if err := f.strike(context.Background(), name, true, 0); err != nil {
				return nil, err
			}
			return func(ctx context.Context, v *thing) (*thing, error) {
				defer w.end(v, name)
				i := itemOf(v)
				if err := f.strike(ctx, name, false, i); err != nil {
					return nil, err
				}
				return w.make(fmt.Sprint(name, " ", i)), nil
			}, nil
		},
	}
}

// itemOf is the number at the end of a thing's id.
func itemOf(v *thing) int {
	var name string
	var i int
	if _, err := fmt.Sscan(v.id, &name, &i); err != nil {
		panic(err)
	}
	return i
}
func containsAll(s string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
