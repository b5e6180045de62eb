// Package ctfile reads and writes encrypted tables. They are Parquet files whose columns are record ids in the clear
// and ciphertexts. The footer says under which key, in which packing and with which bounds the ciphertexts were made.
// Any Parquet reader can open them. docs/file-format.md is the normative description of the format; this is version 1.
//
// # Parquet schema
//
// The columns are the id columns, in the order of Table.IDs, then the ciphertext columns, in the order of
// Table.Columns, and nothing else.
//
// An id column keeps the type it had in the source and is REQUIRED. In the "blocks" layout it is a REQUIRED list of
// REQUIRED elements, the ids of the records in the row's block. A ciphertext column is REQUIRED
// FIXED_LEN_BYTE_ARRAY(2·Bits/8), encoded PLAIN and not compressed. It has no statistics, as minima and maxima are
// bytes of ciphertexts. A value is one ciphertext, big-endian.
//
// # Footer
//
// It has three keys, each exactly once: "cipherfold.version" is "1"; "cipherfold.table" is a Table as JSON;
// "cipherfold.table.sha256" is the SHA-256 of that JSON text, in lower-case hex. A reader refuses versions and fields
// that it does not know, except fields whose names begin with "x_", which it ignores.
//
// # Digests
//
// Table.RowGroups has two digests for each row group. The reader checks them while it streams. They find corruption in
// files that travel between institutions. They are no protection against forgery.
//
// With H = SHA-256 and ‖ = concatenation, the digest of the ciphertexts is
//
//	H( H(values of column 1) ‖ H(values of column 2) ‖ ... )
//
// over Table.Columns, where "values" are the bytes of all ciphertexts of the
// row group in row order. The digest of the ids is
//
//	H( D(column 1) ‖ D(column 2) ‖ ... )    over Table.IDs
//	D(column) = H( H(type) ‖ H(lists) ‖ H(lengths) ‖ H(values) )
//
// "type" is the name of the ids' type: bool, int8 to int64, uint8 to uint64, float, double, text, binary or date;
// fixed(W) of W bytes; time(U) of unit U (ms, us or ns); decimal(P,S) of precision P and scale S; timestamp(U,true) of
// unit U adjusted to UTC, or timestamp(U,false) of local time.
//
// "lists" are the number of elements of each row's list, as 4 bytes little-endian each. In the "records" layout it is
// empty.
//
// "lengths" are the lengths in bytes of each id, as 4 bytes little-endian each, for text and binary ids. For all other
// types it is empty.
//
// "values" are the ids one after the other. Integers, dates and time stamps are 8 bytes little-endian (sign-extended
// if signed). Booleans are a byte 0 or 1. FLOAT and DOUBLE are 4 and 8 bytes little-endian. Decimals are 16 bytes
// little-endian, two's complement. Text and binary are as they are.
//
// Without id columns the digest is that of nothing, H("").
package ctfile
