package ringlwe

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// member is one of a round of tests.
type member struct {
	head   Head
	values [][]int64 // for each block
	blocks [][]byte
	key    *Key
	shares [][]byte
}

// round is one of tests.
type round struct {
	set     *Set
	public  *Public
	members []member
}

// newRound encrypts vectors of the given number of blocks, of random values up to `largest` times random weights.
func newRound(t testing.TB, s *Set, public *Public, members, threshold, blocks int, largest int64, weights []int64) round {
	t.Helper()
	r := round{s, public, make([]member, members)}
	random := NewStream()
	for i := range r.members {
		m := &r.members[i]
		m.key, m.head = s.NewKey(random), Head{Weight: weights[i], Check: largest}
		e := m.key.NewEncryptor(public, random)
		for b := range blocks {
			values := make([]int64, s.Capacity())
			for j := range values {
				switch most := largest * weights[i]; j % 4 {
				case 0:
					values[j] = most
				case 1:
					values[j] = -most
				default:
					values[j] = rand.Int64N(2*most+1) - most
				}
			}
			block := make([]byte, s.BlockBytes())
			if err := e.Encrypt(block, uint64(b), m.head, values); err != nil {
				t.Fatal(err)
			}
			m.values, m.blocks = append(m.values, values), append(m.blocks, block)
		}
		var err error
		if m.shares, err = m.key.Share(members, threshold, random); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// sum adds up block b of members with weights alpha; 0 leaves one out.
func (r round) sum(t testing.TB, b int, alpha []uint64) []byte {
	t.Helper()
	sum, out := r.set.NewSum(), make([]byte, r.set.BlockBytes())
	for i, a := range alpha {
		if a == 0 {
			continue
		}
		if err := sum.Add(r.members[i].blocks[b], a); err != nil {
			t.Fatal(err)
		}
	}
	sum.Bytes(out)
	return out
}

// keys are the sum of keys by the answers of helpers, numbered from 0.
func (r round) keys(t testing.TB, alpha []uint64, helpers []int) ([]int64, error) {
	t.Helper()
	var answers []Answer
	var total uint64
	for _, a := range alpha {
		total += a
	}
	for _, h := range helpers {
		sum := r.set.NewShareSum()
		for i, a := range alpha {
			if a == 0 {
				continue
			}
			if err := sum.Add(r.members[i].shares[h], a); err != nil {
				t.Fatal(err)
			}
		}
		answers = append(answers, Answer{h + 1, sum.Answer()})
	}
	return r.set.KeySum(answers, total)
}

// want are the sums that must come out, and that of the weights.
func (r round) want(b int, alpha []uint64) (values []int64, weights, check int64) {
	values = make([]int64, r.set.Capacity())
	for i, a := range alpha {
		for j, x := range r.members[i].values[b] {
			values[j] += int64(a) * x
		}
		weights += int64(a) * r.members[i].head.Weight
		check += int64(a) * r.members[i].head.Check
	}
	return values, weights, check
}

// open opens block b and fails the test when it is not the sum.
func (r round) open(t testing.TB, b int, alpha []uint64, keys []int64) {
	t.Helper()
	want, wantWeights, check := r.want(b, alpha)
	got := make([]int64, r.set.Capacity())
	weights, err := r.set.NewOpener(r.public, keys).Open(got, uint64(b), r.sum(t, b, alpha), check)
	if err != nil {
		t.Fatal(err)
	}
	if weights != wantWeights {
		t.Fatalf("block %d: weights of %d, not %d", b, weights, wantWeights)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("block %d: another sum", b)
	}
}

// all are n weights of 1.
func all(n int) []uint64 { return slices.Repeat([]uint64{1}, n) }

func to(n int) []int {
	h := make([]int, n)
	for i := range h {
		h[i] = i
	}
	return h
}

// small is a set of the same shape as s in a ring of small degree, for tests of many members. It protects nothing.
func small(s *Set) *Set {
	return &Set{Name: s.Name, Degree: 64, Primes: s.Primes, LogT: s.LogT, Fields: s.Fields}
}

// Every set adds up what its members encrypt, of the largest values that fit exactly.
func TestSums(t *testing.T) {
	for _, s := range Sets() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			weights := []int64{1, 5, 2, 3, 7, 4}
			largest := s.SumMax() / 22
			if err := s.CheckSum(uint64(largest), 22); err != nil {
				t.Fatal(err)
			}
			r := newRound(t, s, s.NewPublic("test", 1), 6, 4, 2, largest, weights)
			keys, err := r.keys(t, all(6), []int{5, 0, 3, 2})
			if err != nil {
				t.Fatal(err)
			}
			r.open(t, 0, all(6), keys)
			r.open(t, 1, all(6), keys)
		})
	}
}

