package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cipherfold/cipherfold/engine"
)

// bracket shows which parts were combined with which.
func bracket(_ context.Context, parts []string) (string, error) {
	return "(" + strings.Join(parts, " ") + ")", nil
}

// bracketed is the definition of the tree's shape, level by level.
func bracketed(items []string, fanIn int) string {
	for len(items) > 1 {
		var above []string
		for len(items) > 0 {
			k := min(fanIn, len(items))
			node := items[0]
			if k > 1 {
				node = "(" + strings.Join(items[:k], " ") + ")"
			}
			above, items = append(above, node), items[k:]
		}
		items = above
	}
	return items[0]
}

func words(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprint(i)
	}
	return items
}

// The association is that of the definition for every number of items, workers and children.
func TestReduceShape(t *testing.T) {
	noLeak(t)
	for _, fanIn := range []int{2, 3, 4, 5, 16} {
		for n := 1; n <= 90; n++ {
			want := bracketed(words(n), fanIn)
			for _, workers := range []int{1, 2, 7} {
				got, _, err := engine.Reduce(t.Context(), engine.Reduction[string, string]{
					Source: engine.FromSlice(words(n)),
					Stage:  pass[string](),
					Tree:   engine.Tree[string]{FanIn: fanIn, Workers: workers, New: engine.Shared(bracket)},
					Queue:  1 + n%9,
				})
				if err != nil || got != want {
					t.Fatalf("%d items, fan-in %d, %d workers:\ngot  %s, %v\nwant %s", n, fanIn, workers, got, err, want)
				}
			}
		}
	}
}

// Items and nodes that take random times change nothing; and left to right, all shapes agree.
func TestReduceUnderRandomDelays(t *testing.T) {
	const n = 300
	for _, fanIn := range []int{0, 2, 3, 10} {
		for _, workers := range []int{1, 3, 8} {
			for _, queue := range []int{1, 4, 50} {
				synctest.Test(t, func(t *testing.T) {
					nap := func() { time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) }
					got, stats, err := engine.Reduce(t.Context(), engine.Reduction[string, string]{
						Source: engine.FromSlice(words(n)),
						Stage: engine.Stage[string, string]{Workers: workers, New: engine.Shared(func(_ context.Context, s string) (string, error) {
							nap()
							return s, nil
						})},
						Tree: engine.Tree[string]{FanIn: fanIn, Workers: workers, New: engine.Shared(func(ctx context.Context, parts []string) (string, error) {
							nap()
							return bracket(ctx, parts)
						})},
						Queue: queue,
					})
					if err != nil {
						t.Fatal(err)
					}
					shape := fanIn
					if shape == 0 {
						shape = 16
					}
					want := bracketed(words(n), shape)
					if got != want {
						t.Errorf("fan-in %d, %d workers, queue %d:\ngot  %s\nwant %s", fanIn, workers, queue, got, want)
					}
					flat := strings.NewReplacer("(", "", ")", "").Replace(got)
					if flat != strings.Join(words(n), " ") {
						t.Errorf("not in order from left to right: %s", flat)
					}
					if nodes := int64(strings.Count(want, "(")); stats.Stages[2].Items != nodes {
						t.Errorf("%d nodes counted, want %d", stats.Stages[2].Items, nodes)
					}
				})
			}
		}
	}
}

func TestReduceNothingAndOne(t *testing.T) {
	noLeak(t)
	reduce := func(items []string) (string, error) {
		got, _, err := engine.Reduce(t.Context(), engine.Reduction[string, string]{
			Source: engine.FromSlice(items),
			Stage:  pass[string](),
			Tree: engine.Tree[string]{New: func(int) (engine.Work[[]string, string], error) {
				t.Error("a worker was set up although there is nothing to combine")
				return bracket, nil
			}},
		})
		return got, err
	}
	if got, err := reduce(nil); got != "" || err != engine.ErrEmpty {
		t.Errorf("nothing: %q, %v", got, err)
	}
	if got, err := reduce([]string{"lone"}); got != "lone" || err != nil {
		t.Errorf("one: %q, %v", got, err)
	}
}

