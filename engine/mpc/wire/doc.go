// Package wire carries the protocol of data servers over connections: TLS 1.3 with certificates on both sides.
//
// A Node is a server that answers queries. A User asks all nodes at once (Ask); they meet by a random label of the query.
// Who may ask what is for the node's owner to say, in Config.Open.
//
// A connection serves one direction of one query. The owner of a key offers its encrypted shares (Offer), the peer accepts
// them and answers (Accept). Both first compare what they were asked: the query, its label, and the keys of all servers.
//
// # Frames
//
// A frame is a byte that says what it is, the length of its body in 4 bytes, big-endian, and the body. A body of more
// than the limit that the query allows is refused before it is read. Numbers are big-endian.
//
//	hello      version (1), owner (2), peer (2), digest of the query and keys (32)
//	chunk      group (4), first record (8), records (4), columns (2), for each column: length (4), ciphertexts
//	end        nothing: there are no more chunks, or no more answers
//	answer     ciphertexts of one group
//	query      label (32), the query as JSON; the first frame of a user
//	direction  label (32), owner (2); the first frame of a server to its peer, before hello
//	result     a word of 8 bytes for each sum
//	error      a text of 1000 bytes at most, for the other side's message
package wire