// Rounds of 1 to 64 members, with as many of them missing as may be.
func TestMembers(t *testing.T) {
	s := small(SetByName("R-1w"))
	for n := 1; n <= 64; n++ {
		threshold := (n+(n-1)/3)/2 + 1
		alpha, weights := make([]uint64, n), make([]int64, n)
		for i := range alpha {
			weights[i] = int64(1 + i%3)
			if i%3 != 1 || n == 2 { // every third is missing
				alpha[i] = uint64(1 + i%15)
			}
		}
		r := newRound(t, s, s.NewPublic("test", uint64(n)), n, threshold, 1, 1000, weights)
		keys, err := r.keys(t, alpha, rand.Perm(n)[:threshold])
		if err != nil {
			t.Fatalf("%d members: %v", n, err)
		}
		r.open(t, 0, alpha, keys)
		if threshold > 1 {
			if _, err := r.keys(t, alpha, to(threshold-1)); !errors.Is(err, ErrAnswers) {
				t.Fatalf("%d members: with a helper too few: %v", n, err)
			}
		}
	}
}

// Bounds hold exactly, and one more is refused.
func TestBounds(t *testing.T) {
	for _, s := range Sets() {
		t.Run(s.Name, func(t *testing.T) {
			most := uint64(s.SumMax())
			for _, weights := range []uint64{1, 3, 1000} {
				if err := s.CheckSum(most/weights, weights); err != nil {
					t.Errorf("values of %d, weights of %d: %v", most/weights, weights, err)
				}
				if err := s.CheckSum(most/weights+1, weights); !errors.Is(err, ErrNoRoom) {
					t.Errorf("values of %d, weights of %d: %v", most/weights+1, weights, err)
				}
			}
			if err := s.CheckSum(math.MaxUint64, math.MaxUint64); !errors.Is(err, ErrNoRoom) {
				t.Errorf("values and weights of 2^64-1: %v", err)
			}
			random := NewStream()
			e := s.NewKey(random).NewEncryptor(s.NewPublic("test", 1), random)
			block := make([]byte, s.BlockBytes())
			encrypt := func(head Head, x int64) error {
				values := make([]int64, s.Capacity())
				values[s.Capacity()-1] = x
				return e.Encrypt(block, 0, head, values)
			}
			for _, test := range []struct {
				head Head
				x    int64
				want error
			}{
				{Head{1, s.SumMax()}, s.SumMax(), nil},
				{Head{1, s.SumMax()}, -s.SumMax(), nil},
				{Head{1, s.SumMax() + 1}, 0, ErrNoRoom},
				{Head{2, s.SumMax()/2 + 1}, 0, ErrNoRoom},
				{Head{math.MaxInt64, math.MaxInt64}, 0, ErrNoRoom},
				{Head{0, 1}, 0, ErrNoRoom},
				{Head{-1, -1}, 0, ErrNoRoom},
				{Head{1, 0}, 0, ErrNoRoom},
				{Head{3, 100}, 300, nil},
				{Head{3, 100}, 301, ErrValue},
				{Head{3, 100}, -301, ErrValue},
				{Head{3, 100}, math.MinInt64, ErrValue},
				{Head{3, 100}, math.MaxInt64, ErrValue},
			} {
				if err := encrypt(test.head, test.x); !errors.Is(err, test.want) {
					t.Errorf("head %v, value %d: %v", test.head, test.x, err)
				}
			}
		})
	}
}

