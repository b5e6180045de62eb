// Package sums adds up ciphertexts by key: any number of rows with any number of distinct keys, in a stated amount of
// memory, with the result in ascending order of the keys.
//
// Rows come in one of two ways. Rows of inputs in no particular order go into a [Table]. For every key it holds the
// number of records and additions, and a product of ciphertexts for each of its slots. When its memory is used up, the
// largest part of it is sorted and written to an anonymous file as a run, and starts empty. Inputs that are already in
// ascending order are a [Source] as they are. In the end [Merge] combines what the table holds, its runs, and sorted
// inputs. Equal keys are multiplied on all workers. The results are delivered in batches, to an encrypted table or to
// a run file ([CreateFile]) that another process merges later.
//
// # Keys
//
// A key is any bytes; keys are in the order of bytes.Compare, and equal ones belong together.
//
// # Sums
//
// A slot is a place for the product of a key's ciphertexts of one kind. In memory and in anonymous files it is a product
// as [paillier.Multiplier] leaves it, with its number of factors, and can be missing (no factors); in run files it is a
// ciphertext. All are rows of equal length.
//
// # Memory
//
// Tables, runs being read, and rows being multiplied live in pieces of one [Pool], which is never exceeded. Other
// memory has a bound that does not depend on the number of rows: for each worker, the rows of two batches; for each
// run, 12 bytes for every piece that it was written in.
package sums
