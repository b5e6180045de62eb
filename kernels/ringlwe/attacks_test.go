package ringlwe

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// These are attacks on uses that the product refuses, run in full: what is forbidden is forbidden for a reason.

// Public randomness of two rounds must differ, also when keys do not: with the same a, c-c' is t·(e-e') + x-x', and whoever
// adds up reads x-x' of one member. Here a member also uses a key twice, as the scheme of the paper has it.
func TestAttackSameRandomness(t *testing.T) {
	s := SetByName("R-1").ready()
	random := NewStream()
	key := s.NewKey(random)
	x, y := values(s, 1000), values(s, 1000)
	difference := func(first, second *Public) []int64 {
		a, b := make([]byte, s.BlockBytes()), make([]byte, s.BlockBytes())
		if err := key.NewEncryptor(first, random).Encrypt(a, 0, Head{1, 1000}, x); err != nil {
			t.Fatal(err)
		}
		if err := key.NewEncryptor(second, random).Encrypt(b, 0, Head{1, 1000}, y); err != nil {
			t.Fatal(err)
		}
		plus, minus := s.NewSum(), s.NewSum()
		if plus.Add(a, 1) != nil || minus.Add(b, 1) != nil {
			t.Fatal("a ciphertext is refused")
		}
		r := s.rings[0]
		for i := range plus.words {
			plus.words[i] = r.reduce(plus.words[i] + r.p - minus.words[i])
		}
		r.backward(plus.words)
		slots := make([]int64, s.BlockValues())
		s.decode(slots, plus.words)
		return slots[headSlots:]
	}
	want := make([]int64, len(x))
	for i := range want {
		want[i] = x[i] - y[i]
	}
	if got := difference(s.NewPublic("net", 1), s.NewPublic("net", 1)); !slices.Equal(got, want) {
		t.Error("the attack does not work: why is it forbidden?")
	}
	if got := difference(s.NewPublic("net", 1), s.NewPublic("net", 2)); agreeing(got, want) > 2 {
		t.Error("rounds have the same randomness")
	}
	if got := difference(s.NewPublic("net", 1), s.NewPublic("ne", 1)); agreeing(got, want) > 2 {
		t.Error("networks have the same randomness")
	}
}

// values are random ones for a block.
func values(s *Set, most int64) []int64 {
	v := make([]int64, s.Capacity())
	for i := range v {
		v[i] = rand.Int64N(2*most+1) - most
	}
	return v
}

// agreeing counts equal elements.
func agreeing(a, b []int64) int {
	n := 0
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}

// The matrix of section 2.3 of the paper is no encryption: who knows as many columns as there are members knows the matrix,
// and so all columns.
func TestAttackMixingMatrix(t *testing.T) {
	const members, columns = 6, 40
	rng := rand.New(rand.NewPCG(1, 9))
	random := func(rows, cols int, f func() int64) [][]*big.Rat {
		m := make([][]*big.Rat, rows)
		for i := range m {
			for range cols {
				m[i] = append(m[i], new(big.Rat).SetInt64(f()))
			}
		}
		return m
	}
	phi := random(members, members, func() int64 { return 1 + rng.Int64N(99) })
	for _, row := range phi { // row-stochastic
		sum := new(big.Rat)
		for _, x := range row {
			sum.Add(sum, x)
		}
		for _, x := range row {
			x.Quo(x, sum)
		}
	}
	plain := random(members, columns, func() int64 { return rng.Int64N(2001) - 1000 })
	mixed := product(phi, plain)
	// phi·K = C for the known columns K, so K^T·phi^T = C^T.
	known := func(m [][]*big.Rat) [][]*big.Rat {
		out := make([][]*big.Rat, members)
		for i := range out {
			for j := range m {
				out[i] = append(out[i], m[j][i])
			}
		}
		return out
	}
	recovered := known(solve(known(plain), known(mixed)))
	if !equal(recovered, phi) {
		t.Fatal("the known columns do not give the matrix")
	}
	if !equal(solve(recovered, mixed), plain) {
		t.Fatal("the matrix does not give all columns")
	}
}

func product(a, b [][]*big.Rat) [][]*big.Rat {
	out := make([][]*big.Rat, len(a))
	for i := range a {
		for k := range b[0] {
			sum := new(big.Rat)
			for j := range b {
				sum.Add(sum, new(big.Rat).Mul(a[i][j], b[j][k]))
			}
			out[i] = append(out[i], sum)
		}
	}
	return out
}

// solve returns X with A·X = B, by elimination.
func solve(a, b [][]*big.Rat) [][]*big.Rat {
	n := len(a)
	m := make([][]*big.Rat, n)
	for i := range m {
		for _, x := range append(slices.Clone(a[i]), b[i]...) {
			m[i] = append(m[i], new(big.Rat).Set(x))
		}
	}
	for c := range n {
		p := c
		for m[p][c].Sign() == 0 {
			p++
		}
		m[c], m[p] = m[p], m[c]
		head := new(big.Rat).Set(m[c][c])
		for _, x := range m[c] {
			x.Quo(x, head)
		}
		for r := range n {
			if f := new(big.Rat).Set(m[r][c]); r != c && f.Sign() != 0 {
				for k, x := range m[r] {
					x.Sub(x, new(big.Rat).Mul(f, m[c][k]))
				}
			}
		}
	}
	out := make([][]*big.Rat, n)
	for i := range out {
		out[i] = m[i][n:]
	}
	return out
}

