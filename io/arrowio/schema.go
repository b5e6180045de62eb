package arrowio

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
)

// Types of Schema.fbs: the members of its union Type.
const (
	typeNull            = 1
	typeInt             = 2
	typeFloatingPoint   = 3
	typeBinary          = 4
	typeUtf8            = 5
	typeBool            = 6
	typeDecimal         = 7
	typeDate            = 8
	typeTime            = 9
	typeTimestamp       = 10
	typeInterval        = 11
	typeList            = 12
	typeStruct          = 13
	typeUnion           = 14
	typeFixedSizeBinary = 15
	typeFixedSizeList   = 16
	typeMap             = 17
	typeDuration        = 18
	typeLargeBinary     = 19
	typeLargeUtf8       = 20
	typeLargeList       = 21
	typeRunEndEncoded   = 22
	typeBinaryView      = 23
	typeUtf8View        = 24
	typeListView        = 25
	typeLargeListView   = 26
)

var typeNames = map[uint8]string{
	typeInterval: "interval", typeList: "list", typeStruct: "structure", typeUnion: "union", typeFixedSizeList: "list of a fixed size", typeMap: "map",
	typeLargeList: "large list", typeRunEndEncoded: "run-end encoded", typeListView: "list view", typeLargeListView: "large list view",
}

// field is a column of a file, or what is in one: its type as the file has it, and what it is delivered as.
type field struct {
	name     string
	nullable bool
	kind     uint8
	dense    bool // of a union
	children []*field

	dictionary bool
	id         int64          // of the dictionary
	index      arrow.DataType // of the indices into it

	loaded arrow.DataType // how its values, or those of its dictionary, are loaded; nil: they cannot be delivered
	widen  widening       // what is made of them at once; nil: nothing
	what   string         // the type in words, if it cannot be delivered

	wanted int  // which of the columns wanted it is, -1 for none
	inside bool // it is wanted, or something in it is
}

// structure says that a field is a group of fields that can be delivered on their own.
func (f *field) structure() bool { return f.kind == typeStruct && !f.dictionary && f.what == "" }

// out returns the type in which the column is delivered: strings plain whatever their encoding, dictionaries resolved, a column
// of nothing but nulls as strings; nil if it cannot be.
func (f *field) out() arrow.DataType {
	t := f.loaded
	if f.widen != nil {
		t = f.widen.out(t)
	}
	switch t.(type) {
	case *arrow.LargeStringType, *arrow.StringViewType, *arrow.NullType:
		return arrow.BinaryTypes.String
	case *arrow.LargeBinaryType, *arrow.BinaryViewType:
		return arrow.BinaryTypes.Binary
	}
	return t
}

// parts says how many parts of a message the field's array has, its children's not included, and whether it has children.
// ok is false for a type that is not known: nobody can tell where anything after it is.
func (f *field) parts(version int16) (buffers, views int, children, ok bool) {
	const version5 = 4 // since which unions have no validity bitmap
	if f.dictionary {
		return 2, 0, false, true
	}
	switch f.kind {
	case typeNull:
		return 0, 0, false, true
	case typeRunEndEncoded:
		return 0, 0, true, true
	case typeInt, typeFloatingPoint, typeBool, typeDecimal, typeDate, typeTime, typeTimestamp, typeInterval, typeFixedSizeBinary, typeDuration:
		return 2, 0, false, true
	case typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8:
		return 3, 0, false, true
	case typeBinaryView, typeUtf8View:
		return 2, 1, false, true
	case typeStruct, typeFixedSizeList:
		return 1, 0, true, true
	case typeList, typeLargeList, typeMap:
		return 2, 0, true, true
	case typeListView, typeLargeListView:
		return 3, 0, true, true
	case typeUnion:
		buffers = 1
		if f.dense {
			buffers = 2
		}
		if version < version5 {
			buffers++
		}
		return buffers, 0, true, true
	}
	return 0, 0, false, false
}

// known says that the parts of the field and of all that is in it can be counted.
func (f *field) known() bool {
	_, _, children, ok := f.parts(0)
	for _, c := range f.children {
		if children {
			ok = ok && c.known()
		}
	}
	return ok
}

