package pages

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// Column is a column of a file: a plain one, or a list of one, at the top or a
// field of structures. Other columns exist as names and leaves only, and say in
// Err why they cannot be read.
type Column struct {
	Name   string      // within structures the names from the outermost on, joined by dots
	Nested bool        // it is a field of a structure
	Field  arrow.Field // as Arrow has it; lists are arrow.ListOf(element)
	Type   string      // what it is, if Err is not nil
	Err    error       // not nil: the column cannot be read, and why

	// Shape of the values in the file.
	stored format.Type // as the file calls it
	kind   format.Type // as it is decoded: INT96 as FIXED_LEN_BYTE_ARRAY(12)
	width  int         // bytes of a FIXED_LEN_BYTE_ARRAY
	list   bool
	outer  int  // how many of its structures and itself (of a list, the list) may be null: the level of a value, or of a list, that is there
	items  bool // of a list: its elements may be null
	uuid   bool // 16 bytes that are a UUID
	void   bool // there is no value

	convert conversion

	leaf   int // index of its first leaf among the file's
	leaves int
}

// Fixed returns the width in bytes of a required FIXED_LEN_BYTE_ARRAY column
// without any annotation; ok is false for every other column.
func (c *Column) Fixed() (width int, ok bool) {
	plain := c.Err == nil && c.kind == format.FixedLenByteArray && c.Field.Type.ID() == arrow.FIXED_SIZE_BINARY
	return c.width, plain && !c.list && !c.Nested && c.outer == 0 && c.stored == format.FixedLenByteArray
}

// Required says that the column holds no nulls: neither itself nor, of a list,
// its elements.
func (c *Column) Required() bool { return c.outer == 0 && !c.items }

// maxDef is the definition level of a value that is present.
func (c *Column) maxDef() int {
	n := c.outer
	for _, level := range []bool{c.list, c.items} {
		if level {
			n++
		}
	}
	return n
}

// Hint says what to do about Err.
func (c *Column) Hint() string {
	if known := (*unsupported)(nil); errors.As(c.Err, &known) {
		return known.hint
	}
	return ""
}

// Textual is the column with its UUIDs as text, as in 550e8400-e29b-41d4-a716-446655440000; the column itself when they are none.
func (c *Column) Textual() *Column {
	if !c.uuid || c.list {
		return c
	}
	text := *c
	text.Field.Type, text.convert = arrow.BinaryTypes.String, nil
	return &text
}

// columnsOf walks over a file's flattened schema. leaves counts all leaf
// columns, which is how many chunks a row group has.
func columnsOf(schema []element) (columns []*Column, structs map[string][]string, leaves int, err error) {
	if len(schema) == 0 {
		return nil, nil, 0, errors.New("the footer has no schema")
	}
	if len(schema) > schemaElementsMax {
		return nil, nil, 0, &unsupported{fmt.Sprintf("the schema has %d elements, more than %d", len(schema), schemaElementsMax), "Write the table as several files of fewer columns."}
	}
	root, rest, err := parseNode(schema, 0)
	if err != nil {
		return nil, nil, 0, err
	}
	if root.leaf() {
		return nil, nil, 0, errors.New("the schema's root is a column")
	}
	if len(rest) != 0 {
		return nil, nil, 0, fmt.Errorf("the schema has %d elements too many", len(rest))
	}
	w := &schemaWalk{structs: map[string][]string{}}
	for _, n := range root.children {
		w.add(n, "", 0)
	}
	return w.columns, w.structs, w.leaves, nil
}

// schemaWalk gathers the columns of a schema.
type schemaWalk struct {
	columns []*Column
	structs map[string][]string
	leaves  int
	bytes   int // of the names of nested columns
}

// nestedBytesMax bounds the names of nested columns, which repeat those of the structures that they are in.
const nestedBytesMax = 64 << 20

// add adds a node, or what is in it. path is that of the structure that it is in, outer how many of these may be null.
func (w *schemaWalk) add(n node, path string, outer int) {
	name := n.Name
	if path != "" {
		name = path + "." + name
		w.bytes += len(name)
	}
	if n.structure() && w.bytes <= nestedBytesMax {
		if n.optional() {
			outer++
		}
		first := len(w.columns)
		for _, child := range n.children {
			w.add(child, name, outer)
		}
		inner := []string{}
		for _, c := range w.columns[first:] {
			inner = append(inner, c.Name)
			if len(inner) == 12 {
				break // for messages
			}
		}
		w.structs[name] = inner
		return
	}
	c := &Column{Name: name, Nested: path != "", leaf: w.leaves, leaves: n.leaves(), outer: outer}
	w.leaves += c.leaves
	if c.Err = c.interpret(n); c.Err == nil {
		c.Field.Nullable = c.outer > 0
	}
	c.Field.Name = name
	c.Type = n.describe()
	w.columns = append(w.columns, c)
}

