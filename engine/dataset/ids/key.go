// Package ids handles what names a record: the types that ids may have, ids as keys of bytes and back, ids that are
// normalised or replaced by tokens, and ids that come twice.
package ids

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/io/column"
)

// Keys are record ids, or the columns of a grouping, as bytes, one column after the other. Equal keys are equal ids.
// The order of keys (bytes.Compare) is that of the ids, column by column, numbers by value and text by its bytes. A
// key can be turned back into values of the columns' types (keyBuilder).
//
//   - Numbers, dates, time stamps and booleans are 8 bytes, big-endian, with the sign bit of signed ones inverted.
//   - Text and binary values are their bytes, with a byte 255 after every byte 0, and end with two bytes 0: nothing that
//     goes on after the same beginning has less than that.
//   - Binary values of a fixed length are as they are.

// idTypes are the types an id column may have: those whose values are equal when their bytes are.
func CheckType(file string, f arrow.Field) error {
	if err := column.CheckReadable(file, f); err != nil {
		return err
	}
	if t, ok := f.Type.(arrow.TemporalWithUnit); ok && t.TimeUnit() == arrow.Second {
		return column.Refuse(file, "a column of type %s cannot be an id: Parquet has no seconds", t).InColumn(f.Name).
			WithHint("Convert the column to milliseconds.")
	}
	switch f.Type.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.FIXED_SIZE_BINARY, arrow.DATE32, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return nil
	}
	return column.Refuse(file, "a column of type %s cannot be an id", f.Type).InColumn(f.Name).
		WithHint("Ids are text, integers, dates, times, time stamps or booleans; convert the column first.")
}

// appendKey appends the key part of row i of an id column, which is not null.
func appendKey(key []byte, arr arrow.Array, i int) []byte {
	switch a := arr.(type) {
	case *array.String:
		return appendText(key, a.Value(i))
	case *array.LargeString:
		return appendText(key, a.Value(i))
	case *array.Binary:
		return appendText(key, string(a.Value(i)))
	case *array.FixedSizeBinary:
		return append(key, a.Value(i)...)
	}
	v := integerID(arr, i)
	if signedID(arr.DataType()) {
		v ^= signBit
	}
	return binary.BigEndian.AppendUint64(key, v)
}

const signBit = 1 << 63

// signedID says that ids of a type that integerID reads may be negative.
func signedID(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.DATE32, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return true
	}
	return false
}

// appendText appends a value of any length.
func appendText(key []byte, s string) []byte {
	for {
		zero := strings.IndexByte(s, 0)
		if zero < 0 {
			return append(append(key, s...), 0, 0)
		}
		key = append(append(key, s[:zero+1]...), 255)
		s = s[zero+1:]
	}
}

// cutText is the inverse of appendText: the value at the beginning of a key, and what follows it.
func cutText(key []byte) (value, rest []byte, ok bool) {
	at := 0
	for {
		n := bytes.IndexByte(key[at:], 0)
		if n < 0 || at+n+1 == len(key) {
			return nil, nil, false
		}
		zero := at + n
		if key[zero+1] == 0 {
			return append(value, key[at:zero]...), key[zero+2:], true
		}
		value = append(value, key[at:zero+1]...)
		at = zero + 2
	}
}

// integerID is the value of an id that is a number, sign-extended.
func integerID(arr arrow.Array, i int) uint64 {
	switch a := arr.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return 1
		}
		return 0
	case *array.Int8:
		return uint64(a.Value(i))
	case *array.Int16:
		return uint64(a.Value(i))
	case *array.Int32:
		return uint64(a.Value(i))
	case *array.Int64:
		return uint64(a.Value(i))
	case *array.Uint8:
		return uint64(a.Value(i))
	case *array.Uint16:
		return uint64(a.Value(i))
	case *array.Uint32:
		return uint64(a.Value(i))
	case *array.Uint64:
		return a.Value(i)
	case *array.Date32:
		return uint64(a.Value(i))
	case *array.Time32:
		return uint64(a.Value(i))
	case *array.Time64:
		return uint64(a.Value(i))
	case *array.Timestamp:
		return uint64(a.Value(i))
	}
	panic(fmt.Sprintf("job: id of type %s passed checkIDType", arr.DataType()))
}

// AppendKey appends the key of row i: all id columns of it.
func AppendKey(key []byte, ids []arrow.Array, i int) []byte {
	for _, arr := range ids {
		key = appendKey(key, arr, i)
	}
	return key
}

// AppendTextKey is the key of a row with every id as text, so that a universe kept as text matches ids kept as numbers.
func AppendTextKey(key []byte, ids []arrow.Array, i int) []byte {
	for _, arr := range ids {
		key = appendText(key, arr.ValueStr(i))
	}
	return key
}

