package engine_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/cipherfold/cipherfold/engine"
)

// A parallel stage between a source and an ordered sink.
func ExampleRun() {
	draw := engine.Stage[string, string]{
		Name: "draw", Workers: 4,
		New: func(int) (engine.Work[string, string], error) {
			var scratch strings.Builder // this worker's own
			return func(_ context.Context, word string) (string, error) {
				scratch.Reset()
				for range len(word) {
					scratch.WriteByte('#')
				}
				return scratch.String(), nil
			}, nil
		},
	}
	stats, err := engine.Run(context.Background(), engine.Pipeline[string, string]{
		Source: engine.FromSlice([]string{"one", "three", "seventeen"}),
		Stage:  draw,
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
	// draw 3 <nil>
}

// Each worker sums for itself; the caller adds up.
func ExampleForEach() {
	const workers = 3
	sums := make([]int, workers)
	_, err := engine.ForEach(context.Background(), engine.Loop[int]{
		Source: engine.FromSlice([]int{1, 2, 3, 4, 5}),
		Stage: engine.Stage[int, engine.None]{
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
		Stage:  engine.Stage[string, string]{New: engine.Shared(func(_ context.Context, s string) (string, error) { return s, nil })},
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
