package ctfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cipherfold/cipherfold/io/column"
)

// digests computes the two digests of a row group while its rows pass.
type digests struct {
	ids     []idDigest
	ciphers []hash.Hash
}

func newDigests(ids, ciphers int) *digests {
	d := &digests{ids: make([]idDigest, ids), ciphers: make([]hash.Hash, ciphers)}
	for i := range d.ids {
		d.ids[i] = idDigest{typ: sha256.New(), lists: sha256.New(), lengths: sha256.New(), values: sha256.New()}
	}
	for i := range d.ciphers {
		d.ciphers[i] = sha256.New()
	}
	return d
}

// rows adds the next rows, the id columns first.
func (d *digests) rows(cols []arrow.Array) error {
	for i := range d.ids {
		if err := d.ids[i].add(cols[i]); err != nil {
			return err
		}
	}
	for i, h := range d.ciphers {
		h.Write(column.FixedBytes(cols[len(d.ids)+i]))
	}
	return nil
}

// sums returns the digests in hex and starts over.
func (d *digests) sums() (ciphers, ids string) {
	all := sha256.New()
	for _, h := range d.ciphers {
		all.Write(h.Sum(nil))
		h.Reset()
	}
	ciphers = hex.EncodeToString(all.Sum(nil))
	all.Reset()
	for i := range d.ids {
		all.Write(d.ids[i].sum())
	}
	return ciphers, hex.EncodeToString(all.Sum(nil))
}

// idDigest is the digest of an id column.
type idDigest struct {
	typ, lists, lengths, values hash.Hash
	typed                       bool // typ has the type's name
	buf                         []byte
}

func (d *idDigest) sum() []byte {
	all := sha256.New()
	for _, h := range []hash.Hash{d.typ, d.lists, d.lengths, d.values} {
		all.Write(h.Sum(nil))
		h.Reset()
	}
	d.typed = false
	return all.Sum(nil)
}

// add adds rows of the column, which has no nulls.
func (d *idDigest) add(arr arrow.Array) error {
	if !d.typed {
		io.WriteString(d.typ, typeName(arr.DataType()))
		d.typed = true
	}
	l, ok := arr.(*array.List)
	if !ok {
		return d.add1(arr)
	}
	if l.Len() == 0 {
		return nil
	}
	d.buf = d.buf[:0]
	for i := range l.Len() {
		from, to := l.ValueOffsets(i)
		d.buf = binary.LittleEndian.AppendUint32(d.buf, uint32(to-from))
	}
	d.lists.Write(d.buf)
	from, _ := l.ValueOffsets(0)
	_, to := l.ValueOffsets(l.Len() - 1)
	values := array.NewSlice(l.ListValues(), from, to)
	defer values.Release()
	return d.add1(values)
}

// add1 adds ids that are not in lists.
func (d *idDigest) add1(arr arrow.Array) error {
	if arr.Len() == 0 {
		return nil // its buffers may be missing
	}
	switch a := arr.(type) {
	case *array.Int64:
		d.values.Write(arrow.Int64Traits.CastToBytes(a.Int64Values()))
	case *array.Uint64:
		d.values.Write(arrow.Uint64Traits.CastToBytes(a.Uint64Values()))
	case *array.Timestamp:
		d.values.Write(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
	case *array.Decimal128:
		d.values.Write(arrow.Decimal128Traits.CastToBytes(a.Values()))
	case *array.Int8:
		widen(d, a.Int8Values())
	case *array.Int16:
		widen(d, a.Int16Values())
	case *array.Int32:
		widen(d, a.Int32Values())
	case *array.Uint8:
		widen(d, a.Uint8Values())
	case *array.Uint16:
		widen(d, a.Uint16Values())
	case *array.Uint32:
		widen(d, a.Uint32Values())
	case *array.Time64:
		d.values.Write(arrow.Time64Traits.CastToBytes(a.Time64Values()))
	case *array.Time32:
		widen(d, a.Time32Values())
	case *array.Date32:
		widen(d, a.Date32Values())
	case *array.Float32:
		d.each(a.Len(), func(i int) { d.buf = binary.LittleEndian.AppendUint32(d.buf, math.Float32bits(a.Value(i))) })
	case *array.Float64:
		d.each(a.Len(), func(i int) { d.buf = binary.LittleEndian.AppendUint64(d.buf, math.Float64bits(a.Value(i))) })
	case *array.Boolean:
		d.each(a.Len(), func(i int) {
			b := byte(0)
			if a.Value(i) {
				b = 1
			}
			d.buf = append(d.buf, b)
		})
	case *array.FixedSizeBinary:
		d.values.Write(column.FixedBytes(a))
	case *array.String:
		d.varying(a.ValueOffsets(), a.ValueBytes())
	case *array.Binary:
		d.varying(a.ValueOffsets(), a.ValueBytes())
	default:
		return fmt.Errorf("an id of type %s has no digest", arr.DataType())
	}
	return nil
}

// each calls f, which appends to d.buf, for each of n values.
func (d *idDigest) each(n int, f func(i int)) {
	const flush = 32 << 10
	d.buf = d.buf[:0]
	for i := range n {
		if f(i); len(d.buf) >= flush {
			d.values.Write(d.buf)
			d.buf = d.buf[:0]
		}
	}
	d.values.Write(d.buf)
}

// widen adds integers as 8 bytes.
func widen[T ~int8 | ~int16 | ~int32 | ~uint8 | ~uint16 | ~uint32](d *idDigest, v []T) {
	d.each(len(v), func(i int) { d.buf = binary.LittleEndian.AppendUint64(d.buf, uint64(int64(v[i]))) })
}

// varying adds values of varying length. Each ends where the next one begins, up to a constant.
func (d *idDigest) varying(offsets []int32, values []byte) {
	d.buf = d.buf[:0]
	for i, end := range offsets[1:] {
		d.buf = binary.LittleEndian.AppendUint32(d.buf, uint32(end-offsets[i]))
	}
	d.lengths.Write(d.buf)
	d.values.Write(values)
}

// typeName is the name of a type in digests. Types without a name have no digest of their values either.
func typeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.ListType:
		return typeName(t.Elem())
	case *arrow.Float32Type:
		return "float"
	case *arrow.Float64Type:
		return "double"
	case *arrow.StringType:
		return "text"
	case *arrow.Date32Type:
		return "date"
	case *arrow.FixedSizeBinaryType:
		return fmt.Sprintf("fixed(%d)", t.ByteWidth)
	case *arrow.Decimal128Type:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case *arrow.Time32Type:
		return fmt.Sprintf("time(%s)", t.Unit)
	case *arrow.Time64Type:
		return fmt.Sprintf("time(%s)", t.Unit)
	case *arrow.TimestampType:
		return fmt.Sprintf("timestamp(%s,%v)", t.Unit, t.TimeZone != "")
	}
	return t.Name() // bool, int8 to uint64, binary
}
