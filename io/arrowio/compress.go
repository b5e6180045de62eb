package arrowio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/klauspost/compress/zstd"
)

// bufferBytesMax bounds a decompressed buffer. It is the one size that a file can claim without holding as many bytes.
const bufferBytesMax = 2 << 30

// codec decompresses buffers; its zstd decoder is made when first needed.
type codec struct{ zstd *zstd.Decoder }

func (c *codec) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}

// decompress returns the content of a buffer of a compressed batch: 8 bytes of size, -1 for a buffer that is not
// compressed, and the data. Memory grows with the output, not with the claimed size. The caller releases the buffer.
func (c *codec) decompress(kind int, data []byte, mem memory.Allocator) (buf *memory.Buffer, err error) {
	if len(data) < 8 {
		return nil, errors.New("a compressed buffer without a size")
	}
	claim := int64(binary.LittleEndian.Uint64(data))
	data = data[8:]
	if claim == -1 {
		buf = newBuffer(len(data), mem)
		copy(buf.Bytes(), data)
		return buf, nil
	}
	if claim < 0 || claim > bufferBytesMax {
		return nil, fmt.Errorf("a compressed buffer that claims %d bytes", claim)
	}
	size := int(claim)
	buf = newBuffer(min(size, 4*len(data)+64<<10), mem)
	grow := func(n int) []byte {
		if n > buf.Len() {
			buf.Resize(min(size, max(n, 2*buf.Len())))
		}
		return buf.Bytes()
	}
	if kind == codecLZ4 {
		err = decodeLZ4(data, size, grow)
	} else {
		err = c.decodeZSTD(data, size, grow)
	}
	if err != nil {
		buf.Release()
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	return buf, nil
}

// decodeZSTD decodes frames of exactly size bytes. grow works as for decodeLZ4.
func (c *codec) decodeZSTD(data []byte, size int, grow func(n int) []byte) (err error) {
	// The window of a frame is allocated at once. No frame needs one above its size, but encoders that do not know the
	// size may ask for up to windowMax.
	const windowMax = 128 << 20
	limit := zstd.WithDecoderMaxMemory(uint64(max(size, windowMax)))
	src := bytes.NewReader(data)
	if c.zstd == nil {
		c.zstd, err = zstd.NewReader(src, limit, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(bufferBytesMax))
	} else {
		err = c.zstd.ResetWithOptions(src, limit)
	}
	if err != nil {
		return err
	}
	for at, out := 0, grow(0); ; out = grow(at + 1) {
		n, err := io.ReadFull(c.zstd, out[at:])
		if err != nil {
			return err
		}
		if at += n; at == size {
			break
		}
	}
	// The checksum comes after the last byte. Padding may follow.
	n, err := c.zstd.Read(make([]byte, 1))
	if n != 0 {
		return fmt.Errorf("more than the %d bytes that are claimed", size)
	}
	if errors.Is(err, zstd.ErrCRCMismatch) {
		return err
	}
	return nil
}

func newBuffer(n int, mem memory.Allocator) *memory.Buffer {
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(n)
	return buf
}
