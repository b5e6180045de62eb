// Package round describes rounds of federated learning, and who takes part in them.
//
// A round adds up one vector of each member, such as the gradients of a model. Its description is a file that all members
// have, byte for byte the same: set of parameters, length of the vectors, how numbers are quantised, members, thresholds. Its
// SHA-256 is in everything that is made in the round, so that nothing of another round is taken for it.
//
// A member has an identity: a key that signs, and one to which shares of keys are sealed. The members' cards, the public
// parts, are in the description. Whoever makes the description could put members of their own into it; so members compare
// the fingerprints of the cards with each other before they take part.
//
// Sums are opened by helpers, who are members. Each keeps, beside its identity, a record of the rounds it has answered for,
// and answers once.
package round
