package pages

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// Column is a top-level column of a file: a plain one, or a list of plain values. Other columns have only a name and
// leaves, and Err says why they cannot be read.
type Column struct {
	Name  string
	Field arrow.Field // as Arrow has it; lists are arrow.ListOf(element)
	Err   error       // not nil: the column cannot be read, and why

	// Shape of the values in the file.
	kind     format.Type
	width    int // bytes of a FIXED_LEN_BYTE_ARRAY
	list     bool
	optional bool // the column's value (of a list, the list itself) may be null
	items    bool // of a list: its elements may be null
	convert  conversion

	leaf   int // index of its first leaf among the file's
	leaves int
}

// Fixed returns the width in bytes of a required FIXED_LEN_BYTE_ARRAY column
// without any annotation; ok is false for every other column.
func (c *Column) Fixed() (width int, ok bool) {
	plain := c.Err == nil && c.kind == format.FixedLenByteArray && c.Field.Type.ID() == arrow.FIXED_SIZE_BINARY
	return c.width, plain && !c.list && !c.optional
}

// Required says that the column holds no nulls: neither itself nor, for a list, its elements.
func (c *Column) Required() bool { return !c.optional && !c.items }

// maxDef is the definition level of a value that is present.
func (c *Column) maxDef() int {
	n := 0
	for _, level := range []bool{c.optional, c.list, c.items} {
		if level {
			n++
		}
	}
	return n
}

// columnsOf walks over a file's flattened schema. leaves counts all leaf
// columns, which is how many chunks a row group has.
func columnsOf(schema []format.SchemaElement) (columns []*Column, leaves int, err error) {
	if len(schema) == 0 {
		return nil, 0, errors.New("the footer has no schema")
	}
	if len(schema) > schemaElementsMax {
		return nil, 0, fmt.Errorf("the schema has %d elements, more than %d", len(schema), schemaElementsMax)
	}
	root, rest, err := parseNode(schema, 0)
	if err != nil {
		return nil, 0, err
	}
	if root.leaf() {
		return nil, 0, errors.New("the schema's root is a column")
	}
	if len(rest) != 0 {
		return nil, 0, fmt.Errorf("the schema has %d elements too many", len(rest))
	}
	for _, n := range root.children {
		c := &Column{Name: n.Name, leaf: leaves, leaves: n.leaves()}
		leaves += c.leaves
		if c.Err = c.interpret(n); c.Err == nil {
			c.Field.Name = c.Name
			c.Field.Nullable = c.optional
		}
		columns = append(columns, c)
	}
	return columns, leaves, nil
}

// node is an element of the schema with its children.
type node struct {
	*format.SchemaElement
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

func (n node) isList() bool {
	_, logical := n.LogicalType.Value.(*format.ListType)
	return logical || n.ConvertedType.Valid && n.ConvertedType.V == deprecated.List
}

// parseNode takes one element and those below it off a schema, which is flattened depth first.
func parseNode(schema []format.SchemaElement, depth int) (n node, rest []format.SchemaElement, err error) {
	if depth > schemaDepthMax {
		return n, nil, fmt.Errorf("the schema is nested deeper than %d", schemaDepthMax)
	}
	if len(schema) == 0 {
		return n, nil, errors.New("the schema ends in the middle")
	}
	n.SchemaElement, rest = &schema[0], schema[1:]
	children := 0
	if n.NumChildren.Valid && !n.leaf() {
		children = int(n.NumChildren.V)
	}
	if children < 0 || children > len(rest) {
		return n, nil, fmt.Errorf("element %q of the schema claims %d children", n.SchemaElement.Name, children)
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

var errNested = errors.New("nested columns cannot be read, other than lists of plain values")

// interpret finds the Arrow column for a node, or says why there is none.
func (c *Column) interpret(n node) error {
	if n.repeated() {
		return errors.New("repeated columns can be read only as LIST in its three-level form")
	}
	c.optional = n.optional()
	if n.leaf() {
		return c.plain(n)
	}
	if !n.isList() || len(n.children) != 1 {
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
	c.kind = n.Type.V
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
		return errors.New("INT96 time stamps cannot be read (write them as TIMESTAMP)")
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
	switch t := n.LogicalType.Value.(type) {
	case nil:
		if n.ConvertedType.Valid {
			return c.converted(n, physical, as)
		}
		return physical, c.keep(), nil
	case *format.StringType, *format.EnumType, *format.JsonType:
		return as(format.ByteArray, arrow.BinaryTypes.String, nil)
	case *format.BsonType:
		return as(format.ByteArray, arrow.BinaryTypes.Binary, nil)
	case *format.UUIDType:
		if c.width != 16 {
			return nil, nil, errors.New("a UUID does not have 16 bytes")
		}
		return physical, c.keep(), nil
	case *format.DateType:
		return as(format.Int32, arrow.FixedWidthTypes.Date32, keep(4))
	case *format.TimestampType:
		unit := arrow.Nanosecond
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			unit = arrow.Millisecond
		case *format.MicroSeconds:
			unit = arrow.Microsecond
		case *format.NanoSeconds:
		default:
			return nil, nil, errors.New("a TIMESTAMP of an unknown unit")
		}
		return as(format.Int64, timestamp(unit, t.IsAdjustedToUTC), keep(8))
	case *format.IntType:
		return integer(as, int(t.BitWidth), t.IsSigned)
	case *format.DecimalType:
		return c.decimal(int(t.Precision), int(t.Scale))
	default:
		return nil, nil, fmt.Errorf("columns of type %s cannot be read", n.LogicalType.Value)
	}
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
