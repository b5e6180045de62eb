// Package paillier is additively homomorphic encryption of batches of integers modulo N, in three variants that share
// one ciphertext space (Z/N²)* and one decryption:
//
//   - [Textbook]: c = (1+mN)·r^N mod N², r uniform in (Z/N)* (Paillier, EUROCRYPT '99, with g = N+1);
//   - [DJN]: c = (1+mN)·hs^r, hs = h^N mod N², h = -y² mod N, r uniform of ceil(|N|/2) bits (Damgard, Jurik and Nielsen,
//     Int. J. Inf. Secur. 9, 2010);
//   - [MHL]: c = (1+mN)·hs^r with h of order 2·pa·qa, where pa and qa are short primes dividing p-1 and q-1, and r
//     uniform of |pa·qa| bits (Ma, Han and Lei, ACSAC 2021).
//
// A key is a [PublicKey] or a [SecretKey]. Workers do the arithmetic: an [Encryptor], made by either key (the owner of
// the secret key encrypts faster), a [Decryptor], an [Evaluator] for sums and weighted sums of
// ciphertexts, and an [Accumulator] for sums by group. A worker holds its own scratch and serves one goroutine at a
// time; keys serve any number, and share their tables of powers among all workers.
//
// # Batches
//
// A plaintext batch is n residues modulo N, each PlaintextLimbs() little-endian 64-bit words, one after the other. A
// ciphertext batch is n residues modulo N², each CiphertextSize() bytes big-endian. Signed numbers v stand for the
// residue v mod N; nothing here knows whether a sum has left the range -(N-1)/2..(N-1)/2, arithmetic wraps silently:
// callers decide about headroom before they compute.
//
// # Constant time
//
// Encryption is constant time in plaintexts and randomness, decryption in the secret key and plaintexts, as far as
// package bigmod is. Which ciphertext of a batch is refused leaks, and so do all operations on ciphertexts, weights and
// public keys (Evaluator and Accumulator hold no secrets). Generating, parsing and importing keys uses math/big and is
// not constant time.
//
// # Files
//
// One file is one operation or one kind of worker, so there are more than in other packages. Products of powers are in
// multiexp_straus.go (one exponent for each batch) and multiexp_pippenger.go (one for each ciphertext), single powers in
// exp_window.go. Encryption with randomness that the caller chooses is in known_answers.go and reached by package
// internal/knownanswer only.
package paillier
