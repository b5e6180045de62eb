package pages

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	parquetdelta "github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

func TestBitsAt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src := make([]byte, 40)
	for i := range src {
		src[i] = byte(r.Uint32())
	}
	for range 5000 {
		width := r.UintN(65)
		bit := r.IntN(len(src)*8 + 20)
		want := uint64(0)
		for k := range int(width) {
			if at := bit + k; at < len(src)*8 {
				want |= uint64(src[at/8]>>(at%8)&1) << k
			}
		}
		if got := bitsAt(src, bit, width); got != want {
			t.Fatalf("%d bits at %d: %x, want %x", width, bit, got, want)
		}
	}
}

// TestHybrid reads what parquet-go encodes, in parts of odd lengths.
func TestHybrid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for width := uint(1); width <= 32; width++ {
		for _, n := range []int{0, 1, 7, 8, 9, 31, 1000} {
			want := make([]int32, n)
			for i := range want {
				if i == 0 || r.IntN(6) == 0 {
					want[i] = int32(r.Uint32() >> (32 - width))
				} else {
					want[i] = want[i-1]
				}
			}
			enc := rle.Encoding{BitWidth: int(width)}
			src, err := enc.EncodeInt32(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			h := newHybrid(src, width)
			var got []uint32
			for len(got) < n {
				part := make([]uint32, min(1+r.IntN(20), n-len(got)))
				if err := fill(&h, part); err != nil {
					t.Fatalf("width %d, %d values: %v", width, n, err)
				}
				got = append(got, part...)
			}
			for i := range want {
				if got[i] != uint32(want[i]) {
					t.Fatalf("width %d: value %d of %d is %d, want %d", width, i, n, got[i], want[i])
				}
			}
		}
	}
}

func TestHybridMalformed(t *testing.T) {
	for _, src := range [][]byte{
		{},                             // nothing
		{0x80},                         // half a head
		{0, 0, 0, 0},                   // runs of nothing, to the end
		{4},                            // a run without its value
		{4, 2},                         // a value wider than a bit
		{5},                            // 16 packed values in no bytes
		bytes.Repeat([]byte{0xff}, 11), // a head that does not end
		binary.AppendUvarint(nil, 1<<40),
	} {
		h := newHybrid(src, 1)
		if err := fill(&h, make([]uint8, 20)); err == nil {
			t.Errorf("% x is read", src)
		}
	}
	// A run of two billion takes no memory and delivers what is asked for.
	long := newHybrid(append(binary.AppendUvarint(nil, math.MaxInt32<<1), 1), 1)
	dst := make([]uint8, 100)
	for range 3 {
		if err := fill(&long, dst); err != nil || slices.Contains(dst, 0) {
			t.Fatal(err)
		}
	}
}

// TestDelta reads what parquet-go encodes.
func TestDelta(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 31, 32, 33, 127, 128, 129, 1000, 5000} {
		for _, spread := range []uint{0, 1, 13, 40, 63, 64} {
			want := make([]int64, n)
			for i := range want {
				want[i] = int64(r.Uint64() >> 1 >> (63 - min(spread, 63)))
				if spread == 64 {
					want[i] = int64(r.Uint64()) // differences overflow
				}
			}
			src, err := new(parquetdelta.BinaryPackedEncoding).EncodeInt64(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			tail := []byte("what follows")
			d, err := newDelta(append(src, tail...))
			if err != nil {
				t.Fatal(err)
			}
			if end, err := d.end(); err != nil || end != len(src) {
				t.Fatalf("%d values of %d bits end at %d of %d, %v", n, spread, end, len(src), err)
			}
			var got []int64
			for len(got) < n {
				part := make([]int64, min(1+r.IntN(50), n-len(got)))
				if err := d.fill(part); err != nil {
					t.Fatal(err)
				}
				got = append(got, part...)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d values of %d bits differ", n, spread)
			}
			if err := d.fill(make([]int64, 1)); err == nil {
				t.Error("one value more than there are")
			}
		}
	}
}

func TestDeltaMalformed(t *testing.T) {
	head := func(block, minis, total uint64) []byte {
		b := binary.AppendUvarint(nil, block)
		b = binary.AppendUvarint(b, minis)
		b = binary.AppendUvarint(b, total)
		return binary.AppendUvarint(b, 0)
	}
	for _, src := range [][]byte{
		{}, {0x80, 0x01}, head(128, 0, 1), head(128, 3, 1), head(128, 128, 1), head(1<<40, 4, 1), head(128, 4, 1<<40), head(12, 4, 1),
	} {
		if _, err := newDelta(src); err == nil {
			t.Errorf("% x is read", src)
		}
	}
	for _, src := range [][]byte{
		head(128, 4, 200),
		append(head(128, 4, 200), 0),
		append(head(128, 4, 200), 0, 65, 0, 0, 0),
		append(head(128, 4, 200), 0, 8, 0, 0, 0),
	} {
		d, err := newDelta(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.end(); err == nil {
			t.Errorf("% x has an end", src)
		}
		if err := d.fill(make([]int64, 200)); err == nil {
			t.Errorf("% x has values", src)
		}
	}
	// Two billion values in a few bytes: their end is found at once.
	d, err := newDelta(append(head(1<<30, 1, math.MaxInt32), bytes.Repeat([]byte{0}, 8)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.end(); err != nil {
		t.Error(err)
	}
}

func TestDecompress(t *testing.T) {
	for _, data := range [][]byte{
		{}, []byte("a"), bytes.Repeat([]byte("gene"), 1000), make([]byte, 8<<20),
	} {
		for _, codec := range []format.CompressionCodec{format.Snappy, format.Gzip, format.Zstd, format.Brotli, format.Lz4Raw} {
			t.Run(fmt.Sprintf("%s/%d", codec, len(data)), func(t *testing.T) {
				src, err := parquet.LookupCompressionCodec(codec).Encode(nil, data)
				if err != nil {
					t.Fatal(err)
				}
				for _, dst := range [][]byte{nil, make([]byte, 10), make([]byte, 9<<20)} {
					out, err := decompress(codec, dst, src, len(data))
					if err != nil || !bytes.Equal(out, data) {
						t.Fatalf("%d bytes of %d, %v", len(out), len(data), err)
					}
				}
				for _, lie := range []int{len(data) + 1, len(data) + 1000, len(data) - 1, PageBytesMax} {
					if lie < 0 || len(data) == 0 && lie == 0 {
						continue
					}
					before := allocated()
					if _, err := decompress(codec, nil, src, lie); err == nil {
						t.Errorf("%d bytes claimed, %d found", lie, len(data))
					}
					// Buffers grow by factors; Brotli has a window of its own.
					if n := allocated() - before; n > uint64(10*len(data)+300*len(src)+4<<20) {
						t.Errorf("a claim of %d bytes made it allocate %d", lie, n)
					}
				}
			})
		}
	}
	if _, err := decompress(format.LZO, nil, []byte("x"), 1); err == nil {
		t.Error("LZO is read")
	}
}
