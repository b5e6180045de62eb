// Package roundtrip has no code: its tests take tables the whole way, from an owner's file through encryption and fusion to
// decrypted results, and compare with plain computations.
package roundtrip