func equal(a, b [][]*big.Rat) bool {
	return slices.EqualFunc(a, b, func(x, y []*big.Rat) bool {
		return slices.EqualFunc(x, y, func(v, w *big.Rat) bool { return v.Cmp(w) == 0 })
	})
}

// Two openings of one round, with and without a member, tell that member's vector. Helpers answer once for a round.
func TestAttackTwoOpenings(t *testing.T) {
	s := SetByName("R-1")
	r := newRound(t, s, s.NewPublic("net", 1), 6, 4, 1, 1000, []int64{1, 1, 1, 1, 1, 1})
	opened := func(alpha []uint64) []int64 {
		keys, err := r.keys(t, alpha, []int{0, 1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		_, _, check := r.want(0, alpha)
		got := make([]int64, s.Capacity())
		if _, err := s.NewOpener(r.public, keys).Open(got, 0, r.sum(t, 0, alpha), check); err != nil {
			t.Fatal(err)
		}
		return got
	}
	with, without := opened(all(6)), opened([]uint64{0, 1, 1, 1, 1, 1})
	for i := range with {
		with[i] -= without[i]
	}
	if !slices.Equal(with, r.members[0].values[0]) {
		t.Error("the attack does not work: why is it forbidden?")
	}
}

// A missing member, with a key that is fixed for all of them, leaves nothing of the sum; answers for those who are there
// open it.
func TestAttackMissingMember(t *testing.T) {
	for _, set := range Sets() {
		r := newRound(t, set, set.NewPublic("net", 1), 6, 4, 1, 1000, []int64{1, 1, 1, 1, 1, 1})
		present := []uint64{1, 0, 1, 1, 0, 1}
		everybody, err := r.keys(t, all(6), []int{0, 2, 3, 5})
		if err != nil {
			t.Fatal(err)
		}
		want, _, check := r.want(0, present)
		got := make([]int64, set.Capacity())
		sum := r.sum(t, 0, present)
		o := set.NewOpener(r.public, everybody)
		if _, err := o.Open(got, 0, sum, check); !errors.Is(err, ErrCheck) {
			t.Errorf("%s: a sum of four opened with the keys of six: %v", set.Name, err)
		}
		slots := make([]int64, set.BlockValues())
		if err := o.open(slots, 0, sum); err != nil {
			t.Fatal(err)
		}
		if n := agreeing(slots[headSlots:], want); n > 3 {
			t.Errorf("%s: %d values agree", set.Name, n)
		}
		keys, err := r.keys(t, present, []int{0, 2, 3, 5})
		if err != nil {
			t.Fatal(err)
		}
		r.open(t, 0, present, keys)
	}
}

// With t too large, noise reaches half the modulus. CheckNoise refuses that before; opening sees it.
func TestAttackTooLargePlaintexts(t *testing.T) {
	const members, blocks = 64, 24
	s := &Set{Name: "test", Degree: 2048, Primes: []uint64{prime50a}, LogT: 50, Fields: 1}
	if _, err := s.CheckNoise(all(1)); !errors.Is(err, ErrNoRoom) {
		t.Errorf("t = 2^50 for one member: %v", err)
	}
	s.LogT = 45
	if _, err := s.CheckNoise(all(members)); !errors.Is(err, ErrNoRoom) {
		t.Errorf("t = 2^45 for %d members: %v", members, err)
	}
	r := newRound(t, s, s.NewPublic("net", 1), members, members, blocks, 1000, slices.Repeat([]int64{1}, members))
	keys, err := r.keys(t, all(members), to(members))
	if err != nil {
		t.Fatal(err)
	}
	// A single check is right by chance when its own noise is small, about every second time; in many blocks it is not.
	wrong, seen := 0, 0
	o := s.NewOpener(r.public, keys)
	for b := range blocks {
		want, _, check := r.want(b, all(members))
		sum, slots := r.sum(t, b, all(members)), make([]int64, s.BlockValues())
		if _, err := o.Open(make([]int64, s.Capacity()), uint64(b), sum, check); errors.Is(err, ErrCheck) {
			seen++
		} else if err != nil {
			t.Fatal(err)
		}
		if err := o.open(slots, uint64(b), sum); err != nil {
			t.Fatal(err)
		}
		if agreeing(slots[headSlots:], want) < len(want) {
			wrong++
		}
	}
	if wrong != blocks || seen == 0 {
		t.Errorf("%d of %d blocks are wrong, %d are seen to be", wrong, blocks, seen)
	}
}
