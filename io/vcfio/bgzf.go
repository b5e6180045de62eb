package vcfio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// BGZF is a series of gzip members of at most 64 KiB. Each has its own size in an extra field "BC", so that members
// can be found without decompressing, and decompressed in parallel. The last one is empty: a file that lacks it was
// cut off.

const (
	blockHeaderBytes = 18
	blockTailBytes   = 8 // CRC-32 and size of the data
	blockDataMax     = 1 << 16
	groupBlocks      = 16 // decompressed by one task: up to 1 MiB of text
)

// emptyBlock is the end-of-file marker.
var emptyBlock = []byte("\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00\x42\x43\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")

var (
	errNoMarker = errors.New("no end-of-file marker")
	errNotBlock = errors.New("not a BGZF block")
	errBadBlock = errors.New("damaged BGZF block")
	errMixed    = errors.New("data that gzip compressed in another way follows the blocks of bgzip")
	errTrailing = errors.New("something that is no BGZF block follows the end of the data")
	errCutBlock = errors.New("the last BGZF block is cut off")
)

// blockSize returns the size of the BGZF block that b begins with, or ok = false if it does not begin with the header of
// one. It needs blockHeaderBytes; the extra field "BC" is the first, as all known writers have it.
func blockSize(b []byte) (size int, ok bool) {
	if len(b) < blockHeaderBytes || b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 || b[3] != 4 ||
		binary.LittleEndian.Uint16(b[10:]) != 6 || b[12] != 'B' || b[13] != 'C' || binary.LittleEndian.Uint16(b[14:]) != 2 {
		return 0, false
	}
	size = int(binary.LittleEndian.Uint16(b[16:])) + 1
	return size, size >= blockHeaderBytes+2+blockTailBytes
}

// blockText is the text of a BGZF file, decompressed ahead by several goroutines.
type blockText struct {
	src     io.Reader
	raw     []byte // compressed bytes read and not yet taken
	eof     bool   // src has no more
	ended   bool   // the last block taken was empty
	last    bool   // all blocks are taken
	queue   []*group
	depth   int // groups under way at a time; 1: none but the caller's
	running sync.WaitGroup
}

// group is consecutive blocks and, once done, their text.
type group struct {
	raw, text []byte
	err       error
	done      chan struct{} // nil: done
}

func newBlockText(src io.Reader, threads int) *blockText {
	return &blockText{src: src, depth: max(1, threads)}
}

// next returns the next piece of text; recycle takes its memory back.
func (t *blockText) next() ([]byte, error) {
	for len(t.queue) < t.depth && !t.last {
		g, err := t.take()
		if err == io.EOF {
			t.last = true
			break
		}
		if err != nil {
			t.last = true
			g = &group{err: err}
		} else if t.depth == 1 {
			g.inflate()
		} else {
			g.done = make(chan struct{})
			t.running.Add(1)
			go func() {
				defer t.running.Done()
				g.inflate()
				close(g.done)
			}()
		}
		t.queue = append(t.queue, g)
	}
	if len(t.queue) == 0 {
		if !t.ended {
			return nil, errNoMarker
		}
		return nil, io.EOF
	}
	g := t.queue[0]
	t.queue = t.queue[1:]
	if g.done != nil {
		<-g.done
	}
	return g.text, g.err
}

// close waits for what runs.
func (t *blockText) close() { t.running.Wait() }

// take cuts the next blocks off the file, or returns io.EOF.
func (t *blockText) take() (*group, error) {
	at := 0
	for n := 0; n < groupBlocks; n++ {
		if err := t.fill(at + blockHeaderBytes); err != nil {
			return nil, err
		}
		rest := t.raw[at:]
		if len(rest) == 0 {
			break
		}
		if at == 0 && t.ended && rest[0] == 0 {
			return nil, t.padding()
		}
		if t.ended && rest[0] == 0 {
			break // zeros, as archives leave them: the next time
		}
		if len(rest) < blockHeaderBytes {
			return nil, errCutBlock
		}
		size, ok := blockSize(rest)
		switch {
		case ok:
		case rest[0] == 0x1f && rest[1] == 0x8b:
			return nil, errMixed
		case t.ended:
			return nil, errTrailing
		default:
			return nil, errNotBlock
		}
		if err := t.fill(at + size); err != nil {
			return nil, err
		}
		if len(t.raw) < at+size {
			return nil, errCutBlock
		}
		t.ended = binary.LittleEndian.Uint32(t.raw[at+size-4:]) == 0
		at += size
	}
	if at == 0 {
		return nil, io.EOF
	}
	g := &group{raw: bytes.Clone(t.raw[:at])}
	t.raw = t.raw[at:]
	return g, nil
}