// node is an element of the schema with its children.
type node struct {
	*element
	children []node
}

func (n node) leaf() bool     { return n.Type.Valid }
func (n node) repeated() bool { return n.RepetitionType.Valid && n.RepetitionType.V == format.Repeated }
func (n node) optional() bool { return n.RepetitionType.Valid && n.RepetitionType.V == format.Optional }

func (n node) leaves() int {
	if n.leaf() {
		return 1
	}
	sum := 0
	for _, child := range n.children {
		sum += child.leaves()
	}
	return sum
}

// converted says whether the node has the deprecated annotation.
func (n node) converted(t deprecated.ConvertedType) bool {
	return n.ConvertedType.Valid && n.ConvertedType.V == t
}

func (n node) isList() bool { return n.Logical.V.List.Valid || n.converted(deprecated.List) }

func (n node) isMap() bool {
	return n.Logical.V.Map.Valid || n.converted(deprecated.Map) || n.converted(deprecated.MapKeyValue)
}

// structure says that a node is a group of fields and nothing else.
func (n node) structure() bool {
	return !n.leaf() && !n.repeated() && !n.isList() && !n.isMap() && !n.Logical.Valid
}

// describe says in a word or two what a node is.
func (n node) describe() string {
	l := &n.Logical.V
	switch {
	case n.isMap():
		return "map"
	case l.Variant.Valid:
		return "VARIANT"
	case n.isList(), n.repeated():
		return "list"
	case !n.leaf():
		return "structure"
	case l.Geometry.Valid:
		return "GEOMETRY"
	case l.Geography.Valid:
		return "GEOGRAPHY"
	case n.converted(deprecated.Interval):
		return "INTERVAL"
	case l.Decimal.Valid, n.converted(deprecated.Decimal):
		return "DECIMAL"
	}
	return n.Type.V.String()
}

// parseNode takes one element and what is below it off a schema, which is
// flattened depth first.
func parseNode(schema []element, depth int) (n node, rest []element, err error) {
	if depth > schemaDepthMax {
		return n, nil, fmt.Errorf("the schema is nested deeper than %d", schemaDepthMax)
	}
	if len(schema) == 0 {
		return n, nil, errors.New("the schema ends in the middle")
	}
	n.element, rest = &schema[0], schema[1:]
	children := 0
	if n.NumChildren.Valid && !n.leaf() {
		children = int(n.NumChildren.V)
	}
	if children < 0 || children > len(rest) {
		return n, nil, fmt.Errorf("element %q of the schema claims %d children", n.Name, children)
	}
	for range children {
		var child node
		if child, rest, err = parseNode(rest, depth+1); err != nil {
			return n, nil, err
		}
		n.children = append(n.children, child)
	}
	return n, rest, nil
}

var errNested = errors.New("lists of anything but plain values cannot be read")

// interpret finds the Arrow column for a node, or says why there is none.
func (c *Column) interpret(n node) error {
	if n.repeated() {
		return errors.New("repeated columns can be read only as LIST in its three-level form")
	}
	if n.optional() {
		c.outer++
	}
	if n.leaf() {
		return c.plain(n)
	}
	if !n.isList() {
		return fmt.Errorf("columns of type %s cannot be read", n.describe())
	}
	if len(n.children) != 1 {
		return errNested
	}
	middle := n.children[0]
	if middle.leaf() || !middle.repeated() || len(middle.children) != 1 {
		return errNested
	}
	element := middle.children[0]
	if !element.leaf() || element.repeated() {
		return errNested
	}
	c.list, c.items = true, element.optional()
	if err := c.plain(element); err != nil {
		return err
	}
	c.Field.Type = arrow.ListOf(c.Field.Type)
	return nil
}

// plain finds the type of a leaf: in the file and in Arrow.
func (c *Column) plain(n node) error {
	c.stored = n.Type.V
	c.kind = c.stored
	switch c.kind {
	case format.Boolean, format.Int32, format.Int64, format.Float, format.Double, format.ByteArray:
	case format.FixedLenByteArray:
		if !n.TypeLength.Valid || n.TypeLength.V < 1 {
			return errors.New("a FIXED_LEN_BYTE_ARRAY without a length")
		}
		c.width = int(n.TypeLength.V)
		if c.width > fixedBytesMax {
			return fmt.Errorf("values of %d bytes are longer than the %d that can be read", c.width, fixedBytesMax)
		}
	case format.Int96:
		c.kind, c.width = format.FixedLenByteArray, int96Bytes
		c.Field.Type, c.convert = &arrow.TimestampType{Unit: arrow.Microsecond}, int96Micros{}
		return nil
	default:
		return fmt.Errorf("the unknown physical type %d cannot be read", int32(c.kind))
	}
	typ, convert, err := c.logical(n)
	c.Field.Type, c.convert = typ, convert
	return err
}

