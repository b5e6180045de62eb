package engine_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/cipherfold/cipherfold/engine"
)

// Two parallel stages between a source and an ordered sink.
func ExampleRun() {
	measure := engine.Stage[string, int]{
		Name: "measure", Workers: 4,
		New: engine.Shared(func(_ context.Context, word string) (int, error) { return len(word), nil }),
	}
	draw := engine.Stage[int, string]{
		Name: "draw", Workers: 2,
		New: func(int) (engine.Work[int, string], error) {
			var scratch strings.Builder // this worker's own
			return func(_ context.Context, n int) (string, error) {
				scratch.Reset()
				for range n {
					scratch.WriteByte('#')
				}
				return scratch.String(), nil
			}, nil
		},
	}
	stats, err := engine.Run(context.Background(), engine.Pipeline[string, string]{
		Source: engine.FromSlice([]string{"one", "three", "seventeen"}),
		Stages: engine.Then(measure, draw),
		Sink: engine.Sink[string]{Put: func(_ context.Context, bar string) error {
			fmt.Println(bar)
			return nil
		}},
		Queue: 8,
	})
	fmt.Println(stats.Stages[1].Name, stats.Stages[1].Items, err)
	// Output:
	// ###
	// #####
	// #########
	// measure 3 <nil>
}

// Each worker sums for itself; the caller adds up.
func ExampleForEach() {
	const workers = 3
	sums := make([]int, workers)
	_, err := engine.ForEach(context.Background(), engine.Loop[int]{
		Source: engine.FromSlice([]int{1, 2, 3, 4, 5}),
		Stages: engine.Stage[int, engine.None]{
			Workers: workers,
			New: func(worker int) (engine.Work[int, engine.None], error) {
				return func(_ context.Context, n int) (engine.None, error) {
					sums[worker] += n
					return engine.None{}, nil
				}, nil
			},
		},
	})
	fmt.Println(sums[0]+sums[1]+sums[2], err)
	// Output: 15 <nil>
}

// The tree's shape is that of the item numbers, whatever the number of workers.
func ExampleReduce() {
	result, _, err := engine.Reduce(context.Background(), engine.Reduction[string, string]{
		Source: engine.FromSlice([]string{"a", "b", "c", "d", "e", "f", "g", "h"}),
		Stages: engine.Pass[string](),
		Tree: engine.Tree[string]{
			FanIn: 3, Workers: 4,
			New: engine.Shared(func(_ context.Context, parts []string) (string, error) {
				return "(" + strings.Join(parts, " ") + ")", nil
			}),
		},
	})
	fmt.Println(result, err)
	// Output: ((a b c) (d e f) (g h)) <nil>
}
