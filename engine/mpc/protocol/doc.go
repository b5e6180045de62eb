// Package protocol is what the data servers of package mpc and their user compute together: sums, and sums of products,
// of columns that the servers hold in shares.
//
// # A query
//
// Each of n servers holds a share modulo 2^64 of every value (kernels/shares). The user learns the sums of a Query and
// nothing else, and the servers learn nothing. Sums of columns need no cryptography: a server adds up its shares. A sum
// of products x·y = (x_1+...+x_n)·(y_1+...+y_n) has parts x_j·y_j, which server j computes alone, and parts x_a·y_b +
// x_b·y_a for each two servers, which they compute under the key of one of them (kernels/paillier/innerproduct).
//
//  1. Each server encrypts its shares of the columns that are multiplied, in chunks, for its peers: Send.
//  2. A peer multiplies them with its own shares and answers with one ciphertext for each sum: Answer.
//  3. The server opens the answer: Open.
//  4. It adds its own part and shares of zero, and sends the user one word for each sum: Result.
//  5. The user adds the words of all servers: Sums.
//
// # What it protects
//
// Servers follow the protocol but are curious (semi-honest). As long as one of them is honest, all others together, with
// the user, learn no more than the sums that the user asked for: every word that leaves a server is masked. The masks
// hide statistically, with a distance below 2^-40 for each slot. The rest rests on the keys' assumption.
//
// Channels between servers, and to the user, must be private and authenticated; nothing here does that. Sums themselves
// can tell about a person: the sum over a cohort and over the same cohort without one record reveal that record.
//
// A peer's computation is not constant time in its shares: see innerproduct.Peer.AddVarTime.
package protocol