// padding reads zeros to the end of the file.
func (t *blockText) padding() error {
	for len(t.raw) > 0 {
		for _, b := range t.raw {
			if b != 0 {
				return errTrailing
			}
		}
		t.raw = nil
		if err := t.fill(1); err != nil {
			return err
		}
	}
	return io.EOF
}

// fill reads until raw has n bytes, or the file has ended.
func (t *blockText) fill(n int) error {
	for len(t.raw) < n && !t.eof {
		grown := make([]byte, len(t.raw), len(t.raw)+bufferBytes)
		copy(grown, t.raw)
		got, err := io.ReadFull(t.src, grown[len(grown):cap(grown)])
		t.raw = grown[:len(grown)+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			t.eof = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate decompresses the group's blocks, which take has found whole. With an error, text is that of the blocks before the
// damaged one.
func (g *group) inflate() {
	size := 0
	for raw := g.raw; len(raw) > 0; {
		n, _ := blockSize(raw)
		data := binary.LittleEndian.Uint32(raw[n-4:])
		if data > blockDataMax {
			g.err = fmt.Errorf("%w: it claims %d bytes", errBadBlock, data)
			return
		}
		size += int(data)
		raw = raw[n:]
	}
	g.text = make([]byte, size)
	z := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(z)
	at := 0
	defer func() { g.text = g.text[:at] }()
	for raw := g.raw; len(raw) > 0; {
		n, _ := blockSize(raw)
		data := g.text[at : at+int(binary.LittleEndian.Uint32(raw[n-4:]))]
		if err := z.(flate.Resetter).Reset(bytes.NewReader(raw[blockHeaderBytes:n-blockTailBytes]), nil); err != nil {
			g.err = fmt.Errorf("%w: %w", errBadBlock, err)
			return
		}
		if _, err := io.ReadFull(z, data); err != nil {
			g.err = fmt.Errorf("%w: %w", errBadBlock, err)
			return
		}
		if extra, err := z.Read(make([]byte, 1)); extra != 0 || err != io.EOF {
			g.err = fmt.Errorf("%w: more data than it claims", errBadBlock)
			return
		}
		if crc32.ChecksumIEEE(data) != binary.LittleEndian.Uint32(raw[n-8:]) {
			g.err = fmt.Errorf("%w: its checksum differs", errBadBlock)
			return
		}
		at += len(data)
		raw = raw[n:]
	}
	g.raw = nil
}

// BlockWriter compresses text as bgzip does. It is for one goroutine.
type BlockWriter struct {
	w   io.Writer
	z   *flate.Writer
	raw []byte
	out bytes.Buffer
}

// blockTextBytes is how much text goes into a block, as bgzip has it: it fits even if it cannot be compressed.
const blockTextBytes = 0xff00

// NewBlockWriter returns a writer of BGZF to w, which is not closed.
func NewBlockWriter(w io.Writer) *BlockWriter {
	z, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level exists
	}
	return &BlockWriter{w: w, z: z}
}

// Write appends text.
func (b *BlockWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), blockTextBytes-len(b.raw))
		b.raw = append(b.raw, p[:k]...)
		p = p[k:]
		if len(b.raw) == blockTextBytes {
			if err := b.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (b *BlockWriter) flush() error {
	b.out.Reset()
	b.out.Write(emptyBlock[:blockHeaderBytes])
	b.z.Reset(&b.out)
	if _, err := b.z.Write(b.raw); err != nil {
		return err
	}
	if err := b.z.Close(); err != nil {
		return err
	}
	block := binary.LittleEndian.AppendUint32(b.out.Bytes(), crc32.ChecksumIEEE(b.raw))
	block = binary.LittleEndian.AppendUint32(block, uint32(len(b.raw)))
	binary.LittleEndian.PutUint16(block[16:], uint16(len(block)-1))
	b.raw = b.raw[:0]
	_, err := b.w.Write(block)
	return err
}

// Close writes what is left and the end-of-file marker.
func (b *BlockWriter) Close() error {
	if len(b.raw) > 0 {
		if err := b.flush(); err != nil {
			return err
		}
	}
	_, err := b.w.Write(emptyBlock)
	return err
}
