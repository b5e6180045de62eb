package engine_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
)

// Merging sorted lists by a loser tree sorts their elements, for any number of lists of any lengths.
func TestLoserTreeMerges(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for players := 1; players <= 35; players++ {
		lists, want := make([][]int, players), []int{}
		for i := range lists {
			for range random.IntN(20) {
				lists[i] = append(lists[i], random.IntN(50))
			}
			slices.Sort(lists[i])
			want = append(want, lists[i]...)
		}
		slices.Sort(want)
		comparisons := 0
		head := func(p int) int {
			if len(lists[p]) == 0 {
				return math.MaxInt
			}
			return lists[p][0]
		}
		tree := engine.NewLoserTree(players, func(a, b int) bool {
			comparisons++
			return head(a) < head(b)
		})
		var got []int
		for {
			w := tree.Winner()
			if len(lists[w]) == 0 {
				break
			}
			got = append(got, lists[w][0])
			lists[w] = lists[w][1:]
			tree.Replay()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d players: %v, want %v", players, got, want)
		}
		depth := 0
		for n := 1; n < players; n *= 2 {
			depth++
		}
		if most := players + len(want)*depth; comparisons > most {
			t.Errorf("%d players, %d elements: %d comparisons, more than %d", players, len(want), comparisons, most)
		}
	}
}
