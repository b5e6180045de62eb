// Package parquetio reads and writes Parquet files as column batches.
//
// It reads only the columns asked for, row groups side by side when threads
// allow, in memory bounded by batches and pages. Fields of structures are read by
// their path, INT96 as time stamps of microseconds, FLOAT16 as FLOAT, columns of
// the type NULL as text without a value, UUIDs as text. Other columns (maps,
// lists of anything but plain values, INTERVAL, VARIANT, GEOMETRY, what is
// encrypted or compressed in a way that is not read) exist as names but are
// refused when asked for. It writes columns in the order of the schema, compressed by
// Snappy, with statistics; decimal128 as DECIMAL, in INT32 or INT64 as far as
// the digits fit, else in 16 bytes; seconds as milliseconds, because Parquet
// has none.
//
// Damaged files are refused by *column.InputError with the row group and the
// column; they neither panic nor make the reader allocate more than the limits
// that package pages states.
package parquetio
