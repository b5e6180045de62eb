// Package ringlwe adds up vectors of many members under keys that only open the sum: private stream aggregation from
// ring learning with errors, one layer, with a fresh key for each round.
//
// In the ring Z_p[X]/(X^n+1), member i of a round draws a ternary key s_i and sends, for each block β of its vector,
//
//	c_iβ = a_β·s_i + t·e_iβ + x_iβ  mod p.
//
// The a_β are public and differ in every round; e is centred binomial noise. Whoever knows S, the weighted sum of the keys,
// reads the weighted sum of the x from that of the c: it is (Σ α_i·c_i - a·S mod p) mod t, both reduced to centred residues.
// One key of n small coefficients opens all blocks, so members who disappear cost little: their keys are shared by Shamir's
// scheme, and enough helpers add up their shares of the keys of those who are there.
//
// Sources: Becker, Guajardo, Zimmermann, Revisiting Private Stream Aggregation: Lattice-Based PSA (NDSS 2018); Takeshita,
// Karl, Gong, Jung, SLAP (2021), for the form with one layer; Bonawitz et al. (CCS 2017) for shares of keys.
//
// # Vectors
//
// An element of the ring is n words. With two primes it is n residues of the first, then n of the second. Ciphertexts are in
// the domain of the number-theoretic transform, each residue below its prime, packed to 50 or 40 bits in files.
//
// # What leaks
//
// Everything that depends on keys, values or noise takes the same time for all of them. Lengths, sets, block numbers, weights
// chosen after upload and ciphertexts are public. Functions panic when lengths do not agree, which is a caller's bug.
//
// # What it does not do
//
// Members and helpers are taken to follow the protocol. A member can send any vector; a sum of members all but one of whom
// work together tells the last one's vector. A key serves one encryption only; two openings of a round for different members
// tell the difference between them. Package federated of the engine sees to both.
package ringlwe

import "fmt"

//go:generate go -C _asm run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg ringlwe

// checkLen panics unless a length is what it must be.
func checkLen(what string, n, want int) {
	if n != want {
		panic(fmt.Sprintf("ringlwe: %d %s, not %d", n, what, want))
	}
}