// parseField reads a field's type. The schema has been checked.
func parseField(t table) *field {
	f := &field{name: t.text(0), nullable: t.uint8(1) != 0, kind: t.uint8(2), wanted: -1}
	children := t.vector(5, 4)
	for i := range children.n {
		f.children = append(f.children, parseField(children.table(i)))
	}
	typ := t.table(3)
	extension := ""
	pairs := t.vector(6, 4)
	for i := range pairs.n {
		if kv := pairs.table(i); kv.text(0) == "ARROW:extension:name" {
			extension = kv.text(1)
		}
	}
	switch f.kind {
	case typeNull:
		f.loaded = arrow.Null
	case typeInt:
		f.loaded = intType(typ)
	case typeFloatingPoint:
		switch typ.int16(0) {
		case 0:
			f.loaded, f.widen = arrow.FixedWidthTypes.Float16, halves{}
		case 1:
			f.loaded = arrow.PrimitiveTypes.Float32
		case 2:
			f.loaded = arrow.PrimitiveTypes.Float64
		}
	case typeBool:
		f.loaded = arrow.FixedWidthTypes.Boolean
	case typeBinary:
		f.loaded = arrow.BinaryTypes.Binary
	case typeUtf8:
		f.loaded = arrow.BinaryTypes.String
	case typeLargeBinary:
		f.loaded = arrow.BinaryTypes.LargeBinary
	case typeLargeUtf8:
		f.loaded = arrow.BinaryTypes.LargeString
	case typeBinaryView:
		f.loaded = arrow.BinaryTypes.BinaryView
	case typeUtf8View:
		f.loaded = arrow.BinaryTypes.StringView
	case typeDecimal:
		f.decimal(typ.int32(0, 0), typ.int32(1, 0), typ.int32(2, 128))
	case typeDate:
		f.loaded = map[int16]arrow.DataType{0: arrow.FixedWidthTypes.Date32, 1: arrow.FixedWidthTypes.Date64}[typ.int16Or(0, 1)]
	case typeTime:
		f.loaded = timeType(typ.int16Or(0, 1), typ.int32(1, 32))
	case typeTimestamp:
		if unit := arrow.TimeUnit(typ.int16(0)); unit >= arrow.Second && unit <= arrow.Nanosecond {
			f.loaded = &arrow.TimestampType{Unit: unit, TimeZone: typ.text(1)}
		}
	case typeDuration:
		if unit := arrow.TimeUnit(typ.int16Or(0, 1)); unit >= arrow.Second && unit <= arrow.Nanosecond {
			f.loaded = &arrow.DurationType{Unit: unit}
		}
	case typeFixedSizeBinary:
		if width := typ.int32(0, 0); width > 0 && width <= math.MaxInt32/8 {
			f.loaded = &arrow.FixedSizeBinaryType{ByteWidth: int(width)}
			if extension == "arrow.uuid" && width == 16 {
				f.widen = uuids{}
			}
		} else {
			f.what = fmt.Sprintf("binary of %d bytes", width)
		}
	case typeUnion:
		f.dense = typ.int16(0) == 1
	}
	if f.loaded == nil && f.what == "" {
		f.what = typeNames[f.kind]
		if f.kind == typeStruct && extension == "" {
			f.what = "" // its fields are columns
		} else if f.what == "" {
			f.what = fmt.Sprintf("of the unknown type %d", f.kind)
		}
		if extension != "" {
			f.what = extension + " (" + f.what + ")"
		}
	}
	if d := t.table(4); d.present {
		f.dictionary, f.id = true, d.int64(0)
		f.index = arrow.PrimitiveTypes.Int32
		if i := d.table(1); i.present {
			f.index = intType(i)
		}
		if f.index == nil || f.loaded == nil || f.kind == typeBool || f.kind == typeNull {
			f.loaded, f.widen, f.what = nil, nil, "dictionary of "+f.describe()
		}
	}
	return f
}

// describe says what a field is that cannot be delivered.
func (f *field) describe() string {
	switch {
	case f.what != "":
		return f.what
	case f.loaded != nil:
		return f.loaded.String()
	}
	return "structures"
}

func intType(t table) arrow.DataType {
	signed := t.uint8(1) != 0
	switch bits := t.int32(0, 0); {
	case bits == 8 && signed:
		return arrow.PrimitiveTypes.Int8
	case bits == 16 && signed:
		return arrow.PrimitiveTypes.Int16
	case bits == 32 && signed:
		return arrow.PrimitiveTypes.Int32
	case bits == 64 && signed:
		return arrow.PrimitiveTypes.Int64
	case bits == 8:
		return arrow.PrimitiveTypes.Uint8
	case bits == 16:
		return arrow.PrimitiveTypes.Uint16
	case bits == 32:
		return arrow.PrimitiveTypes.Uint32
	case bits == 64:
		return arrow.PrimitiveTypes.Uint64
	}
	return nil
}

func timeType(unit int16, bits int32) arrow.DataType {
	switch u := arrow.TimeUnit(unit); {
	case bits == 32 && (u == arrow.Second || u == arrow.Millisecond):
		return &arrow.Time32Type{Unit: u}
	case bits == 64 && (u == arrow.Microsecond || u == arrow.Nanosecond):
		return &arrow.Time64Type{Unit: u}
	}
	return nil
}

// decimal sets the type of a decimal of so many bits: those of 32 and 64 are delivered as those of 128.
func (f *field) decimal(precision, scale, bits int32) {
	digits := map[int32]int32{32: 9, 64: 18, 128: 38, 256: 76}[bits]
	f.what = fmt.Sprintf("decimal%d(%d, %d)", bits, precision, scale)
	if precision < 1 || precision > digits || scale < -digits || scale > digits {
		return
	}
	f.what = ""
	wide := &arrow.Decimal128Type{Precision: precision, Scale: scale}
	switch bits {
	case 32:
		f.loaded, f.widen = arrow.PrimitiveTypes.Int32, decimals{wide}
	case 64:
		f.loaded, f.widen = arrow.PrimitiveTypes.Int64, decimals{wide}
	case 128:
		f.loaded = wide
	case 256:
		f.loaded = &arrow.Decimal256Type{Precision: precision, Scale: scale}
	}
}
