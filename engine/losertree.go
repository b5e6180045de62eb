package engine

// LoserTree finds the least of some players, and the next one whenever that one has changed, in about log2(players)
// comparisons: the tree of losers of merging (Knuth, The Art of Computer Programming, volume 3, section 5.4.1). Players
// are numbers from 0; who has dropped out must be less than nobody.
type LoserTree struct {
	less   func(a, b int) bool
	losers []int32 // of the games 1 to players-1, game g being played by the winners of 2g and 2g+1; player p is place players+p
	winner int32
}

// NewLoserTree holds the first loser tree of at least one player. less compares two players as they are at the time.
func NewLoserTree(players int, less func(a, b int) bool) *LoserTree {
	mustHave(players > 0, "a player")
	t := &LoserTree{less: less, losers: make([]int32, players)}
	winners := make([]int32, 2*players)
	for p := range players {
		winners[players+p] = int32(p)
	}
	for game := players - 1; game > 0; game-- {
		a, b := winners[2*game], winners[2*game+1]
		if less(int(b), int(a)) {
			a, b = b, a
		}
		winners[game], t.losers[game] = a, b
	}
	t.winner = winners[1]
	return t
}

// Winner returns a player that no other one is less than.
func (t *LoserTree) Winner() int { return int(t.winner) }

// Replay plays the games of the winner again, after it has changed.
func (t *LoserTree) Replay() {
	w := t.winner
	for game := (len(t.losers) + int(w)) / 2; game > 0; game /= 2 {
		if other := t.losers[game]; t.less(int(other), int(w)) {
			t.losers[game], w = w, other
		}
	}
	t.winner = w
}
