package column

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Reader delivers the rows of a table in order.
type Reader interface {
	// Schema is the schema of every batch that Read returns. It may be called
	// at any time.
	Schema() *arrow.Schema

	// Read returns the next batch, of at least one row; the caller releases it. After the last one it returns io.EOF,
	// at once when the table has no rows. After any error only Close may be called.
	Read(ctx context.Context) (Batch, error)

	// Close frees what the reader holds; batches already returned stay valid.
	// Calling it again does nothing.
	Close() error
}

// Writer takes the rows of a table in order and writes one file.
type Writer interface {
	// Write appends the batch, which must have the schema that the writer was created with. The caller keeps the batch
	// and releases it. After an error only Close may be called.
	Write(ctx context.Context, b Batch) error

	// Commit finishes the file, forces it to disk and gives it its name. Before that, there is no file of that name,
	// or the previous one is untouched.
	Commit(ctx context.Context) error

	// Close discards the file unless it was committed. Calling it again, or
	// after Commit, does nothing, so that it can be deferred.
	Close() error
}

// These bound a batch when ReadOptions do not say.
const (
	BatchRowsDefault  = 16 << 10
	BatchBytesDefault = 64 << 20
)

// ReadOptions say what to read. The zero value reads everything.
type ReadOptions struct {
	// Columns are the names of the columns to read, in the order wanted. Empty
	// means all, in file order.
	Columns []string

	// BatchRows is the largest number of rows in a batch; 0 means
	// BatchRowsDefault. Batches may be shorter anywhere in a file: use Rechunk
	// where an exact number matters.
	BatchRows int

	// BatchBytes ends a batch of long strings before it has BatchRows rows; 0 means BatchBytesDefault. It bounds what
	// a reader must copy to make a batch, up to one more row. It applies to each column or to all together, as the
	// format can.
	BatchBytes int

	// Threads is how many goroutines the reader may use to decode; 0 or 1
	// means none but the caller's.
	Threads int

	// Nulls are the texts that text formats read as null, in every column, whether quoted or not. Nil means
	// NullsDefault. An empty list that is not nil means that nothing is null.
	Nulls []string

	// Mem allocates the batches; nil means Arrow's default.
	Mem memory.Allocator
}

// NullsDefault are the texts that text formats read as null by default: nothing at all, and R's NA.
var NullsDefault = []string{"", "NA"}

// WithDefaults returns o with its zero fields replaced by their defaults
// (Columns stays empty: only the file can say what is in it).
func (o ReadOptions) WithDefaults() ReadOptions {
	if o.BatchRows <= 0 {
		o.BatchRows = BatchRowsDefault
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = BatchBytesDefault
	}
	if o.Threads <= 0 {
		o.Threads = 1
	}
	if o.Nulls == nil {
		o.Nulls = NullsDefault
	}
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	return o
}

// WriteOptions say how to write.
type WriteOptions struct {
	// Overwrite allows replacing a file that exists.
	Overwrite bool

	// Private makes a file that its owner alone may read.
	Private bool

	// SafeText changes, in formats of text, texts that a spreadsheet would take for formulas: csvio says how. Without it
	// Formula, unless it is nil, is called with the first such text of the file.
	SafeText bool
	Formula  func(text string)

	// Mem allocates the Arrow memory of the writer; nil means Arrow's default.
	Mem memory.Allocator
}

// WithDefaults returns o with its zero fields replaced by their defaults.
func (o WriteOptions) WithDefaults() WriteOptions {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	return o
}

// Copy writes everything that r still delivers to w and returns the number of rows. It neither commits w nor closes
// either.
func Copy(ctx context.Context, w Writer, r Reader) (rows int64, err error) {
	return rows, Each(ctx, r, func(b Batch) error {
		if err := w.Write(ctx, b); err != nil {
			return err
		}
		rows += b.NumRows()
		return nil
	})
}

// FileOf returns the name of the file that r reads, or "" when r does not know one. Readers of files have a method
// File() string.
func FileOf(r Reader) string {
	if f, ok := r.(interface{ File() string }); ok {
		return f.File()
	}
	return ""
}

// Each calls f for every batch that r still has, in order, and releases it
// afterwards. It ends at the first error, which it returns.
func Each(ctx context.Context, r Reader, f func(Batch) error) error {
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}
