// Package server is a data server: a store of shares (package store), rules for who may ask what (package access), and a node
// that computes with the other servers (package wire), made from one configuration file.
//
// A server knows for each reading who it is about, what was measured and when; of the value it has a share, which looks like
// noise. It learns which queries are asked, by whom, and how many records they are about; of their results it learns nothing.
//
// # A query
//
// The server checks signature, certificate, role, time and label. It reads its shares of the records that are asked for and
// decides, with the number of patients, whether to answer (access.Gate). It notes this in its audit log, computes with the other
// servers, notes the answer, and sends its part to the user. Servers first compare digests of the query, the records and the
// keys, so that none computes with servers that see other records.
//
// # Calls
//
// A gateway stores batches; everybody with a role may ask for the catalogue of attributes and how many batches are held; the
// server's own certificate gets a backup.
package server
