// Package trust says who made an encrypted table: the signatures of owners and aggregators in its footer, and the list of
// those whom somebody trusts.
//
// An owner signs a statement about each file of its table: its id, its key, its size, and digests of all that the footer
// says, those of the ciphertexts among it. A sum carries the statements on the tables in it, and its aggregator signs
// one on the sum. So a key holder who has a sum alone knows which tables its aggregator answers for. That the product is
// right follows from no signature: see docs/threat-model.md.
//
// Signatures are Ed25519 (RFC 8032). docs/file-format.md has the bytes that are signed.
package trust
