package pages

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
)

// TestCountRuns counts what parquet-go encodes, and what is cut off it.
func TestCountRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for width := uint(1); width <= 32; width++ {
		for _, n := range []int{0, 1, 7, 8, 9, 31, 1000} {
			values := make([]int32, n)
			for i := range values {
				if i == 0 || r.IntN(6) == 0 {
					values[i] = int32(r.Uint32() >> (32 - width))
				} else {
					values[i] = values[i-1]
				}
			}
			enc := rle.Encoding{BitWidth: int(width)}
			src, err := enc.EncodeInt32(nil, values)
			if err != nil {
				t.Fatal(err)
			}
			if got, lacking, err := countRuns(src, width, n); got != n || lacking != 0 || err != nil {
				t.Fatalf("width %d: %d values of %d, %d bytes lacking, %v", width, got, n, lacking, err)
			}
		}
	}
	two := []byte{3<<1 | 1, 1, 2, 3, 4, 5, 6, 7, 8, 9} // three groups of 8 values of 3 bits
	for cut, want := range []int{24, 21, 18, 16} {
		if got, lacking, err := countRuns(two[:len(two)-cut], 3, 24); got != want || lacking != cut || err != nil {
			t.Errorf("%d bytes cut off: %d values, %d bytes lacking, %v", cut, got, lacking, err)
		}
	}
	for _, src := range [][]byte{
		{0x80},                         // half a head
		{4},                            // a run without its value
		{3<<1 | 1, 0},                  // 24 packed values in a byte
		bytes.Repeat([]byte{0xff}, 11), // a head that does not end
		binary.AppendUvarint(nil, 1<<40),
		append(binary.AppendUvarint(nil, (20+spareValues+1)<<1), 1),
	} {
		if n, _, err := countRuns(src, 1, 20); err == nil {
			t.Errorf("% x has %d values", src, n)
		}
	}
}

// TestCountDelta counts what parquet-go encodes.
func TestCountDelta(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 31, 32, 33, 127, 128, 129, 1000, 5000} {
		for _, bits := range []uint{0, 1, 13, 40, 63, 64} {
			values := make([]int64, n)
			for i := range values {
				values[i] = int64(r.Uint64() >> 1 >> (63 - min(bits, 63)))
				if bits == 64 {
					values[i] = int64(r.Uint64()) // differences overflow
				}
			}
			src, err := new(delta.BinaryPackedEncoding).EncodeInt64(nil, values)
			if err != nil {
				t.Fatal(err)
			}
			got, end, err := countDelta(append(src, "what follows"...), 64, n)
			if got != n || end != len(src) || err != nil {
				t.Fatalf("%d values of %d bits: %d that end at %d of %d, %v", n, bits, got, end, len(src), err)
			}
			if n > 0 {
				if _, _, err := countDelta(src, 64, n-1); err == nil {
					t.Error("one value more than there may be")
				}
				if _, _, err := countDelta(src[:len(src)-1], 64, n); err == nil {
					t.Error("values without their last byte")
				}
			}
		}
	}
}

// TestPlainBooleans expands runs of all lengths at all offsets.
func TestPlainBooleans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var want []bool
		src := make([]byte, 4)
		for range r.IntN(8) {
			if r.IntN(2) == 0 {
				n, value := r.IntN(20), r.IntN(2)
				src = append(src, byte(n<<1), byte(value))
				for range n {
					want = append(want, value == 1)
				}
				continue
			}
			n := r.IntN(4)
			src = append(src, byte(n<<1|1))
			for range n {
				v := byte(r.Uint32())
				src = append(src, v)
				for i := range 8 {
					want = append(want, v>>i&1 == 1)
				}
			}
		}
		binary.LittleEndian.PutUint32(src, uint32(len(src)-4))
		bits, n, err := plainBooleans(src, len(want))
		if err != nil || n != len(want) {
			t.Fatalf("% x: %d values of %d, %v", src, n, len(want), err)
		}
		for i, v := range want {
			if bits[i>>3]>>(i&7)&1 == 1 != v {
				t.Fatalf("% x: value %d is not %v", src, i, v)
			}
		}
	}
}
