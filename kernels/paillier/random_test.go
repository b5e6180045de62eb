package paillier

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"
)

// units draws 0 < x < limit: all values of a small limit come up, about equally often, and no others. Limits around
// powers of two and of several words.
func TestUnits(t *testing.T) {
	var seed [32]byte
	copy(seed[:], t.Name())
	r := newRandom(seed)
	for _, limit := range []uint64{2, 3, 5, 15, 16, 17, 255, 256, 257, 1000} {
		words, scratch := []uint64{limit}, make([]uint64, 1)
		size := (new(big.Int).SetUint64(limit).BitLen() + 7) / 8
		const perValue = 60
		draws := make([]byte, int(limit)*perValue*size)
		r.units(draws, words, scratch, size)
		counts := map[uint64]int{}
		for _, x := range fromBytes(draws, size) {
			counts[x.Uint64()]++
		}
		if counts[0] != 0 || len(counts) != int(limit)-1 {
			t.Errorf("limit %d: %d different values, %d zeros", limit, len(counts), counts[0])
		}
		for x, n := range counts {
			if x >= limit || n < perValue/4 || n > perValue*4 && limit > 2 {
				t.Errorf("limit %d: %d times %d", limit, n, x)
			}
		}
	}
	long := new(big.Int).Lsh(big.NewInt(0x101), 120)
	x := make([]byte, 17*200)
	r.units(x, wordsOf(long, 3), make([]uint64, 3), 17)
	above := 0
	for _, v := range fromBytes(x, 17) {
		if v.Cmp(long) >= 0 || v.Sign() == 0 {
			t.Fatalf("%x is not below %x", v, long)
		}
		if v.Cmp(new(big.Int).Rsh(long, 1)) > 0 {
			above++
		}
	}
	if above < 60 || above > 140 {
		t.Errorf("%d of 200 values in the upper half", above)
	}
}

func TestExponents(t *testing.T) {
	var seed [32]byte
	r := newRandom(seed)
	for _, bits := range []int{1, 7, 8, 9, 160, 163, 448} {
		size := (bits + 7) / 8
		x := make([]byte, 300*size)
		r.exponents(x, bits)
		top := 0
		for _, v := range fromBytes(x, size) {
			if v.BitLen() > bits {
				t.Fatalf("%x has more than %d bits", v, bits)
			}
			top += int(v.Bit(bits - 1))
		}
		if top < 90 || top > 210 {
			t.Errorf("the top bit of %d is set in %d of 300", bits, top)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	a, b := make([]byte, 40), make([]byte, 40)
	for _, x := range [][]byte{a, b} {
		if n, err := NewRandom().Read(x); n != 40 || err != nil {
			t.Fatal(n, err)
		}
	}
	if bytes.Equal(a, b) {
		t.Error("two streams are the same")
	}
}

func TestPieces(t *testing.T) {
	for _, limit := range []int{8, 32, 128} {
		for n := range 700 {
			next := 0
			err := pieces(n, limit, func(first, rows, class int) error {
				if first != next || rows < 1 || rows > limit || class < 0 || class >= pieceClasses {
					return fmt.Errorf("piece %d+%d of class %d", first, rows, class)
				}
				if want := rows; class > 7 && want != 8<<(class-7) || class <= 7 && want != class+1 {
					return fmt.Errorf("%d rows of class %d", rows, class)
				}
				next += rows
				return nil
			})
			if err != nil || next != n {
				t.Fatalf("%d rows by %d: %v, %d covered", n, limit, err, next)
			}
		}
	}
}

func TestDigit(t *testing.T) {
	random := seeded(t)
	for range 200 {
		x := bigBelow(random, new(big.Int).Lsh(one, 75))
		abs := x.FillBytes(make([]byte, 10))
		pos, width := random.IntN(90), 1+random.IntN(16)
		want := new(big.Int).Rsh(x, uint(pos))
		want.And(want, big.NewInt(1<<width-1))
		if got := digit(abs, pos, width); int64(got) != want.Int64() {
			t.Fatalf("bits %d+%d of %x: %x, want %x", pos, width, x, got, want)
		}
	}
}

func TestScalars(t *testing.T) {
	values := []int64{0, 1, -1, 255, -256, 1<<63 - 1, -1 << 63}
	s := Int64Scalars(values)
	var list []*big.Int
	for _, v := range values {
		list = append(list, big.NewInt(v))
	}
	b := BigScalars(list)
	if !bytes.Equal(s.Abs, b.Abs) || fmt.Sprint(s.Neg) != fmt.Sprint(b.Neg) || s.bitLen() != 64 {
		t.Errorf("%v and %v differ", s, b)
	}
	if !s.isZero(0) || s.isZero(1) || Int64Scalars(nil).bitLen() != 0 || BigScalars(list[:1]).Size != 1 {
		t.Error("zeros")
	}
}
