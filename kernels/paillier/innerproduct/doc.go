// Package innerproduct computes inner products of vectors that two servers hold in shares, under the key of one of them:
// the protocol of Goethals, Laur, Lipmaa and Mielikäinen ("On Private Scalar Product Computation for Privacy-Preserving
// Data Mining", ICISC 2004), with several records in a ciphertext (package shares, Convolution).
//
// The Owner of a key encrypts its shares of each column, block by block. The Peer raises the ciphertexts to the power of
// its own shares, multiplies all, adds masks and makes the randomness fresh. The owner opens the product and reads the
// middle slot. What the two then hold are shares of the sum of u_a·v_b + v_a·u_b modulo 2^64.
//
// What the owner sees is a plaintext whose every slot is masked, and a randomizer that is uniform in its group. Without
// fresh randomness it would read the peer's shares from the randomness of the product. What the peer sees is ciphertexts.
// Both follow the protocol but are curious (semi-honest).
//
// Respond is constant time in the masks as far as package paillier is. AddVarTime is not constant time in the peer's
// shares.
package innerproduct
