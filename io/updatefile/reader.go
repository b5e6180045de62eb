package updatefile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/internal/pages"
)

// Reader reads a file, block by block in order. Every batch but the last has the same number of blocks, so that files of one
// round, read alike, stay in step. It is not for concurrent use.
type Reader struct {
	file   blob.File // nil when closed
	footer *Footer
	digest string
	scan   *pages.Scan
}

// Open opens a file and checks its footer. opts.BatchRows is how many blocks a batch has. Errors of the file are
// *column.InputError.
func Open(ctx context.Context, fs blob.FS, path string, opts column.ReadOptions) (*Reader, error) {
	f, err := fs.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	r, err := open(f, path, opts.WithDefaults())
	if err != nil {
		var e *column.InputError
		if errors.As(err, &e) && e.File == "" {
			e.File = path
		}
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func open(f blob.File, path string, opts column.ReadOptions) (*Reader, error) {
	pf, err := pages.Open(path, f, f.Size())
	if err != nil {
		return nil, err
	}
	footer, digest, err := parse(pf.Values)
	if err != nil {
		return nil, err
	}
	cols := pf.Columns()
	clear := []arrow.Field{{Name: tensorColumn, Type: arrow.PrimitiveTypes.Int32}, {Name: blockColumn, Type: arrow.PrimitiveTypes.Int64}, {Name: limbColumn, Type: arrow.PrimitiveTypes.Int32}}
	good := len(cols) == len(clear)+1 && cols[len(clear)].Name == ciphertextColumn
	for i, want := range clear {
		good = good && cols[i].Name == want.Name && cols[i].Err == nil && cols[i].Required() && arrow.TypeEqual(cols[i].Field.Type, want.Type)
	}
	if good {
		width, fixed := cols[3].Fixed()
		good = fixed && width == footer.rowBytes()
	}
	if !good {
		return nil, refuse("the columns are not tensor, block, limb and ciphertext, as the format has them")
	}
	if pf.NumRowGroups() != len(footer.RowGroups) {
		return nil, refuse("the file has %d row groups, its footer %d", pf.NumRowGroups(), len(footer.RowGroups))
	}
	firsts := make([]int64, len(footer.RowGroups))
	for i, g := range footer.RowGroups {
		if n := pf.RowGroupRows(i); n != g.Rows {
			return nil, refuse("it has %d rows, the footer says %d", n, g.Rows).InRowGroup(i + 1)
		}
		if i > 0 {
			firsts[i] = firsts[i-1] + footer.RowGroups[i-1].Rows
		}
	}
	return &Reader{file: f, footer: footer, digest: digest, scan: pages.NewScan(pf, cols, pages.ScanOptions{
		BatchRows: opts.BatchRows * footer.Limbs, Threads: opts.Threads, Mem: opts.Mem, PlainOnly: []bool{false, false, false, true},
		Check: func(group int) pages.Check {
			return &groupCheck{hash: sha256.New(), next: firsts[group], limbs: int64(footer.Limbs), want: footer.RowGroups[group].SHA256}
		},
	})}, nil
}

// ReadFooter reads the footer of a file and the digest that names it.
func ReadFooter(ctx context.Context, fs blob.FS, path string) (*Footer, string, error) {
	r, err := Open(ctx, fs, path, column.ReadOptions{})
	if err != nil {
		return nil, "", err
	}
	return r.footer, r.digest, r.Close()
}

// Footer is what the file says of itself. It must not be changed.
func (r *Reader) Footer() *Footer { return r.footer }

// Digest names the file: the SHA-256 of its footer.
func (r *Reader) Digest() string { return r.digest }

// Blocks are some blocks of a file.
type Blocks struct {
	First int64  // number of the first one
	Bytes []byte // valid until Release; not to be changed
	batch column.Batch
	limbs int
}

// Release frees the blocks.
func (b Blocks) Release() { b.batch.Release() }

// Refuse is an error about block i of these.
func (b Blocks) Refuse(i int, format string, args ...any) *column.InputError {
	return b.batch.Refuse(i*b.limbs, ciphertextColumn, format, args...)
}

// Read returns the next blocks, or io.EOF. A row group's digest is checked when its last block is read: if a later Read fails,
// nothing that came before may be kept.
func (r *Reader) Read(ctx context.Context) (Blocks, error) {
	b, err := r.scan.Read(ctx)
	if err != nil {
		return Blocks{}, err
	}
	return Blocks{First: b.Column(1).(*array.Int64).Value(0), Bytes: column.FixedBytes(b.Column(3)), batch: b, limbs: r.footer.Limbs}, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return errors.Join(r.scan.Close(), f.Close())
}

// groupCheck checks a row group.
type groupCheck struct {
	hash  hash.Hash
	next  int64 // row
	limbs int64
	want  string
}

func (c *groupCheck) Rows(cols []arrow.Array) error {
	for i, x := range cols[1].(*array.Int64).Int64Values() {
		row := c.next + int64(i)
		if limb := cols[2].(*array.Int32).Value(i); x != row/c.limbs || int64(limb) != row%c.limbs {
			return fmt.Errorf("limb %d of block %d stands where limb %d of block %d should be", limb, x, row%c.limbs, row/c.limbs)
		}
	}
	c.next += int64(cols[1].Len())
	c.hash.Write(column.FixedBytes(cols[3]))
	return nil
}

func (c *groupCheck) End() error {
	if hex.EncodeToString(c.hash.Sum(nil)) != c.want {
		return errors.New("the blocks do not match their digest")
	}
	return nil
}
