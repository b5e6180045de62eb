// Package wire carries the protocol of data servers between two of them over a connection: TLS 1.3 with certificates on
// both sides.
//
// A connection serves one direction of one query. The owner of a key offers its encrypted shares (Offer), the peer accepts
// them and answers (Accept). Both first compare what they were asked: the query, its label, and the keys of all servers.
//
// # Frames
//
// A frame is a byte that says what it is, the length of its body in 4 bytes, big-endian, and the body. A body of more
// than the limit that the query allows is refused before it is read. Numbers are big-endian.
//
//	hello   version (1), owner (2), peer (2), digest of the query and keys (32)
//	chunk   group (4), first record (8), records (4), columns (2), for each column: length (4), ciphertexts
//	end     nothing: there are no more chunks, or no more answers
//	answer  ciphertexts of one group
//	error   a text of 1000 bytes at most, for the other side's message
package wire
