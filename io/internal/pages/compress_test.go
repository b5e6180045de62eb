package pages

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

func TestDecompress(t *testing.T) {
	for _, data := range [][]byte{
		{}, []byte("a"), bytes.Repeat([]byte("gene"), 1000), make([]byte, thoroughtest.Pick(1, 8)<<20),
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
