// Package updatefile reads and writes encrypted updates of federated learning, and sums of them. They are Parquet files
// with a row for each prime of each block of ciphertext. Any Parquet reader can open them. This is version 1 of the format.
//
// # Parquet schema
//
// There are four columns, all REQUIRED: "tensor" (INT32) is the number, from 0, of the tensor in which the block's first
// value lies; "block" (INT64) counts blocks from 0, "limb" (INT32) the primes of a block; "ciphertext" is
// FIXED_LEN_BYTE_ARRAY of Footer.BlockBytes/Footer.Limbs, PLAIN, not compressed and without statistics.
//
// # Footer
//
// It has three keys, each exactly once: "cipherfold.update.version" is "1"; "cipherfold.update" is a Footer as JSON;
// "cipherfold.update.sha256" is the SHA-256 of that JSON text in lower-case hex. This digest names the file: as the footer
// has digests of all row groups, it covers all blocks. A reader refuses fields that it does not know.
//
// # Digests
//
// The digest of a row group is the SHA-256 of its blocks, one after the other. Readers check it while they stream.
package updatefile