// holdings is how many things a reduction of n items holds at most, when item `slow` takes longer than all the others.
func holdings(t *testing.T, n, fanIn, workers, queue, slow int) int {
	t.Helper()
	w := &ward{}
	f := &fault{}
	synctest.Test(t, func(t *testing.T) {
		result, _, err := engine.Reduce(t.Context(), engine.Reduction[*thing, *thing]{
			Source: f.source(w, n),
			Stage: engine.Stage[*thing, *thing]{Workers: workers, Discard: w.discard("stage"), New: engine.Shared(func(_ context.Context, v *thing) (*thing, error) {
				if itemOf(v) == slow {
					time.Sleep(time.Hour)
				}
				return v, nil
			})},
			Tree:  combineThings(f, w, fanIn, workers),
			Queue: queue,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.end(result, "result")
	})
	w.check(t)
	return w.peak
}

// combineThings is a tree of things under a ward.
func combineThings(f *fault, w *ward, fanIn, workers int) engine.Tree[*thing] {
	return engine.Tree[*thing]{
		Name: "fold", FanIn: fanIn, Workers: workers, Discard: w.discard("fold"),
		New: func(int) (engine.Work[[]*thing, *thing], error) {
			if err := f.strike(context.Background(), "fold", true, 0); err != nil {
				return nil, err
			}
			return func(ctx context.Context, parts []*thing) (*thing, error) {
				defer func() {
					for _, part := range parts {
						w.end(part, "fold")
					}
				}()
				if err := f.strike(ctx, "fold", false, itemOf(parts[0])); err != nil {
					return nil, err
				}
				return w.make(fmt.Sprint("node ", itemOf(parts[0]))), nil
			}, nil
		},
	}
}

// What is held grows with the logarithm of the number of items.
func TestReduceHolds(t *testing.T) {
	const fanIn, queue = 4, 6
	for _, test := range []struct{ n, levels int }{{1024, 5}, {4096, 6}, {16384, 7}} {
		// One worker, all in order: FanIn-1 on each level, one node's parts and its result, the items in flight.
		if held, most := holdings(t, test.n, fanIn, 1, queue, -1), (fanIn-1)*test.levels+fanIn+1+queue; held > most {
			t.Errorf("%d items: holds %d, want at most %d", test.n, held, most)
		}
		// Several workers, and the first item comes last: the same for each item that others may have overtaken, in flight
		// or in the hands of a worker of the tree.
		const workers = 3
		most := (1+queue+workers)*(fanIn-1)*test.levels + workers*(fanIn+1) + queue
		if held := holdings(t, test.n, fanIn, workers, queue, 0); held > most {
			t.Errorf("%d items, the first one slow: holds %d, want at most %d", test.n, held, most)
		}
	}
}

func TestReduceFailures(t *testing.T) {
	const n = 50 // fan-in 3: nodes from items 0, 3, ..., 48 (two children), 0, 9, ..., 45, 0, 27, 0
	for _, stage := range []string{"read", "encrypt", "fold"} {
		for _, how := range []string{"error", "panic", "panic with error", "goexit", "cancel", "block"} {
			for _, item := range []int{0, 27, 48} {
				if how == "cancel" && stage == "fold" {
					continue // may strike in the last node, which makes it a success
				}
				for _, shape := range []struct{ workers, queue int }{{1, 1}, {3, 2}, {4, 16}, {2, 100}} {
					t.Run(fmt.Sprintf("%s %s at %d with %v", stage, how, item, shape), func(t *testing.T) {
						noLeak(t)
						ctx, cancel := context.WithCancelCause(t.Context())
						f := &fault{stage: stage, how: how, item: item, cancel: func() { cancel(errCaller) }}
						reduceUnderFault(t, ctx, f, n, shape.workers, shape.queue)
					})
				}
			}
		}
	}
	for _, how := range []string{"error", "panic", "goexit"} {
		t.Run(how+" in New", func(t *testing.T) {
			noLeak(t)
			reduceUnderFault(t, t.Context(), &fault{stage: "fold", how: how, setup: true}, n, 3, 8)
		})
		t.Run(how+" in New for the rest", func(t *testing.T) {
			noLeak(t)
			reduceUnderFault(t, t.Context(), &fault{stage: "fold", how: how, setup: true}, 2, 3, 8)
		})
	}
}

func reduceUnderFault(t *testing.T, ctx context.Context, f *fault, n, workers, queue int) {
	t.Helper()
	w := &ward{}
	result, _, err := engine.Reduce(ctx, engine.Reduction[*thing, *thing]{
		Source: f.source(w, n),
		Stage:  f.step(w, "encrypt", workers),
		Tree:   combineThings(f, w, 3, workers),
		Queue:  queue,
	})
	f.demand(t, err)
	if result != nil {
		t.Errorf("a failed reduction has the result %v", result)
	}
	w.check(t)
}
