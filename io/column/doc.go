// Package column is the interface between file formats and the engine. It has batches of rows, held as Arrow records
// that know where each row came from; the Reader and Writer that every format implements; and InputError, the one way
// in which bad input is refused.
//
// # Memory
//
// Arrow memory is reference-counted. Three rules cover this package and every
// format built on it:
//
//   - A Batch returned by Reader.Read belongs to the caller, who calls
//     Release exactly once. It stays valid after further Reads and after
//     Close.
//   - A Batch passed to Writer.Write stays the caller's; the writer retains
//     what it needs beyond the call.
//   - A Reader that wraps another (Rechunk, RequireRows) owns
//     it: Close closes the wrapped reader.
//
// A Batch is owned by one goroutine at a time. Readers and Writers are not
// safe for concurrent use.
package column