// The numbers of members of the specification are allowed, and the room for noise ends where it says.
func TestNoiseBounds(t *testing.T) {
	for _, test := range []struct {
		set               string
		certain, probable int // most members of weight 1
	}{
		{"R-1w", 389, 70766}, {"R-1p", 24, 275}, {"R-Q", 6, 17}, {"R-2", 97, 4417}, {"R-2Q", 24, 275},
	} {
		s := SetByName(test.set)
		for _, n := range []int{1, test.certain, test.certain + 1, test.probable, test.probable + 1} {
			certain, err := s.CheckNoise(all(n))
			if want := n <= test.certain; certain != want {
				t.Errorf("%s, %d members: certain is %v", s.Name, n, certain)
			}
			if want := n <= test.probable; (err == nil) != want || err != nil && !errors.Is(err, ErrNoRoom) {
				t.Errorf("%s, %d members: %v", s.Name, n, err)
			}
		}
	}
	for _, weights := range [][]uint64{{1 << 24}, {1 << 63, 1 << 63}, {math.MaxUint64}, slices.Repeat([]uint64{1 << 20}, 16)} {
		if _, err := SetByName("R-1").CheckNoise(weights); !errors.Is(err, ErrNoRoom) {
			t.Errorf("weights %d: %v", weights, err)
		}
	}
	for _, test := range []struct {
		set          string
		weights      []uint64
		certain, fit bool
	}{
		{"R-1", all(6239), true, true}, {"R-1", all(6240), false, true}, {"R-1", []uint64{6239}, true, true},
		{"R-1", []uint64{4256, 1984}, false, false}, {"R-1", slices.Repeat([]uint64{4096}, 2), false, false},
		{"R-1p", []uint64{15, 7, 2}, true, true},            // 24 in all
		{"R-1p", []uint64{15, 6, 3, 2, 1}, false, true},     // squares of 275
		{"R-1p", []uint64{15, 6, 3, 2, 1, 1}, false, false}, // of 276
	} {
		certain, err := SetByName(test.set).CheckNoise(test.weights)
		if certain != test.certain || (err == nil) != test.fit {
			t.Errorf("%s, %d weights from %d: certain is %v, %v", test.set, len(test.weights), test.weights[0], certain, err)
		}
	}
}

// The worst noise that there can be, of as many members as CheckNoise calls certain, does no harm; one more does.
func TestWorstNoise(t *testing.T) {
	for _, set := range Sets() {
		if set.Name == "R-1" || set.Name == "R-1w" { // thousands of members
			continue
		}
		s := small(set).ready()
		members := 0
		for certain := true; certain; {
			members++
			certain, _ = s.CheckNoise(all(members))
		}
		members--
		for _, sign := range []int64{1, -1} {
			most := s.SumMax() / int64(members) // values with the sign of the noise
			slots := slices.Repeat([]int64{sign * most}, s.BlockValues())
			noise := slices.Repeat([]uint64{noiseWord(sign * NoiseBound)}, s.Degree)
			one := make([]uint64, s.Words())
			s.encode(one, slots, noise)
			opened := func(times int) []int64 {
				sum := make([]uint64, s.Words())
				for k, r := range s.rings {
					for j := range s.Degree {
						sum[k*s.Degree+j] = r.reduce(one[k*s.Degree+j] * uint64(times))
					}
				}
				got := make([]int64, s.BlockValues())
				s.decode(got, sum)
				return got
			}
			if got, want := opened(members), slices.Repeat([]int64{sign * most * int64(members)}, s.BlockValues()); !slices.Equal(got, want) {
				t.Errorf("%s: %d members with noise of %d: %d, not %d", s.Name, members, sign*NoiseBound, got[0], want[0])
			}
			if got, want := opened(members+1), sign*most*int64(members+1); got[0] == want {
				t.Errorf("%s: %d members with noise of %d do not overflow: the bound is not tight", s.Name, members+1, sign*NoiseBound)
			}
		}
	}
}

