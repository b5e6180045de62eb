package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
)

// What the caller's code left out is a panic in the caller's goroutine, before anything has started.
func TestMisuse(t *testing.T) {
	ctx := t.Context()
	stage := engine.Stage[string, string]{New: engine.Shared(func(_ context.Context, s string) (string, error) { return s, nil })}
	none := engine.Stage[string, engine.None]{}
	sink := engine.Sink[string]{Put: func(context.Context, string) error { return nil }}
	source := engine.Source[string]{Next: func(ctx context.Context) (string, error) {
		t.Error("the source was started")
		<-ctx.Done()
		return "", ctx.Err()
	}}
	tests := map[string]func(){
		"Source.Next": func() {
			_, _ = engine.Run(ctx, engine.Pipeline[string, string]{Stage: stage, Sink: sink})
		},
		"Stage.New": func() {
			_, _ = engine.ForEach(ctx, engine.Loop[string]{Source: source, Stage: none})
		},
		"Sink.Put": func() {
			_, _ = engine.Run(ctx, engine.Pipeline[string, string]{Source: source, Stage: stage})
		},
		"Tree.New": func() {
			_, _, _ = engine.Reduce(ctx, engine.Reduction[string, string]{Source: source, Stage: stage})
		},
		"Tree.FanIn": func() {
			_, _, _ = engine.Reduce(ctx, engine.Reduction[string, string]{Source: source, Stage: stage,
				Tree: engine.Tree[string]{FanIn: 1, New: engine.Shared(bracket)}})
		},
	}
	for what, run := range tests {
		t.Run(what, func(t *testing.T) {
			noLeak(t)
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, what) {
					t.Errorf("panic %q does not name %s", got, what)
				}
			}()
			run()
		})
	}
}

// A New that returns neither a function nor an error must not lose items silently.
func TestNewWithoutFunction(t *testing.T) {
	noLeak(t)
	w := &ward{}
	f := &fault{}
	_, err := engine.Run(t.Context(), engine.Pipeline[*thing, *thing]{
		Source: f.source(w, 5),
		Stage: engine.Stage[*thing, *thing]{
			Name: "pack", Discard: w.discard("pack"),
			New: func(int) (engine.Work[*thing, *thing], error) { return nil, nil },
		},
		Sink: engine.Sink[*thing]{Put: func(context.Context, *thing) error { return nil }},
	})
	if err == nil || !containsAll(err.Error(), "pack", "New returned neither") {
		t.Errorf("got %v", err)
	}
	w.check(t)
}
