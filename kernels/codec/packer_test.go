package codec

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"pgregory.net/rapid"
)

// words returns x in little-endian words.
func words(x *big.Int, n int) []uint64 {
	z := make([]uint64, n)
	for i, b := range x.FillBytes(make([]byte, 8*n)) {
		z[n-1-i/8] |= uint64(b) << (56 - 8*(i%8))
	}
	return z
}

func integer(w []uint64) *big.Int {
	x := new(big.Int)
	for i := len(w) - 1; i >= 0; i-- {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(w[i]))
	}
	return x
}

// modulus returns an odd number of exactly 64·n bits.
func modulus(n int, seed uint64) *big.Int {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 8*n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0] |= 0x80
	b[len(b)-1] |= 1
	return new(big.Int).SetBytes(b)
}

// drawValue draws |v| < 2^(width-1), edges often.
func drawValue(t *rapid.T, width int) Int {
	limit := new(big.Int).Lsh(big.NewInt(1), uint(width-1))
	limit.Sub(limit, big.NewInt(1))
	v := new(big.Int)
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		v.Set(limit)
	case 1:
		v.Neg(limit)
	case 2:
		v.SetInt64(rapid.Int64Range(-1, 1).Draw(t, "small"))
		if v.CmpAbs(limit) > 0 {
			v.SetInt64(0)
		}
	default:
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "raw")
		v.SetBytes(raw)
		v.Mod(v, new(big.Int).Add(limit, big.NewInt(1)))
		if raw[0]&1 == 1 {
			v.Neg(v)
		}
	}
	return decimal128.FromBigInt(v)
}

func TestPackUnpackAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limbs := rapid.IntRange(1, 33).Draw(t, "limbs")
		n := modulus(limbs, rapid.Uint64().Draw(t, "seed"))
		var slots []Slot
		at := 0
		for {
			w := rapid.IntRange(2, 128).Draw(t, "width")
			if at+w > 64*limbs-1 {
				break
			}
			slots = append(slots, Slot{at, w})
			at += w + rapid.IntRange(0, 1).Draw(t, "gap")*7
			if at > 64*limbs-1 || rapid.IntRange(0, 9).Draw(t, "stop") == 0 {
				break
			}
		}
		p, err := NewPacker(words(n, limbs), slots)
		if err != nil {
			t.Fatal(err)
		}
		values, want := make([]Int, len(slots)), new(big.Int)
		for i, s := range slots {
			values[i] = drawValue(t, s.Width)
			want.Add(want, new(big.Int).Lsh(values[i].BigInt(), uint(s.Offset)))
		}
		want.Mod(want, n)
		m := make([]uint64, limbs)
		if err := p.Pack(m, values); err != nil {
			t.Fatal(err)
		}
		if got := integer(m); got.Cmp(want) != 0 {
			t.Fatalf("packed %x, want %x", got, want)
		}
		got := make([]Int, len(slots))
		if err := p.Unpack(got, m); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != values[i] {
				t.Fatalf("slot %d: %v, want %v", i, got[i].BigInt(), values[i].BigInt())
			}
		}
	})
}

func TestPackRefusesWhatDoesNotFit(t *testing.T) {
	n := words(modulus(4, 1), 4)
	p, err := NewPacker(n, []Slot{{0, 20}, {20, 128}})
	if err != nil {
		t.Fatal(err)
	}
	m := make([]uint64, 4)
	for _, c := range []struct {
		values []Int
		slot   int
	}{
		{[]Int{FromInt64(1 << 19), {}}, 0},
		{[]Int{FromInt64(-1 << 19), {}}, 0},
		{[]Int{FromInt64(1 << 40), {}}, 0},
		{[]Int{{}, decimal128.New(-1<<63, 0)}, 1},
	} {
		var e *SlotError
		if err := p.Pack(m, c.values); !errors.As(err, &e) || e.Slot != c.slot {
			t.Errorf("Pack(%v) = %v, want a SlotError for slot %d", c.values, err, c.slot)
		}
	}
}

func TestUnpackRefusesForeignResidues(t *testing.T) {
	n := modulus(4, 2)
	p, err := NewPacker(words(n, 4), []Slot{{0, 20}, {20, 20}})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*big.Int{
		"bit above the last slot": new(big.Int).Lsh(big.NewInt(1), 40),
		"largest positive":        new(big.Int).Rsh(n, 1),
		"most negative":           new(big.Int).Add(new(big.Int).Rsh(n, 1), big.NewInt(1)),
		"just below the slots":    new(big.Int).Sub(n, new(big.Int).Lsh(big.NewInt(1), 40)),
	} {
		if err := p.Unpack(make([]Int, 2), words(m, 4)); !errors.Is(err, ErrSlotOverflow) {
			t.Errorf("%s: %v, want ErrSlotOverflow", name, err)
		}
	}
}

