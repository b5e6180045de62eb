package sums

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// A run file is a run that another process can merge, of ciphertexts instead of products. All numbers are little-endian:
//
//	"cfrun\x00\x00\x01"
//	length of the description, its CRC-32C         4 bytes each
//	the description, as JSON
//	blocks (see encoder)
//	the index: of each block, where it begins      8 bytes
//	  and how long it is                           4 bytes
//	where the index begins                         8 bytes
//	number of blocks, CRC-32C of the index         4 bytes each
//	rows in all blocks                             8 bytes
//	CRC-32C of the 24 bytes before                 4 bytes
//	"end\n"
const (
	fileMagic   = "cfrun\x00\x00\x01"
	fileEnd     = "end\n"
	trailerSize = 32
	indexSize   = 12

	// descriptionMax is far above the length of any description.
	descriptionMax = 1 << 20
)

// Description says what a run file is a part of. A run goes with others only when all but the range agree.
type Description struct {
	Fingerprint string   `json:"fingerprint"` // of the key
	Plan        string   `json:"plan"`        // digest of the inputs and of what is asked of them
	Keys        []string `json:"keys"`        // the columns that make up the keys, with their types
	Sums        []string `json:"sums"`        // what the slots are
	Size        int      `json:"size"`        // bytes of a ciphertext
	From        int64    `json:"from"`        // first row of the inputs in it, from 0,
	To          int64    `json:"to"`          // and the first one that is not
}

const runHint = "Make the part again; run files are read by the version of cipherfold that wrote them."

// FileWriter writes a run file.
type FileWriter struct {
	path  string
	shape Shape
	up    blob.Upload
	at    int64
	index []byte
	rows  int64
}

// CreateFile begins a run file, in place of one that there may be.
func CreateFile(ctx context.Context, fs blob.FS, path string, s Shape, d Description) (*FileWriter, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	up, err := fs.Create(ctx, path, blob.CreateOptions{Overwrite: true})
	if err != nil {
		return nil, err
	}
	w := &FileWriter{path: path, shape: s, up: up}
	head := []byte(fileMagic)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(text)))
	head = binary.LittleEndian.AppendUint32(head, checksum(text))
	if err := w.write(append(head, text...)); err != nil {
		return nil, errors.Join(err, up.Abort())
	}
	return w, nil
}

func (w *FileWriter) write(b []byte) error {
	n, err := w.up.Write(b)
	w.at += int64(n)
	return err
}

// Merge writes the merge of sources, which it closes.
func (w *FileWriter) Merge(ctx context.Context, m Merge[Encoded]) (engine.Stats, error) {
	m.Shape, m.RowsMax = w.shape, blockRowsMax
	m.Emit = func() (func(context.Context, *Merged) (Encoded, error), error) {
		return emitBlocks(w.shape, w.shape.pieceBytes(), true) // as any pool of whoever reads it has room for
	}
	m.Put = func(_ context.Context, e Encoded) error {
		w.rows += int64(e.rows)
		for _, b := range e.blocks {
			if err := w.block(b); err != nil {
				return err
			}
		}
		return nil
	}
	return m.Run(ctx)
}

func (w *FileWriter) block(b []byte) error {
	w.index = binary.LittleEndian.AppendUint64(w.index, uint64(w.at))
	w.index = binary.LittleEndian.AppendUint32(w.index, uint32(len(b)))
	return w.write(b)
}

// Append writes rows of ciphertexts as they are. Their keys ascend, also across calls.
func (w *FileWriter) Append(r *Rows) error {
	e := newEncoder(w.shape, w.shape.pieceBytes())
	for i := range r.Keys.Len() {
		if appendRow(e, r, i) {
			continue
		}
		if err := w.block(e.finish()); err != nil {
			return err
		}
		e.reset()
		appendRow(e, r, i)
	}
	w.rows += int64(r.Keys.Len())
	return w.block(e.finish())
}

// Rows is the number of keys written.
func (w *FileWriter) Rows() int64 { return w.rows }

// Commit makes the file appear.
func (w *FileWriter) Commit(ctx context.Context) error {
	end := binary.LittleEndian.AppendUint64(nil, uint64(w.at))
	end = binary.LittleEndian.AppendUint32(end, uint32(len(w.index)/indexSize))
	end = binary.LittleEndian.AppendUint32(end, checksum(w.index))
	end = binary.LittleEndian.AppendUint64(end, uint64(w.rows))
	end = binary.LittleEndian.AppendUint32(end, checksum(end))
	if err := w.write(append(append(w.index, end...), fileEnd...)); err != nil {
		return err
	}
	return w.up.Commit(ctx)
}

// Close discards the file unless it was committed.
func (w *FileWriter) Close() error { return w.up.Abort() }

// File is a run file being read.
type File struct {
	Description
	path string
	file blob.File
	rows int64
	data int64 // where the blocks begin
	end  int64 // and end
}

// OpenFile opens a run file. An error in it is an *column.InputError.
func OpenFile(ctx context.Context, fs blob.FS, path string) (*File, error) {
	f, err := fs.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	out := &File{path: path, file: f}
	if err := out.open(); err != nil {
		return nil, errors.Join(out.Refuse(err), f.Close())
	}
	return out, nil
}