// fixedBytesMax bounds the width of fixed-length values, as parquet-go does.
const fixedBytesMax = math.MaxInt16

// logical applies LogicalTypes.md to a leaf: the current annotation, else the deprecated one.
func (c *Column) logical(n node) (arrow.DataType, conversion, error) {
	physical := map[format.Type]arrow.DataType{
		format.Boolean:   arrow.FixedWidthTypes.Boolean,
		format.Int32:     arrow.PrimitiveTypes.Int32,
		format.Int64:     arrow.PrimitiveTypes.Int64,
		format.Float:     arrow.PrimitiveTypes.Float32,
		format.Double:    arrow.PrimitiveTypes.Float64,
		format.ByteArray: arrow.BinaryTypes.Binary,
	}[c.kind]
	if c.kind == format.FixedLenByteArray {
		physical = &arrow.FixedSizeBinaryType{ByteWidth: c.width}
	}
	as := func(want format.Type, typ arrow.DataType, convert conversion) (arrow.DataType, conversion, error) {
		if c.kind != want {
			return nil, nil, fmt.Errorf("a %s cannot be stored as %s", typ, c.kind)
		}
		return typ, convert, nil
	}
	l := &n.Logical.V
	switch {
	case l.Unknown.Valid:
		c.void = true
		return arrow.BinaryTypes.String, nil, nil
	case !n.Logical.Valid:
		if n.ConvertedType.Valid {
			return c.converted(n, physical, as)
		}
		return physical, c.keep(), nil
	case l.String.Valid, l.Enum.Valid, l.JSON.Valid:
		return as(format.ByteArray, arrow.BinaryTypes.String, nil)
	case l.BSON.Valid:
		return as(format.ByteArray, arrow.BinaryTypes.Binary, nil)
	case l.UUID.Valid:
		if c.kind != format.FixedLenByteArray || c.width != 16 {
			return nil, nil, errors.New("a UUID does not have 16 bytes")
		}
		c.uuid = true
		return physical, c.keep(), nil
	case l.Float16.Valid:
		if c.kind != format.FixedLenByteArray || c.width != 2 {
			return nil, nil, errors.New("a FLOAT16 does not have 2 bytes")
		}
		return arrow.PrimitiveTypes.Float32, halfFloat{}, nil
	case l.Date.Valid:
		return as(format.Int32, arrow.FixedWidthTypes.Date32, keep(4))
	case l.Timestamp.Valid:
		unit, ok := l.Timestamp.V.Unit.V.arrow()
		if !ok {
			return nil, nil, errors.New("a TIMESTAMP of an unknown unit")
		}
		return as(format.Int64, timestamp(unit, l.Timestamp.V.UTC.V), keep(8))
	case l.Time.Valid:
		unit, ok := l.Time.V.Unit.V.arrow()
		if !ok {
			return nil, nil, errors.New("a TIME of an unknown unit")
		}
		return timeOfDay(as, unit)
	case l.Integer.Valid:
		return integer(as, int(l.Integer.V.BitWidth.V), l.Integer.V.Signed.V)
	case l.Decimal.Valid:
		return c.decimal(int(l.Decimal.V.Precision), int(l.Decimal.V.Scale))
	case l.Geometry.Valid, l.Geography.Valid, l.Variant.Valid, l.Map.Valid, l.List.Valid:
		return nil, nil, fmt.Errorf("columns of type %s cannot be read", n.describe())
	}
	return nil, nil, errors.New("the column is of a type that Parquet did not have when this program was made")
}

// arrow is the unit as Arrow has it.
func (u *timeUnit) arrow() (arrow.TimeUnit, bool) {
	switch {
	case u.Millis.Valid:
		return arrow.Millisecond, true
	case u.Micros.Valid:
		return arrow.Microsecond, true
	}
	return arrow.Nanosecond, u.Nanos.Valid
}

