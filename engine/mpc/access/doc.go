// Package access says who may ask data servers what: certificates with roles, signed queries, policies.
//
// # Certificates
//
// A certificate names a role and who has it in one URI, such as urn:cipherfold:physician:alice. The roles are server,
// gateway, physician and researcher. A server's certificate has its host name as a DNS name besides. Any authority can issue
// such certificates; Authority is a small one.
//
// A person has two certificates. One is for TLS. The other, with an Ed25519 key and the extended key usage of signed mail, is
// for queries. A connection cannot be made with the second, nor a query signed with the first.
//
// # Queries
//
// A query is a JSON text that is signed as it is. It names the servers, a label that is used once, and the time. Each server
// checks signature, certificate, role, time, label and policy on its own (Gate).
package access