func TestSumRefusals(t *testing.T) {
	s := SetByName("R-1")
	sum, block := s.NewSum(), make([]byte, s.BlockBytes())
	if err := sum.Add(block, WeightsMax); err != nil {
		t.Error(err)
	}
	if err := sum.Add(block, 1); err == nil {
		t.Error("weights of more than WeightsMax are added")
	}
	sum.Reset()
	for _, w := range []uint64{0, WeightsMax + 1, math.MaxUint64} {
		if err := sum.Add(block, w); err == nil {
			t.Errorf("weight %d is added", w)
		}
	}
	for i := range block {
		block[i] = 255
	}
	sum.Reset()
	if err := sum.Add(block, 1); !errors.Is(err, ErrResidue) {
		t.Errorf("residues of 2^50-1: %v", err)
	}
	// The largest sum of words does not wrap.
	top := make([]uint64, s.Degree)
	for i := range top {
		top[i] = s.Primes[0] - 1
	}
	pack(block, top, 50)
	sum.Reset()
	if err := sum.Add(block, WeightsMax); err != nil {
		t.Fatal(err)
	}
	sum.Bytes(block)
	if got, want := sum.words[0], s.Primes[0]-WeightsMax; got != want {
		t.Errorf("%d times p-1 is %d, not %d", WeightsMax, got, want)
	}
}

