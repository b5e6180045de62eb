// Package update takes the vectors of a round's members through it: Encrypt makes an encrypted update of a member's numbers,
// Fuse adds up updates without a key, Answer is what a helper says about a sum, and Open reads the mean from a sum and the
// answers of enough helpers.
//
// Numbers stream: a vector of any length is read, quantised, encrypted, added up and opened some blocks at a time.
//
// Who learns what: the aggregator, who fuses, sees ciphertexts. Whoever has a sum and answers for it reads the weighted sum of
// the quantised vectors and the sum of the weights, and nothing else of them. Helpers see shares of keys, of which fewer than
// the threshold tell nothing. All are taken to follow the protocol; docs/federated.md says what happens when they do not.
package update
