// Package pages reads and writes the columns of Parquet files as Arrow arrays.
// It is what parquetio and ctfile share.
//
// Writing goes through parquet-go: this package builds its schema from an Arrow
// schema (columns in the order given) and hands it values column by column.
//
// Reading goes through parquet-go's page cursors, one per column chunk, which
// decode levels, values and dictionaries. A guard stands between them and the
// file, as parquet-go v0.32.0 trusts the numbers in it: a list length in the
// footer, a page size, the length that compressed data gives itself, or a run
// length of five bytes each make it allocate gigabytes before it looks at a
// byte of what should be there, and Go cannot recover from running out of
// memory. So
//
//   - the footer is scanned before it is decoded, and its numbers are checked
//     against each other and the file's size (footer.go, thrift.go);
//   - the head of every page is checked against the chunk and the row group, and
//     parquet-go gets a new one (page.go); pages are decompressed here, up to the
//     size they claim, which is at most PageBytesMax (compress.go);
//   - runs, delta blocks and lengths are added up, without decoding them, before
//     parquet-go expands them: none may stand for more values than the page has,
//     and that is at most PageValuesMax (runs.go);
//   - a panic in decoding becomes an error (group.go).
//
// Plain values of a fixed width that are required and not compressed, as
// ciphertexts are, need no more than the check of the head: they go straight
// from the file to parquet-go's memory and from there to the Arrow buffer.
//
// So whatever the file says, a page takes at most PageBytesMax as it is in the
// file, decompressed, in parquet-go's memory, and once more decoded, and 6 bytes
// of levels and indices for each of at most PageValuesMax values; parquet-go
// holds two pages of a column. All but the last of these are backed by as many
// bytes in the file, times what its compression saves.
// What a batch takes of it (a dictionary entry repeated by a run of a few bytes)
// has the limits ColumnBytesMax and ListValuesMax.
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
