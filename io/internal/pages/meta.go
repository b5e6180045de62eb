package pages

import (
	"fmt"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The structures of parquet.thrift as far as they are needed to read columns. Here every field may be missing, whatever the
// format calls required: what a column that nobody asks for lacks does not matter, and what one that is asked for lacks is
// found when it is. Fields and members of unions that are not named here are passed over, whatever they hold.

type fileMeta struct {
	Schema     thrift.Slice[element]  `thrift:"2,optional"`
	NumRows    thrift.Null[int64]     `thrift:"3,optional"`
	RowGroups  thrift.Slice[rowGroup] `thrift:"4,optional"`
	KeyValues  thrift.Slice[keyValue] `thrift:"5,optional"`
	Encryption thrift.Null[present]   `thrift:"8,optional"` // the algorithm, when columns are encrypted and the footer is not
}

// present is a structure of which only that it is there matters.
type present struct{}

type keyValue struct {
	Key   string `thrift:"1,optional"`
	Value string `thrift:"2,optional"`
}

type element struct {
	Type           thrift.Null[format.Type]                `thrift:"1,optional"`
	TypeLength     thrift.Null[int32]                      `thrift:"2,optional"`
	RepetitionType thrift.Null[format.FieldRepetitionType] `thrift:"3,optional"`
	Name           string                                  `thrift:"4,optional"`
	NumChildren    thrift.Null[int32]                      `thrift:"5,optional"`
	ConvertedType  thrift.Null[deprecated.ConvertedType]   `thrift:"6,optional"`
	Scale          thrift.Null[int32]                      `thrift:"7,optional"`
	Precision      thrift.Null[int32]                      `thrift:"8,optional"`
	Logical        thrift.Null[logicalType]                `thrift:"10,optional"`
}

// logicalType is a union: one of its members is there, or none that is known here.
type logicalType struct {
	String    thrift.Null[present]     `thrift:"1,optional"`
	Map       thrift.Null[present]     `thrift:"2,optional"`
	List      thrift.Null[present]     `thrift:"3,optional"`
	Enum      thrift.Null[present]     `thrift:"4,optional"`
	Decimal   thrift.Null[decimalType] `thrift:"5,optional"`
	Date      thrift.Null[present]     `thrift:"6,optional"`
	Time      thrift.Null[timeType]    `thrift:"7,optional"`
	Timestamp thrift.Null[timeType]    `thrift:"8,optional"`
	Integer   thrift.Null[integerType] `thrift:"10,optional"`
	Unknown   thrift.Null[present]     `thrift:"11,optional"` // of columns that hold nothing but nulls
	JSON      thrift.Null[present]     `thrift:"12,optional"`
	BSON      thrift.Null[present]     `thrift:"13,optional"`
	UUID      thrift.Null[present]     `thrift:"14,optional"`
	Float16   thrift.Null[present]     `thrift:"15,optional"`
	Variant   thrift.Null[present]     `thrift:"16,optional"`
	Geometry  thrift.Null[present]     `thrift:"17,optional"`
	Geography thrift.Null[present]     `thrift:"18,optional"`
}

type decimalType struct {
	Scale     int32 `thrift:"1,optional"`
	Precision int32 `thrift:"2,optional"`
}

type timeType struct {
	UTC  thrift.Null[bool]     `thrift:"1,optional"`
	Unit thrift.Null[timeUnit] `thrift:"2,optional"`
}

type timeUnit struct {
	Millis thrift.Null[present] `thrift:"1,optional"`
	Micros thrift.Null[present] `thrift:"2,optional"`
	Nanos  thrift.Null[present] `thrift:"3,optional"`
}

type integerType struct {
	BitWidth thrift.Null[int8] `thrift:"1,optional"`
	Signed   thrift.Null[bool] `thrift:"2,optional"`
}

type rowGroup struct {
	Columns thrift.Slice[columnChunk] `thrift:"1,optional"`
	NumRows thrift.Null[int64]        `thrift:"3,optional"`
}

type columnChunk struct {
	FilePath      string                  `thrift:"1,optional"`
	MetaData      thrift.Null[columnMeta] `thrift:"3,optional"`
	Crypto        thrift.Null[present]    `thrift:"8,optional"`
	EncryptedMeta thrift.Null[[]byte]     `thrift:"9,optional"`
}

type columnMeta struct {
	Type                  thrift.Null[format.Type]             `thrift:"1,optional"`
	Codec                 thrift.Null[format.CompressionCodec] `thrift:"4,optional"`
	NumValues             thrift.Null[int64]                   `thrift:"5,optional"`
	TotalUncompressedSize int64                                `thrift:"6,optional"`
	TotalCompressedSize   thrift.Null[int64]                   `thrift:"7,optional"`
	DataPageOffset        thrift.Null[int64]                   `thrift:"9,optional"`
	DictionaryPageOffset  int64                                `thrift:"11,optional"`
}

type pageHead struct {
	Type         thrift.Null[format.PageType] `thrift:"1,optional"`
	Uncompressed thrift.Null[int32]           `thrift:"2,optional"`
	Compressed   thrift.Null[int32]           `thrift:"3,optional"`
	CRC          int32                        `thrift:"4,optional"`
	Data         thrift.Null[dataHead]        `thrift:"5,optional"`
	Dictionary   thrift.Null[dictionaryHead]  `thrift:"7,optional"`
	DataV2       thrift.Null[dataHeadV2]      `thrift:"8,optional"`
}

type dataHead struct {
	NumValues               thrift.Null[int32]           `thrift:"1,optional"`
	Encoding                thrift.Null[format.Encoding] `thrift:"2,optional"`
	DefinitionLevelEncoding format.Encoding              `thrift:"3,optional"`
	RepetitionLevelEncoding format.Encoding              `thrift:"4,optional"`
}

type dictionaryHead struct {
	NumValues thrift.Null[int32]           `thrift:"1,optional"`
	Encoding  thrift.Null[format.Encoding] `thrift:"2,optional"`
}

type dataHeadV2 struct {
	NumValues                  thrift.Null[int32]           `thrift:"1,optional"`
	Encoding                   thrift.Null[format.Encoding] `thrift:"4,optional"`
	DefinitionLevelsByteLength int32                        `thrift:"5,optional"`
	RepetitionLevelsByteLength int32                        `thrift:"6,optional"`
	IsCompressed               thrift.Null[bool]            `thrift:"7,optional"`
}

// decode reads a structure from all of b.
func decode[T any](b []byte, what string) (*T, error) {
	v := new(T)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b, v); err != nil {
		return nil, fmt.Errorf("malformed %s: %w", what, err)
	}
	return v, nil
}

