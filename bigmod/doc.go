// Package bigmod is modular arithmetic on batches of fixed-width integers: the one place where this program
// multiplies large numbers.
//
// A [Modulus] is an odd number of at most [MaxBits] bits. A [Ring] computes on vectors ([Vec]) of residues of one
// modulus; the layout of a vector belongs to the Ring that made it, so that implementations may choose their own
// radix and interleaving. [Generic] is the portable implementation in radix 2^64; others register themselves as an
// [Implementation] and must pass the suite in bigmod/bigmodtest. Beside the rings there are exact operations on
// little-endian word slices ([MulWords], [ExactDivisor], [CRT]) that the schemes above need.
//
// # Constant time
//
// Operations leak the lengths of their operands (number of elements, of words, of bits of the modulus, of bytes of
// an exponent) but nothing about the values: neither branches nor addresses depend on them, and a modulus may
// itself be secret. The exceptions say so in their documentation: functions named ...VarTime, indices and repetition
// counts, and the position reported by a range check.
package bigmod
