package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

var errCompressed = errors.New("compressed data is malformed")

// expansionMax is the largest number of bytes that a compressed byte can expand to, in the codecs whose data is
// decompressed at once. A larger size is false, and is found before memory is spent on it.
var expansionMax = map[format.CompressionCodec]int{
	format.Snappy: 32,  // three bytes copy up to 64
	format.Lz4Raw: 256, // a byte of match length stands for 255
}

// zstdDecoder never delivers more than the capacity it is given. DecodeAll may
// be called by several goroutines at a time.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(PageBytesMax), zstd.WithDecoderMaxWindow(PageBytesMax))
})

// decompress returns the contents of src, which must have exactly size bytes. It uses the memory of dst where that
// suffices. It never allocates much more than the true size, whatever the size claimed.
func decompress(codec format.CompressionCodec, dst, src []byte, size int) (out []byte, err error) {
	if bound := expansionMax[codec]; bound > 0 && size/bound > len(src) {
		return nil, fmt.Errorf("%w: %d bytes cannot hold %d", errCompressed, len(src), size)
	}
	if size == 0 && len(src) == 0 {
		return dst[:0], nil
	}
	switch codec {
	case format.Snappy:
		n, lerr := snappy.DecodedLen(src)
		if lerr != nil || n != size {
			err = snappy.ErrCorrupt
			break
		}
		out, err = snappy.Decode(room(dst, size), src)
	case format.Lz4Raw:
		out = room(dst, size)
		var n int
		n, err = lz4.UncompressBlock(src, out)
		out = out[:max(n, 0)]
	case format.Zstd:
		out, err = unzstd(dst, src, size)
	case format.Gzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			out, err = readUpTo(r, dst, size)
		}
	case format.Brotli:
		out, err = readUpTo(brotli.NewReader(bytes.NewReader(src)), dst, size)
	default:
		return nil, fmt.Errorf("data compressed by %s cannot be read", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errCompressed, err)
	}
	if len(out) != size {
		return nil, fmt.Errorf("%w: not the %d bytes claimed", errCompressed, size)
	}
	return out, nil
}

// room returns n bytes, from dst's memory if that suffices.
func room(dst []byte, n int) []byte {
	if cap(dst) < n {
		return make([]byte, n)
	}
	return dst[:n]
}

// firstGuess is the memory that data of unbounded expansion gets at first.
func firstGuess(src, size int) int { return min(size, 64*src+64<<10) }

// unzstd decompresses up to size bytes. Data that expands a lot gets more memory only when it has shown that it needs
// it.
func unzstd(dst, src []byte, size int) ([]byte, error) {
	decoder, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	for n := max(min(cap(dst), size), firstGuess(len(src), size)); ; n = min(8*n, size) {
		dst = room(dst, n)
		out, err := decoder.DecodeAll(src, dst[:0:n])
		if err != zstd.ErrDecoderSizeExceeded || n == size {
			return out, err
		}
	}
}

// readUpTo reads r to its end, or to one byte more than size.
func readUpTo(r io.Reader, dst []byte, size int) ([]byte, error) {
	out := bytes.NewBuffer(dst[:0])
	_, err := out.ReadFrom(io.LimitReader(r, int64(size)+1))
	return out.Bytes(), err
}