func TestAnswerRefusals(t *testing.T) {
	s := small(SetByName("R-1"))
	r := newRound(t, s, s.NewPublic("test", 1), 5, 3, 1, 10, []int64{1, 1, 1, 1, 1})
	sum := s.NewShareSum()
	if err := sum.Add(r.members[0].shares[0], 1); err != nil {
		t.Fatal(err)
	}
	good := sum.Answer()
	wrong := slices.Clone(good)
	wrong[0] ^= 1
	for name, answers := range map[string][]Answer{
		"none":        nil,
		"twice":       {{1, good}, {1, good}, {2, r.members[0].shares[1]}},
		"number 0":    {{0, good}, {2, r.members[0].shares[1]}, {3, r.members[0].shares[2]}},
		"number 256":  {{256, good}, {2, r.members[0].shares[1]}, {3, r.members[0].shares[2]}},
		"too few":     {{1, good}, {2, r.members[0].shares[1]}},
		"wrong":       {{1, wrong}, {2, r.members[0].shares[1]}, {3, r.members[0].shares[2]}},
		"interchange": {{2, good}, {1, r.members[0].shares[1]}, {3, r.members[0].shares[2]}},
		"others":      {{1, good}, {2, r.members[0].shares[1]}, {3, r.members[1].shares[2]}},
		"short":       {{1, good[:10]}},
		"no residues": {{1, slices.Repeat([]byte{255}, s.KeyBytes())}},
	} {
		if _, err := s.KeySum(answers, 1); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// More answers than are needed must all agree.
	if _, err := s.KeySum([]Answer{{1, good}, {2, r.members[0].shares[1]}, {3, r.members[0].shares[2]}, {5, r.members[0].shares[4]}}, 1); err != nil {
		t.Errorf("an answer more: %v", err)
	}
	if _, err := s.KeySum([]Answer{{1, good}, {2, r.members[0].shares[1]}, {3, r.members[0].shares[2]}, {5, r.members[0].shares[3]}}, 1); !errors.Is(err, ErrAnswers) {
		t.Errorf("an answer more, which is wrong: %v", err)
	}
	for _, bad := range []struct{ members, threshold int }{{0, 0}, {3, 4}, {3, 0}, {MembersMax + 1, 3}, {-1, -1}} {
		if _, err := r.members[0].key.Share(bad.members, bad.threshold, NewStream()); err == nil {
			t.Errorf("%d of %d shares are made", bad.threshold, bad.members)
		}
	}
	if err := sum.Add(good[1:], 1); err == nil {
		t.Error("a short share is added")
	}
	if err := sum.Add(good, 0); err == nil {
		t.Error("a share is added with weight 0")
	}
}

func TestQuantizer(t *testing.T) {
	for _, bad := range []struct {
		clip float64
		bits int
	}{{1, 1}, {1, 31}, {0, 8}, {-1, 8}, {math.NaN(), 8}, {math.Inf(1), 8}, {1e31, 8}, {1e-31, 8}} {
		if _, err := NewQuantizer(bad.clip, bad.bits); err == nil {
			t.Errorf("clip %g, %d bits: accepted", bad.clip, bad.bits)
		}
	}
	q, err := NewQuantizer(0.5, 12)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []int64{0, -1, 1<<31 + 1} {
		if q.Weigh(w) == nil {
			t.Errorf("weight %d: accepted", w)
		}
	}
	if err := q.Weigh(1 << 31); err != nil {
		t.Error(err)
	}
	random := NewStream()
	// Numbers that are whole steps stay what they are; so do those outside the clip, and what is almost nothing is 0 or ±1.
	step := q.Step()
	for _, weight := range []int64{1, 3} {
		if err := q.Weigh(weight); err != nil {
			t.Fatal(err)
		}
		for i := -q.Largest(); i <= q.Largest(); i += 89 {
			got := make([]int64, 1)
			q.Float64(got, []float64{float64(i) * step}, random)
			if d := got[0] - i*weight; d < -weight || d > weight {
				t.Fatalf("%d steps are %d with weight %d", i, got[0], weight)
			}
		}
		most := q.Largest() * weight
		for x, want := range map[float64]int64{0.5: most, -0.5: -most, 7: most, -1e308: -most, 0: 0, math.Inf(1): most, 5e-324: 0, -5e-324: 0} {
			got := make([]int64, 3)
			q.Float64(got, []float64{x, x, x}, random)
			if !slices.Equal(got, []int64{want, want, want}) {
				t.Errorf("%g becomes %d, not %d", x, got, want)
			}
			q.Float32(got, []float32{float32(x), float32(x), float32(x)}, random)
			if !slices.Equal(got, []int64{want, want, want}) {
				t.Errorf("%g of 32 bits becomes %d, not %d", x, got, want)
			}
		}
	}
	// Both widths see the same number.
	a, b := make([]int64, 9), make([]int64, 9)
	g := []float32{.1, -.1, .25, -.4999, .123456, 1e-7, -1e-30, 1e-45, .5}
	wide := make([]float64, len(g))
	for i, x := range g {
		wide[i] = float64(x)
	}
	words := []uint64{1, 2 << 40, 3 << 50, 1 << 63, 1<<64 - 1}
	q.Float32(a, g, &Stream{source: &replay{slices.Clone(words)}})
	q.Float64(b, wide, &Stream{source: &replay{slices.Clone(words)}})
	if !slices.Equal(a, b) {
		t.Errorf("of 32 bits %d, of 64 bits %d", a, b)
	}
	// Shrinking.
	if err := q.Shrink(math.NaN(), 1); !errors.Is(err, ErrNorm) {
		t.Errorf("a norm of NaN: %v", err)
	}
	if err := q.Weigh(1); err != nil {
		t.Fatal(err)
	}
	for _, norm := range []float64{0, .5, 1} { // not longer than 1
		if err := q.Shrink(norm, 1); err != nil {
			t.Fatal(err)
		}
		q.Float64(a[:1], []float64{100 * step}, random)
		if a[0] < 99 || a[0] > 101 {
			t.Errorf("norm %g: 100 steps become %d", norm, a[0])
		}
	}
	if err := q.Shrink(4, 1); err != nil {
		t.Fatal(err)
	}
	q.Float64(a[:2], []float64{100 * step, 1e9}, random)
	if a[0] < 24 || a[0] > 26 || a[1] != q.Largest() {
		t.Errorf("a quarter of 100 steps and of 10^9 is %d", a[:2])
	}
}

// Rounding is right on average.
func TestRoundingUnbiased(t *testing.T) {
	q, err := NewQuantizer(1, 6)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1 << 17
	g, x := slices.Repeat([]float32{0.33333}, n), make([]int64, n)
	q.Float32(x, g, NewStream())
	sum := 0.0
	for _, v := range x {
		if v != 10 && v != 11 { // 10.333 steps
			t.Fatalf("0.33333 becomes %d", v)
		}
		sum += float64(v)
	}
	if mean := sum / n / 31; math.Abs(mean-0.33333) > 0.0003 { // 7 deviations
		t.Errorf("the mean is %g", mean)
	}
}

// A weighted mean of quantised vectors is off by a step at most.
func TestMeans(t *testing.T) {
	s := SetByName("R-1")
	q, err := NewQuantizer(1, 16)
	if err != nil {
		t.Fatal(err)
	}
	weights := []int64{4000, 500, 9000}
	random, public := NewStream(), s.NewPublic("test", 1)
	sum, keys := s.NewSum(), make([]int64, s.Degree)
	want, values := make([]float64, s.Capacity()), make([]int64, s.Capacity())
	block := make([]byte, s.BlockBytes())
	for _, w := range weights {
		g := make([]float32, s.Capacity())
		for j := range g {
			g[j] = float32(rand.NormFloat64()) * .4
			want[j] += float64(w) / 13500 * max(-1, min(1, float64(g[j])))
		}
		if err := q.Weigh(w); err != nil {
			t.Fatal(err)
		}
		key := s.NewKey(random)
		q.Float32(values, g, random)
		if err := key.NewEncryptor(public, random).Encrypt(block, 0, Head{w, q.Largest()}, values); err != nil {
			t.Fatal(err)
		}
		if err := sum.Add(block, 1); err != nil {
			t.Fatal(err)
		}
		for j, x := range key.coefficients {
			keys[j] += x
		}
		key.Erase()
	}
	sum.Bytes(block)
	total, err := s.NewOpener(public, keys).Open(values, 0, block, 3*q.Largest())
	if err != nil {
		t.Fatal(err)
	}
	for j, x := range values {
		if d := math.Abs(q.Mean(x, total) - want[j]); d > q.Step() {
			t.Fatalf("value %d: %g instead of %g", j, q.Mean(x, total), want[j])
		}
	}
}

// Masks cancel in the sum of all members, and only there.
func TestMasks(t *testing.T) {
	for n := 1; n <= 7; n++ {
		seeds := make([][][16]byte, n)
		for i := range seeds {
			seeds[i] = make([][16]byte, n)
			for j := range i {
				seeds[i][j] = [16]byte{byte(j), byte(i)}
				seeds[j][i] = seeds[i][j]
			}
		}
		const length = 3000
		sum, want := make([]uint32, length), make([]uint32, length)
		for i := range n {
			m, err := NewMasks(i, seeds[i])
			if err != nil {
				t.Fatal(err)
			}
			v := make([]uint32, length)
			for j := range v {
				v[j] = rand.Uint32()
				want[j] += v[j]
			}
			m.Mask(v[:7])
			m.Mask(v[7:])
			for j := range v {
				sum[j] += v[j]
			}
			if n > 1 && i == n-2 && slices.Equal(sum, want) {
				t.Errorf("%d members: masks cancel with a member missing", n)
			}
		}
		if !slices.Equal(sum, want) {
			t.Errorf("%d members: masks do not cancel", n)
		}
	}
	for _, own := range []int{-1, 2} {
		if _, err := NewMasks(own, make([][16]byte, 2)); err == nil {
			t.Errorf("member %d of 2 has masks", own)
		}
	}
}

func ExampleSet_CheckSum() {
	s := SetByName("R-1")
	fmt.Println(s.CheckSum(32767, 34006)) // 16 bits, 34,006 slices of images
	fmt.Println(s.CheckSum(32767, 70000))
	// Output:
	// <nil>
	// no room: sums of values up to 32767 with weights of 70000 in all do not stay below 2^31
}
