// Package store keeps what one data server holds: its shares of readings, and its record of who asked what.
//
// A reading is a value of an attribute, in a unit, of a patient at a time. A server stores its share of the value, a word
// modulo 2^64, and the rest in the clear.
//
// # Batches
//
// Readings come in batches of a source, numbered from 1 without gaps. A batch is held as a whole or not at all, and once: a
// number that is held is taken again when it is the same batch, and refused when it is another. A query counts the batches up
// to a number of each source, its Cut, which all servers must hold. So no reading counts on some servers only.
//
// A reading that is sent again, with the same patient, attribute, unit and time, replaces the earlier one. Earlier is what
// the gateway says that it made earlier.
//
// # Decisions
//
// Decide runs a function in a transaction in which it looks up and adds nonces, answered cohorts, expenses and entries of
// the audit log. All of that is written, or nothing.
//
// The audit log is a chain: the hash of an entry is SHA-256 of the hash before it and the entry. Nothing is ever removed
// from it, nor any reading.
package store