// timeOfDay is a TIME, which has no date.
func timeOfDay(as typed, unit arrow.TimeUnit) (arrow.DataType, conversion, error) {
	if unit == arrow.Millisecond {
		return as(format.Int32, arrow.FixedWidthTypes.Time32ms, keep(4))
	}
	return as(format.Int64, &arrow.Time64Type{Unit: unit}, keep(8))
}

type typed = func(format.Type, arrow.DataType, conversion) (arrow.DataType, conversion, error)

func (c *Column) converted(n node, physical arrow.DataType, as typed) (arrow.DataType, conversion, error) {
	switch t := n.ConvertedType.V; t {
	case deprecated.UTF8, deprecated.Enum, deprecated.Json:
		return as(format.ByteArray, arrow.BinaryTypes.String, nil)
	case deprecated.Bson:
		return as(format.ByteArray, arrow.BinaryTypes.Binary, nil)
	case deprecated.Date:
		return as(format.Int32, arrow.FixedWidthTypes.Date32, keep(4))
	case deprecated.TimestampMillis:
		return as(format.Int64, timestamp(arrow.Millisecond, true), keep(8))
	case deprecated.TimestampMicros:
		return as(format.Int64, timestamp(arrow.Microsecond, true), keep(8))
	case deprecated.TimeMillis:
		return timeOfDay(as, arrow.Millisecond)
	case deprecated.TimeMicros:
		return timeOfDay(as, arrow.Microsecond)
	case deprecated.Interval:
		return nil, nil, errors.New("columns of type INTERVAL cannot be read")
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return integer(as, 8<<(t-deprecated.Uint8), false)
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return integer(as, 8<<(t-deprecated.Int8), true)
	case deprecated.Decimal:
		return c.decimal(int(n.Precision.V), int(n.Scale.V))
	default:
		return nil, nil, fmt.Errorf("columns of the converted type %d cannot be read", int32(t))
	}
}

func timestamp(unit arrow.TimeUnit, utc bool) arrow.DataType {
	if utc {
		return &arrow.TimestampType{Unit: unit, TimeZone: "UTC"}
	}
	return &arrow.TimestampType{Unit: unit}
}

func integer(as typed, bits int, signed bool) (arrow.DataType, conversion, error) {
	switch {
	case bits == 8 && signed:
		return as(format.Int32, arrow.PrimitiveTypes.Int8, narrow(-1<<7, 1<<7-1, 1))
	case bits == 16 && signed:
		return as(format.Int32, arrow.PrimitiveTypes.Int16, narrow(-1<<15, 1<<15-1, 2))
	case bits == 32 && signed:
		return as(format.Int32, arrow.PrimitiveTypes.Int32, keep(4))
	case bits == 64 && signed:
		return as(format.Int64, arrow.PrimitiveTypes.Int64, keep(8))
	case bits == 8:
		return as(format.Int32, arrow.PrimitiveTypes.Uint8, narrow(0, 1<<8-1, 1))
	case bits == 16:
		return as(format.Int32, arrow.PrimitiveTypes.Uint16, narrow(0, 1<<16-1, 2))
	case bits == 32:
		return as(format.Int32, arrow.PrimitiveTypes.Uint32, keep(4))
	case bits == 64:
		return as(format.Int64, arrow.PrimitiveTypes.Uint64, keep(8))
	}
	return nil, nil, fmt.Errorf("integers of %d bits cannot be read", bits)
}

func (c *Column) decimal(precision, scale int) (arrow.DataType, conversion, error) {
	if precision < 1 || precision > 38 || scale < 0 || scale > precision {
		return nil, nil, fmt.Errorf("a DECIMAL(%d,%d) cannot be read: at most 38 digits", precision, scale)
	}
	typ := &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}
	switch c.kind {
	case format.Int32:
		return typ, decimalOf(4), nil
	case format.Int64:
		return typ, decimalOf(8), nil
	case format.FixedLenByteArray:
		return typ, decimalOfBytes(c.width), nil
	case format.ByteArray:
		return typ, nil, nil // of varying length: see decimalValues
	}
	return nil, nil, fmt.Errorf("a DECIMAL cannot be stored as %s", c.kind)
}

// keep is the conversion of a column whose values are the same in the file and in Arrow.
func (c *Column) keep() conversion {
	switch c.kind {
	case format.Boolean, format.ByteArray:
		return nil
	}
	return keep(c.physicalWidth())
}

// physicalWidth is the number of bytes of a value as the decoders deliver it:
// of a boolean, 1; of a BYTE_ARRAY, 0.
func (c *Column) physicalWidth() int {
	switch c.kind {
	case format.Boolean:
		return 1
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	case format.FixedLenByteArray:
		return c.width
	}
	return 0
}