// Refuse turns an ErrDamaged into an *column.InputError that names the file. Other errors are returned as they are.
func (f *File) Refuse(err error) error {
	if errors.Is(err, ErrDamaged) {
		return &column.InputError{File: f.path, Cause: err, Hint: runHint}
	}
	return err
}

func (f *File) open() error {
	size := f.file.Size()
	head := make([]byte, len(fileMagic)+8)
	if size < int64(len(head)+trailerSize) {
		return fmt.Errorf("%w: it is too short for a run file", ErrDamaged)
	}
	if err := f.read(head, 0); err != nil {
		return err
	}
	if string(head[:len(fileMagic)]) != fileMagic {
		return fmt.Errorf("%w: not a run file of this version", ErrDamaged)
	}
	n := int64(binary.LittleEndian.Uint32(head[len(fileMagic):]))
	f.data = int64(len(head)) + n
	if n > descriptionMax || f.data > size-trailerSize {
		return fmt.Errorf("%w: its description is too long", ErrDamaged)
	}
	text := make([]byte, n)
	if err := f.read(text, int64(len(head))); err != nil {
		return err
	}
	if checksum(text) != binary.LittleEndian.Uint32(head[len(fileMagic)+4:]) {
		return fmt.Errorf("%w: its description does not match its checksum", ErrDamaged)
	}
	if err := strictjson.Decode(text, &f.Description); err != nil {
		return fmt.Errorf("%w: its description: %w", ErrDamaged, err)
	}
	trailer := make([]byte, trailerSize)
	if err := f.read(trailer, size-trailerSize); err != nil {
		return err
	}
	if string(trailer[trailerSize-len(fileEnd):]) != fileEnd || checksum(trailer[:24]) != binary.LittleEndian.Uint32(trailer[24:]) {
		return fmt.Errorf("%w: its end is missing", ErrDamaged)
	}
	f.end, f.rows = int64(binary.LittleEndian.Uint64(trailer)), int64(binary.LittleEndian.Uint64(trailer[16:]))
	blocks := int64(binary.LittleEndian.Uint32(trailer[8:]))
	if f.end < f.data || f.end+blocks*indexSize != size-trailerSize || f.rows < 0 || f.Size < 1 || len(f.Sums) == 0 {
		return fmt.Errorf("%w: its lengths do not agree", ErrDamaged)
	}
	return nil
}

func (f *File) read(b []byte, at int64) error {
	if _, err := f.file.ReadAt(b, at); err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	} else if err != nil {
		return fmt.Errorf("reading %s: %w", f.path, err)
	}
	return nil
}

// Rows is the number of keys in the file.
func (f *File) Rows() int64 { return f.rows }

// Close closes the file, unless a source of it does.
func (f *File) Close() error { return f.file.Close() }

// Source reads the rows of the file into memory of the pool. Closing it closes the file.
func (f *File) Source(s Shape, pool *Pool) (Source, error) {
	if len(f.Sums) != s.Slots || f.Size != s.size() {
		return nil, f.Refuse(fmt.Errorf("%w: its sums are others", ErrDamaged))
	}
	index := make([]byte, f.file.Size()-trailerSize-f.end)
	if err := f.read(index, f.end); err != nil {
		return nil, f.Refuse(err)
	}
	trailer := make([]byte, trailerSize)
	if err := f.read(trailer, f.file.Size()-trailerSize); err != nil {
		return nil, f.Refuse(err)
	}
	if checksum(index) != binary.LittleEndian.Uint32(trailer[12:]) {
		return nil, f.Refuse(fmt.Errorf("%w: its index does not match its checksum", ErrDamaged))
	}
	out := &fileSource{runSource: runSource{shape: s, pool: pool, file: f.file}, of: f}
	at := f.data
	for ; len(index) > 0; index = index[indexSize:] {
		x := span{int64(binary.LittleEndian.Uint64(index)), int32(binary.LittleEndian.Uint32(index[8:]))}
		if x.at != at || x.bytes < blockHeader || x.at+int64(x.bytes) > f.end {
			return nil, f.Refuse(fmt.Errorf("%w: its blocks do not follow each other", ErrDamaged))
		}
		at += int64(x.bytes)
		out.spans, out.bytes = append(out.spans, x), out.bytes+int64(x.bytes)
	}
	if at != f.end {
		return nil, f.Refuse(fmt.Errorf("%w: its blocks do not follow each other", ErrDamaged))
	}
	return out, nil
}

// fileSource reads a run file.
type fileSource struct {
	runSource
	of   *File
	rows int64
	last []byte // key
}

func (s *fileSource) Next(ctx context.Context) (*Block, error) {
	b, err := s.runSource.Next(ctx)
	if err == io.EOF && s.rows != s.of.rows {
		err = fmt.Errorf("%w: it has %d rows, not %d", ErrDamaged, s.rows, s.of.rows)
	}
	if err != nil && err != io.EOF {
		return nil, s.of.Refuse(err)
	}
	if b != nil {
		s.rows += int64(b.n)
		for i := range b.n {
			if key := b.Key(i); bytes.Compare(key, s.last) >= 0 {
				s.last = append(s.last[:0], key...)
				continue
			}
			b.Release()
			return nil, s.of.Refuse(fmt.Errorf("%w: its keys are not in order", ErrDamaged))
		}
	}
	return b, err
}

func (s *fileSource) Close() error { return s.of.file.Close() }
