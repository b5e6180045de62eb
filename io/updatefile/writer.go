package updatefile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/output"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// Names of the columns.
const (
	tensorColumn     = "tensor"
	blockColumn      = "block"
	limbColumn       = "limb"
	ciphertextColumn = "ciphertext"
)

const (
	rowGroupBytes = 8 << 20   // of ciphertext: about a million numbers of 6.25 bytes
	pageBytes     = 256 << 10 // a reader has a few of them in memory
	unitBytes     = 64 << 10
)

// Writer writes a file: it appears when Commit has succeeded. It is not for concurrent use.
type Writer struct {
	path   string
	file   *output.File
	out    *pages.Writer
	footer Footer
	check  *digests
	starts []int64 // of the tensors, in numbers
	next   int64   // block
	values int64   // of a block
	mem    memory.Allocator
	digest string
	unit   int    // bytes that are written together, so that how they come changes nothing
	rest   []byte // that wait for more
}

// Create begins a file. f says what is in it, except for RowGroups. blockValues is how many numbers a block holds.
func Create(ctx context.Context, fs blob.FS, path string, f Footer, blockValues int64, opts column.WriteOptions) (*Writer, error) {
	opts = opts.WithDefaults()
	if err := f.check(); err != nil {
		return nil, err
	}
	file, err := output.Create(ctx, fs, path, blob.CreateOptions{Overwrite: opts.Overwrite, Private: opts.Private})
	if err != nil {
		return nil, err
	}
	f.RowGroups = nil
	w := &Writer{path: path, file: file, footer: f, check: &digests{hash: sha256.New()}, values: blockValues, mem: opts.Mem, unit: f.BlockBytes * max(1, unitBytes/f.BlockBytes)}
	at := int64(0)
	for _, t := range f.Tensors {
		w.starts = append(w.starts, at)
		at += t.Length
	}
	w.out, err = pages.NewWriter(file.Bytes(), []arrow.Field{
		{Name: tensorColumn, Type: arrow.PrimitiveTypes.Int32},
		{Name: blockColumn, Type: arrow.PrimitiveTypes.Int64},
		{Name: limbColumn, Type: arrow.PrimitiveTypes.Int32},
		{Name: ciphertextColumn, Type: &arrow.FixedSizeBinaryType{ByteWidth: f.rowBytes()}},
	}, pages.WriterOptions{RowGroupRows: f.Limbs * max(1, rowGroupBytes/f.BlockBytes), PageBytes: pageBytes, Raw: map[string]bool{ciphertextColumn: true}, Check: w.check})
	if err != nil {
		return nil, file.Discard(err)
	}
	return w, nil
}

// Write appends blocks: a whole number of them.
func (w *Writer) Write(ctx context.Context, blocks []byte) error {
	return w.file.Write(ctx, func() error {
		if len(blocks)%w.footer.BlockBytes != 0 {
			return fmt.Errorf("writing %s: %d bytes are no blocks of %d", w.path, len(blocks), w.footer.BlockBytes)
		}
		if len(w.rest) > 0 {
			n := min(len(blocks), w.unit-len(w.rest))
			w.rest, blocks = append(w.rest, blocks[:n]...), blocks[n:]
			if len(w.rest) < w.unit {
				return nil
			}
			if err := w.write(w.rest); err != nil {
				return err
			}
			w.rest = w.rest[:0]
		}
		for ; len(blocks) >= w.unit; blocks = blocks[w.unit:] {
			if err := w.write(blocks[:w.unit]); err != nil {
				return err
			}
		}
		w.rest = append(w.rest, blocks...)
		return nil
	})
}

// write writes blocks to the file.
func (w *Writer) write(blocks []byte) error {
	n := len(blocks) / w.footer.BlockBytes
	limbs := w.footer.Limbs
	rows := n * limbs
	tensors, numbers, primes := make([]int32, rows), make([]int64, rows), make([]int32, rows)
	for i := range rows {
		numbers[i], primes[i] = w.next+int64(i/limbs), int32(i%limbs)
		value := numbers[i] * w.values
		tensors[i] = int32(max(0, sort.Search(len(w.starts), func(t int) bool { return w.starts[t] > value })-1))
	}
	w.next += int64(n)
	cols := []arrow.Array{
		array.NewInt32Data(fixed(arrow.PrimitiveTypes.Int32, rows, arrow.Int32Traits.CastToBytes(tensors))),
		array.NewInt64Data(fixed(arrow.PrimitiveTypes.Int64, rows, arrow.Int64Traits.CastToBytes(numbers))),
		array.NewInt32Data(fixed(arrow.PrimitiveTypes.Int32, rows, arrow.Int32Traits.CastToBytes(primes))),
		array.NewFixedSizeBinaryData(fixed(&arrow.FixedSizeBinaryType{ByteWidth: w.footer.rowBytes()}, rows, blocks)),
	}
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	if err := w.out.Write(cols, rows); err != nil {
		return w.file.Wrap(err)
	}
	return nil
}

// fixed is an array's data over bytes that are not copied.
func fixed(t arrow.DataType, n int, b []byte) *array.Data {
	return array.NewData(t, n, []*memory.Buffer{nil, memory.NewBufferBytes(b)}, nil, 0, 0)
}

// Commit finishes the file and makes it appear.
func (w *Writer) Commit(ctx context.Context) error {
	return w.file.Commit(ctx, func() error {
		if err := w.write(w.rest); err != nil {
			return err
		}
		if err := w.out.EndGroup(); err != nil {
			return w.file.Wrap(err)
		}
		f := &w.footer
		f.RowGroups = w.check.groups
		if w.next != f.Blocks {
			return fmt.Errorf("writing %s: %d blocks of %d were written", w.path, w.next, f.Blocks)
		}
		if err := f.validate(); err != nil {
			return w.file.Wrap(err)
		}
		text, digest, err := f.text()
		if err != nil {
			return w.file.Wrap(err)
		}
		w.digest = digest
		w.out.SetMetadata(KeyVersion, Version)
		w.out.SetMetadata(KeyFooter, text)
		w.out.SetMetadata(KeyDigest, digest)
		if err := w.out.Close(); err != nil {
			return w.file.Wrap(err)
		}
		return nil
	})
}

// Digest names the file that was committed: the SHA-256 of its footer.
func (w *Writer) Digest() string { return w.digest }

// Close discards the file unless it was committed.
func (w *Writer) Close() error { return w.file.Close() }

// digests are those of the row groups written.
type digests struct {
	hash   hash.Hash
	rows   int64
	groups []RowGroup
}

func (d *digests) Rows(cols []arrow.Array) error {
	d.hash.Write(column.FixedBytes(cols[3]))
	d.rows += int64(cols[3].Len())
	return nil
}

func (d *digests) End() error {
	d.groups = append(d.groups, RowGroup{Rows: d.rows, SHA256: hex.EncodeToString(d.hash.Sum(nil))})
	d.hash.Reset()
	d.rows = 0
	return nil
}
