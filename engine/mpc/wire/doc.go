// Package wire carries the protocol of data servers over connections: TLS 1.3 with certificates on both sides.
//
// A Node is a server that answers queries. A User asks all nodes at once (Ask); they meet by a random label of the query.
// Who may ask what is for the node's owner to say, in Config.Open.
//
// Values are retrieved in the same way, but for what the nodes do: each takes the message of the node before it, adds its
// shares under the user's key, and passes it on; the last one passes it to the user (protocol.Retrieval).
//
// Beside queries a node answers calls: a request of one frame, a response of several (Caller). What they are about is for the
// node's owner, in Config.Call.
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
//	query      label (32), the text of the query; the first frame of a user
//	direction  label (32), owner (2); the first frame of a server to its peer, before hello
//	pass       label (32), number (2); the first frame of a server to the next one in a retrieval, before hello
//	values     ciphertexts of consecutive values, from a server to the next one, or to the user
//	head       what the node's owner tells the user before the result
//	result     a word of 8 bytes for each sum
//	call       a byte that says what it is, and its body; the first frame of anybody, and of each further call
//	part       a part of the response; the response ends with end
//	error      a text of 1000 bytes at most, for the other side's message
package wire