// unsupported is what a file has that is not read. It is no damage.
type unsupported struct{ cause, hint string }

func (e *unsupported) Error() string { return e.cause }

// Hints for what is not read.
const (
	hintRewrite   = "Write the file again with another program, such as DuckDB: COPY (FROM 'old.parquet') TO 'new.parquet'."
	hintEncrypted = "Decrypt the file with the program that encrypted it; columns that are not encrypted can be read as they are."
	hintSmaller   = "Write the file again with smaller pages or row groups."
)

// tooLarge is an unsupported size.
func tooLarge(format string, args ...any) error {
	return &unsupported{cause: fmt.Sprintf(format, args...), hint: hintSmaller}
}

// checkChunk says why a column chunk cannot be read although nothing is wrong with it.
func checkChunk(c *columnChunk) error {
	if c.Crypto.Valid || c.EncryptedMeta.Valid {
		return &unsupported{"the column is encrypted (Parquet modular encryption)", hintEncrypted}
	}
	if c.FilePath != "" {
		return &unsupported{"the column is in another file, which cannot be read", "Write the table as one file."}
	}
	if !c.MetaData.Valid || !c.MetaData.V.Codec.Valid {
		return nil // found out when it is read
	}
	switch codec := c.MetaData.V.Codec.V; codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd, format.Brotli, format.Lz4Raw:
		return nil
	case format.Lz4:
		return &unsupported{"the column is compressed by the LZ4 of Hadoop, which Parquet gave up and which is not read", hintCodec}
	default:
		return &unsupported{fmt.Sprintf("the column is compressed by %s, which is not read", codecName(codec)), hintCodec}
	}
}

const hintCodec = "Write the file again with the compression zstd, snappy, gzip, brotli, lz4_raw or none."

func codecName(c format.CompressionCodec) string {
	if c == format.LZO {
		return "LZO"
	}
	return fmt.Sprintf("the unknown codec %d", int32(c))
}