// Text writes a key for messages.
func Text(ids []arrow.Array, i int) string {
	text := ""
	for k, arr := range ids {
		if k > 0 {
			text += ", "
		}
		text += arr.ValueStr(i)
	}
	return column.Quote(text)
}

// KeyBuilder turns keys back into id columns.
type KeyBuilder struct {
	builders []array.Builder
}

func NewKeyBuilder(fields []arrow.Field) *KeyBuilder {
	b := &KeyBuilder{}
	for _, f := range fields {
		b.builders = append(b.builders, array.NewBuilder(memory.DefaultAllocator, f.Type))
	}
	return b
}

var errKey = errors.New("a key is not one of these columns")

// Append adds a row. A key that does not fit the columns is an error, after which the builder must not be used.
func (b *KeyBuilder) Append(key []byte) error {
	for _, builder := range b.builders {
		var value []byte
		var v uint64
		ok := true
		switch t := builder.Type().(type) {
		case *arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType:
			value, key, ok = cutText(key)
		case *arrow.FixedSizeBinaryType:
			if ok = len(key) >= t.ByteWidth; ok {
				value, key = key[:t.ByteWidth], key[t.ByteWidth:]
			}
		default:
			if ok = len(key) >= 8; ok {
				v, key = binary.BigEndian.Uint64(key), key[8:]
			}
			if signedID(t) {
				v ^= signBit
			}
		}
		if !ok {
			return errKey
		}
		switch x := builder.(type) {
		case *array.StringBuilder:
			x.Append(string(value))
		case *array.LargeStringBuilder:
			x.Append(string(value))
		case *array.BinaryBuilder:
			x.Append(value)
		case *array.FixedSizeBinaryBuilder:
			x.Append(value)
		case *array.BooleanBuilder:
			x.Append(v != 0)
		case *array.Int8Builder:
			x.Append(int8(v))
		case *array.Int16Builder:
			x.Append(int16(v))
		case *array.Int32Builder:
			x.Append(int32(v))
		case *array.Int64Builder:
			x.Append(int64(v))
		case *array.Uint8Builder:
			x.Append(uint8(v))
		case *array.Uint16Builder:
			x.Append(uint16(v))
		case *array.Uint32Builder:
			x.Append(uint32(v))
		case *array.Uint64Builder:
			x.Append(v)
		case *array.Date32Builder:
			x.Append(arrow.Date32(v))
		case *array.Time32Builder:
			x.Append(arrow.Time32(v))
		case *array.Time64Builder:
			x.Append(arrow.Time64(v))
		case *array.TimestampBuilder:
			x.Append(arrow.Timestamp(v))
		}
	}
	if len(key) > 0 {
		return errKey
	}
	return nil
}

// Arrays returns the columns built so far and starts anew.
func (b *KeyBuilder) Arrays() []arrow.Array {
	out := make([]arrow.Array, len(b.builders))
	for i, builder := range b.builders {
		out[i] = builder.NewArray()
	}
	return out
}

// CheckPresent refuses a batch with a null id. The id columns come first.
func CheckPresent(b column.Batch, ids int) error {
	for c := range ids {
		arr := b.Column(c)
		if arr.NullN() == 0 {
			continue
		}
		for i := range arr.Len() {
			if arr.IsNull(i) {
				return b.Refuse(i, b.ColumnName(c), "the id is missing").
					WithHint("Every record needs an id. If %q or another null token is a real id, set ‹null›.", "NA")
			}
		}
	}
	return nil
}

// Blocks wraps id columns into lists of `each` consecutive records, the last one shorter: one list per block.
func Blocks(ids []arrow.Array, each int) []arrow.Array {
	out := make([]arrow.Array, len(ids))
	for k, arr := range ids {
		n := arr.Len()
		rows := (n + each - 1) / each
		offsets := make([]int32, rows+1)
		for i := range offsets {
			offsets[i] = int32(min(i*each, n))
		}
		buffer := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))
		data := array.NewData(arrow.ListOf(arr.DataType()), rows, []*memory.Buffer{nil, buffer}, []arrow.ArrayData{arr.Data()}, 0, 0)
		out[k] = array.NewListData(data)
		data.Release()
	}
	return out
}

// Flatten returns the records' ids of blocks: the values of all lists, one after the other. The caller releases them.
func Flatten(blocks []arrow.Array) []arrow.Array {
	out := make([]arrow.Array, len(blocks))
	for k, arr := range blocks {
		l := arr.(*array.List)
		from, _ := l.ValueOffsets(0)
		_, to := l.ValueOffsets(l.Len() - 1)
		out[k] = array.NewSlice(l.ListValues(), from, to)
	}
	return out
}

func Release(arrays []arrow.Array) {
	for _, a := range arrays {
		a.Release()
	}
}
