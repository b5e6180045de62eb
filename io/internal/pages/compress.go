package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

var errCompressed = errors.New("compressed data is malformed")

// expansionMax is how many bytes a compressed byte can stand for at most, where
// the codec has a bound: sizes beyond it are lies, found before memory is
// spent on them.
var expansionMax = map[format.CompressionCodec]int{
	format.Snappy: 32,   // three bytes copy up to 64
	format.Gzip:   1040, // two bits copy up to 258
	format.Lz4Raw: 256,  // a byte of match length stands for 255
}

// zstdDecoder never delivers more than the capacity it is given. DecodeAll may
// be called by several goroutines at a time.
var zstdDecoder, zstdErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
	zstd.WithDecoderMaxMemory(PageBytesMax), zstd.WithDecoderMaxWindow(PageBytesMax))

// decompress returns the contents of src, which must have exactly size bytes.
// It uses the memory of dst where that suffices.
func decompress(codec format.CompressionCodec, dst, src []byte, size int) ([]byte, error) {
	if bound := expansionMax[codec]; bound > 0 && size/bound > len(src) {
		return nil, fmt.Errorf("%w: %d bytes cannot hold %d", errCompressed, len(src), size)
	}
	if size == 0 && len(src) == 0 {
		return dst[:0], nil
	}
	if cap(dst) < size {
		dst = make([]byte, size)
	}
	dst = dst[:size]
	n, err := 0, error(nil)
	switch codec {
	case format.Snappy:
		if n, err = snappy.DecodedLen(src); err == nil && n == size {
			_, err = snappy.Decode(dst, src)
		}
	case format.Zstd:
		if zstdErr != nil {
			return nil, zstdErr
		}
		var out []byte
		out, err = zstdDecoder.DecodeAll(src, dst[:0:size])
		n = len(out)
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(src, dst)
	case format.Gzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			n, err = readExactly(r, dst)
		}
	case format.Brotli:
		n, err = readExactly(brotli.NewReader(bytes.NewReader(src)), dst)
	default:
		return nil, fmt.Errorf("data compressed by %s cannot be read", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errCompressed, err)
	}
	if n != size {
		return nil, fmt.Errorf("%w: not the %d bytes claimed", errCompressed, size)
	}
	return dst, nil
}

// readExactly fills dst from r and tells whether r ends there: n == len(dst).
func readExactly(r io.Reader, dst []byte) (n int, err error) {
	if n, err = io.ReadFull(r, dst); err != nil {
		return n, err
	}
	var more [1]byte
	switch k, err := io.ReadFull(r, more[:]); {
	case err == io.EOF:
		return n, nil
	case err != nil:
		return n, err
	default:
		return n + k, nil
	}
}
