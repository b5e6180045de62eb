package column

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
)

// Collect reads everything that r still delivers. The caller releases the batches; on an error there are none to
// release. For small tables only.
func Collect(ctx context.Context, r Reader) ([]Batch, error) {
	var out []Batch
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			ReleaseAll(out)
			return nil, err
		}
		out = append(out, b)
	}
}

// ReleaseAll releases every batch.
func ReleaseAll(batches []Batch) {
	for _, b := range batches {
		b.Release()
	}
}

// RequireRows returns r, except that a table without a row is refused with an
// InputError that wraps ErrNoRows and names the file.
func RequireRows(r Reader, file string) Reader {
	return &nonEmpty{Reader: r, file: file}
}

type nonEmpty struct {
	Reader
	file string
	seen bool
}

func (n *nonEmpty) File() string { return FileOf(n.Reader) }

func (n *nonEmpty) Read(ctx context.Context) (Batch, error) {
	b, err := n.Reader.Read(ctx)
	if err == io.EOF && !n.seen {
		return Batch{}, Refuse(n.file, "%w: the file has columns but not one row", ErrNoRows).
			WithHint("Check that the export that wrote it ran to its end.")
	}
	n.seen = n.seen || err == nil
	return b, err
}

// FixedBytes returns the values of an array of arrow.FixedSizeBinaryType (or of
// an extension type stored as one), one after the other: arr.Len() times the
// type's width. It does not copy: the bytes are valid while arr is, and must not
// be changed. Bytes under a null are unspecified.
func FixedBytes(arr arrow.Array) []byte {
	data := arr.Data()
	dt := data.DataType()
	if ext, ok := dt.(arrow.ExtensionType); ok {
		dt = ext.StorageType()
	}
	fixed, ok := dt.(*arrow.FixedSizeBinaryType)
	if !ok {
		panic(fmt.Sprintf("column: FixedBytes of %s", arr.DataType()))
	}
	if data.Len() == 0 || fixed.ByteWidth == 0 {
		return nil
	}
	from, n := data.Offset()*fixed.ByteWidth, data.Len()*fixed.ByteWidth
	return data.Buffers()[1].Bytes()[from : from+n : from+n]
}
