// Package pages reads and writes the columns of Parquet files as Arrow arrays. Packages parquetio and ctfile share it.
//
// Writing goes through parquet-go: this package builds its schema from an Arrow
// schema (columns in the order given) and hands it values column by column.
//
// Reading goes through parquet-go's page cursors, one per column chunk, which decode levels, values and dictionaries.
// parquet-go v0.32.0 trusts the numbers in a file. A list length in the footer, a page size, the length that
// compressed data claims, or a run length of five bytes can each make it allocate gigabytes, before it looks at the
// data. Go cannot recover from running out of memory. So a guard stands between parquet-go and the file:
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
// Some values need only the check of the head: plain values of a fixed width that are required and not compressed,
// such as ciphertexts. They go straight from the file to parquet-go's memory and from there to the Arrow buffer.
//
// So the memory for a page is bounded, whatever the file says. It takes at most PageBytesMax each as it is in the
// file, decompressed, in parquet-go's memory, and decoded. To these come 6 bytes of levels and indices for each of at
// most PageValuesMax values. parquet-go holds two pages of a column. All of this, except levels and indices, is backed
// by as many bytes in the file, times what its compression saves. The part of it that goes into a batch (a few bytes
// can repeat a dictionary entry in a run) is limited by ColumnBytesMax and ListValuesMax.
//
// Read are: BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY and
// FIXED_LEN_BYTE_ARRAY columns, required or optional, at the top or within
// structures, and lists of them in the three-level form; data pages of version 1 and 2; the encodings PLAIN, RLE
// (booleans), RLE_DICTIONARY and PLAIN_DICTIONARY, DELTA_BINARY_PACKED,
// DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT; the codecs
// UNCOMPRESSED, SNAPPY, GZIP, ZSTD, BROTLI, LZ4_RAW. A column that is none of
// these is refused when it is asked for, and only then.
//
// The formats are those of github.com/apache/parquet-format: parquet.thrift,
// Encodings.md, LogicalTypes.md.
package pages