func TestNewPackerRefusesBadLayouts(t *testing.T) {
	n := words(modulus(2, 3), 2)
	for name, slots := range map[string][]Slot{
		"overlap":        {{0, 20}, {19, 20}},
		"too narrow":     {{0, 1}},
		"too wide":       {{0, 129}},
		"past the top":   {{0, 64}, {64, 64}},
		"negative start": {{-1, 20}},
	} {
		if _, err := NewPacker(n, slots); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A block's total survives the mask and nothing else does: unpacking the masked residue slot by slot fails.
func TestTotalUnderMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limbs := rapid.SampledFrom([]int{16, 32}).Draw(t, "limbs")
		n := modulus(limbs, rapid.Uint64().Draw(t, "seed"))
		tuple := Tuple(rapid.SliceOfN(rapid.IntRange(10, 100), 1, 6).Draw(t, "tuple"))
		places, _, records, err := PlanBlocks(64*limbs, []Tuple{tuple})
		if err != nil {
			t.Skip()
		}
		var slots []Slot
		for r := range records {
			at := r * places[0].Stride
			for _, w := range tuple {
				slots = append(slots, Slot{at, w})
				at += w
			}
		}
		p, err := NewPacker(words(n, limbs), slots)
		if err != nil {
			t.Fatal(err)
		}
		values, want := make([]Int, len(slots)), make([]*big.Int, len(tuple))
		for f, w := range tuple {
			want[f] = new(big.Int)
			for r := range records {
				// small enough that the sum over all records stays in the slot
				limit := int64(1<<(min(w, 63)-1)-1) / int64(records)
				values[r*len(tuple)+f] = FromInt64(rapid.Int64Range(-limit, limit).Draw(t, "v"))
				want[f].Add(want[f], values[r*len(tuple)+f].BigInt())
			}
		}
		m := make([]uint64, limbs)
		if err := p.Pack(m, values); err != nil {
			t.Fatal(err)
		}
		total, err := NewTotal(words(n, limbs), tuple)
		if err != nil {
			t.Fatal(err)
		}
		mask := make([]uint64, limbs)
		seed := rapid.SliceOfN(rapid.Byte(), 8*limbs, 8*limbs).Draw(t, "randomness")
		if err := total.Mask(mask, bytes.NewReader(seed)); err != nil {
			t.Fatal(err)
		}
		masked := integer(m)
		masked.Add(masked, integer(mask)).Mod(masked, n)
		got := make([]Int, len(tuple))
		total.Unpack(got, words(masked, limbs))
		for f := range got {
			if got[f].BigInt().Cmp(want[f]) != 0 {
				t.Fatalf("field %d: %v, want %v", f, got[f].BigInt(), want[f])
			}
		}
	})
}

func TestTotalMaskIsLongEnough(t *testing.T) {
	n := words(modulus(32, 9), 32)
	total, err := NewTotal(n, Tuple{43, 12})
	if err != nil {
		t.Fatal(err)
	}
	m := make([]uint64, 32)
	if err := total.Mask(m, bytes.NewReader(bytes.Repeat([]byte{0xff}, 256))); err != nil {
		t.Fatal(err)
	}
	if got := integer(m).BitLen(); got != 2048-3 {
		t.Errorf("the longest mask has %d bits, want %d", got, 2048-3)
	}
	if err := total.Mask(m, bytes.NewReader(nil)); err == nil {
		t.Error("no error without randomness")
	}
}

// TestTotalNeedsRoomForItsMask: every tuple of which the mask would be shorter than MaskBits is refused, and none else.
func TestTotalNeedsRoomForItsMask(t *testing.T) {
	for _, limbs := range []int{1, 2, 3, 8, 32} {
		n := words(modulus(limbs, uint64(limbs)), limbs)
		for _, slot := range []int{2, 3, 17, 64, 128} {
			for slots := 1; slots*slot <= 64*limbs; slots++ {
				tuple := make(Tuple, slots)
				for i := range tuple {
					tuple[i] = slot
				}
				total, err := NewTotal(n, tuple)
				if fits := slots*slot <= 64*limbs-1-MaskBits; fits != (err == nil) {
					t.Fatalf("%d bits, %d slots of %d: %v", 64*limbs, slots, slot, err)
				}
				if err != nil {
					var layout *LayoutError
					if !errors.As(err, &layout) || layout.Width != slots*slot || layout.Room != TotalRoom(64*limbs) {
						t.Fatalf("%v", err)
					}
					continue
				}
				m := make([]uint64, limbs)
				if err := total.Mask(m, bytes.NewReader(bytes.Repeat([]byte{0xff}, 8*limbs))); err != nil {
					t.Fatal(err)
				}
				if random := integer(m).BitLen() - slots*slot; random < MaskBits-2 {
					t.Fatalf("%d bits, %d slots of %d: a mask of %d random bits", 64*limbs, slots, slot, random)
				}
			}
		}
	}
}
