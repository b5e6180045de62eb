// Package pages reads and writes the columns of Parquet files as Arrow arrays.
// It is what parquetio and ctfile share.
//
// Writing goes through parquet-go: this package builds its schema from an Arrow
// schema (columns in the order given) and hands it values column by column.
//
// Reading takes from parquet-go the definition of the metadata and its Thrift
// decoder, and decodes pages itself. parquet-go trusts the numbers in a file: a
// list length in the footer, a page size, or a run length of five bytes each
// make it allocate gigabytes before it looks at a byte of what should be there,
// and Go cannot recover from running out of memory. Here every number is
// checked against the bytes that back it before anything is allocated for it;
// runs are expanded only as far as rows are asked for, straight into the Arrow
// buffers of the batch. What no amount of checking bounds (a dictionary entry
// repeated by a run of a few bytes) has the stated limits PageBytesMax and
// ColumnBytesMax.
//
// Read are: BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY and
// FIXED_LEN_BYTE_ARRAY columns, required or optional, and lists of them in the
// three-level form; data pages of version 1 and 2; the encodings PLAIN, RLE
// (booleans), RLE_DICTIONARY and PLAIN_DICTIONARY, DELTA_BINARY_PACKED,
// DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT; the codecs
// UNCOMPRESSED, SNAPPY, GZIP, ZSTD, BROTLI, LZ4_RAW. A column that is none of
// these is refused when it is asked for, and only then.
//
// The formats are those of github.com/apache/parquet-format: parquet.thrift,
// Encodings.md, LogicalTypes.md.
package pages
