package ringlwe

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzRoundTrip: whatever the values, weights and set, the sum that is opened is the sum.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{}, byte(0), byte(1))
	f.Add(slices.Repeat([]byte{255}, 400), byte(2), byte(3))
	f.Add(slices.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 128}, 60), byte(4), byte(15))
	f.Fuzz(func(t *testing.T, data []byte, set, weight byte) {
		s := small(sets[int(set)%len(sets)])
		alpha := []uint64{1, uint64(weight%7) + 1, 2}
		largest := s.SumMax() / 10
		random, public := NewStream(), s.NewPublic("fuzz", uint64(weight))
		sum, keys := s.NewSum(), make([]int64, s.Degree)
		want := make([]int64, s.Capacity())
		block := make([]byte, s.BlockBytes())
		var check int64
		for _, a := range alpha {
			values := make([]int64, s.Capacity())
			for i := range values {
				if len(data) >= 8 {
					values[i] = int64(binary.LittleEndian.Uint64(data)) % (largest + 1)
					data = data[8:]
				}
				want[i] += int64(a) * values[i]
			}
			key := s.NewKey(random)
			if err := key.NewEncryptor(public, random).Encrypt(block, 5, Head{1, largest}, values); err != nil {
				t.Fatal(err)
			}
			if err := sum.Add(block, a); err != nil {
				t.Fatal(err)
			}
			for j, x := range key.coefficients {
				keys[j] += x * int64(a)
			}
			check += int64(a) * largest
		}
		sum.Bytes(block)
		got := make([]int64, s.Capacity())
		if _, err := s.NewOpener(public, keys).Open(got, 5, block, check); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d, not %d", got, want)
		}
	})
}

// FuzzBytes: any bytes are residues or refused, and adding up does not panic.
func FuzzBytes(f *testing.F) {
	f.Add([]byte{1, 2, 3}, byte(0))
	f.Add(slices.Repeat([]byte{255}, 2000), byte(3))
	f.Fuzz(func(t *testing.T, data []byte, set byte) {
		s := small(sets[int(set)%len(sets)])
		block := make([]byte, s.BlockBytes())
		copy(block, data)
		sum := s.NewSum()
		if err := sum.Add(block, 1); err != nil {
			return
		}
		out := make([]byte, s.BlockBytes())
		sum.Bytes(out)
		if !slices.Equal(out, block) {
			t.Fatal("residues do not come back")
		}
		if _, err := s.NewOpener(s.NewPublic("fuzz", 1), make([]int64, s.Degree)).Open(make([]int64, s.Capacity()), 0, block, 1); err == nil {
			t.Log("opened by chance")
		}
	})
}

// FuzzProduct: transforms multiply as schoolbooks do.
func FuzzProduct(f *testing.F) {
	f.Add([]byte{1}, byte(0))
	f.Add(slices.Repeat([]byte{255}, 256), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, prime byte) {
		r := newRing(16, []uint64{prime50a, prime50b, prime40}[prime%3])
		a, b := make([]uint64, 16), make([]uint64, 16)
		for i := range 32 {
			if len(data) < 8 {
				break
			}
			x := binary.LittleEndian.Uint64(data) % r.p
			if i < 16 {
				a[i] = x
			} else {
				b[i-16] = x
			}
			data = data[8:]
		}
		if got, want := multiply(r, a, b), schoolbook(a, b, r.p); !slices.Equal(got, want) {
			t.Fatalf("%d·%d = %d, not %d", a, b, got, want)
		}
	})
}

// FuzzQuantizer: finite numbers become integers within the bounds, next to what they are.
func FuzzQuantizer(f *testing.F) {
	f.Add(0.1, 1.0, byte(16))
	f.Add(-1e300, 1e-30, byte(2))
	f.Add(5e-324, 1e30, byte(30))
	f.Fuzz(func(t *testing.T, x, clip float64, bits byte) {
		q, err := NewQuantizer(clip, int(bits))
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		got := make([]int64, 1)
		q.Float64(got, []float64{x}, NewStream())
		if got[0] > q.Largest() || got[0] < -q.Largest() {
			t.Fatalf("%g becomes %d", x, got[0])
		}
		want := max(-clip, min(clip, x)) / q.Step()
		if d := math.Abs(float64(got[0]) - want); d > 1.001 {
			t.Fatalf("%g, clipped at %g, is %g steps and becomes %d", x, clip, want, got[0])
		}
	})
}
