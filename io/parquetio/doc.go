// Package parquetio reads and writes Parquet files as column batches.
//
// It reads only the columns asked for, several row groups at a time when threads allow, in memory bounded by batches
// and pages. Columns of nested types other than lists of plain values, and INT96, exist as names but are refused when
// asked for.
//
// It writes columns in the order of the schema, compressed by Snappy, with statistics. decimal128 becomes DECIMAL, in
// INT32 or INT64 if the digits fit, else in 16 bytes. Seconds become milliseconds, because Parquet has none.
//
// Damaged files are refused by *column.InputError with the row group and the
// column; they neither panic nor make the reader allocate more than the limits
// that package pages states.
package parquetio
