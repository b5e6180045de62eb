// Package gateway collects readings for data servers: it reads tables, splits values into shares, keeps batches in a spool on
// disk, and sends each server its shares until it holds them.
//
// # Exactly once
//
// A batch is in the spool, on disk, before it is sent to any server, with a number that no other batch of the spool has. It
// leaves the spool when all servers hold it. Servers take a batch once. So a gateway that is killed goes on with the batches
// in its spool, and none counts twice or on some servers only.
//
// Rows that were read but not yet spooled are lost with the gateway. Reading the table again is safe: a reading with the same
// patient, attribute and time replaces the earlier one.
//
// # The spool
//
// The spool holds the shares for all servers, from which values can be computed: it is as secret as the readings. Its files
// are readable by their owner only, and removed when all servers hold them.
package gateway
