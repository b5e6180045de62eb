package store

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Store is what a data server keeps. Its methods may be called by several goroutines.
type Store interface {
	// Hold stores a batch, and notes that all servers hold the batches of its source up to Batch.Held. When it returns nil,
	// the batch is on disk. A batch that is held already is nothing to do. It returns a *GapError when the one before it is
	// missing, and a *ConflictError when another batch has its number.
	Hold(ctx context.Context, b *Batch) error

	// Held notes that all servers hold the batches of a source up to a number.
	Held(ctx context.Context, source string, number uint64) error

	// Sources returns what is held of each source, sorted by name.
	Sources(ctx context.Context) ([]Source, error)

	// Scan delivers the records of a selection in the order of patient and time: those at which a patient has a reading of
	// every column. A record is only valid until emit returns. Memory does not grow with the number of readings, but
	// with the batches that hold readings of a patient of about the same time.
	Scan(ctx context.Context, s *Selection, emit func(*Record) error) error

	// Decide runs a function on the ledger. What it added is on disk when Decide returns nil; when it returns an error, nothing
	// was added.
	Decide(ctx context.Context, f func(Ledger) error) error

	// Entries delivers the entries of the audit log from a number on.
	Entries(ctx context.Context, from uint64, f func(*Entry) error) error

	// Backup writes a copy of the store as it is at one moment. Others read and write meanwhile.
	Backup(ctx context.Context, w io.Writer) error

	Close() error
}

// Identity says whose data a store holds. A store is opened by the server that made it, and nobody else.
type Identity struct {
	Server     string `json:"server"`     // name
	Number     int    `json:"number"`     // from 0
	Servers    int    `json:"servers"`    // how many there are
	Deployment string `json:"deployment"` // all names, for the message
	Key        string `json:"key"`        // fingerprint of its secret key
}

// version of the layout of stores.
const version = 2

// OtherError says that a store belongs to somebody else or is of another version.
type OtherError struct{ File, What, Is, Want string }

func (e *OtherError) Error() string {
	return fmt.Sprintf("%s: the store is of another %s: %s, not %s", e.File, e.What, e.Is, e.Want)
}

// check compares the identity in a store with the one expected.
func (is Identity) check(file string, want Identity) error {
	switch {
	case is.Server != want.Server:
		return &OtherError{file, "server", is.Server, want.Server}
	case is.Number != want.Number:
		return &OtherError{file, "number of its server", fmt.Sprint(is.Number + 1), fmt.Sprint(want.Number + 1)}
	case is.Servers != want.Servers:
		return &OtherError{file, "number of servers", fmt.Sprint(is.Servers), fmt.Sprint(want.Servers)}
	case is.Deployment != want.Deployment:
		return &OtherError{file, "group of servers", is.Deployment, want.Deployment}
	case is.Key != want.Key:
		return &OtherError{file, "key", is.Key, want.Key}
	}
	return nil
}

// Source is what is held of one source.
type Source struct {
	Name string
	Held uint64 // batches 1 to Held are here
	All  uint64 // and 1 to All on all servers, as far as the gateway has said
}

// Selection is what Scan reads.
type Selection struct {
	Columns  []Column
	Patients []string          // sorted, each once; nil means all
	From     int64             // milliseconds since 1970, the first that counts
	Until    int64             // the first that does not count
	Cut      map[string]uint64 // the last batch that counts, of each source; of others, none
}

// Record is the readings of all columns of a selection at one time of a patient.
type Record struct {
	Patient  string
	Time     int64 // milliseconds since 1970
	Shares   []uint64
	Versions []uint64 // tell a reading from one that replaced it; alike on all servers
}

// Column is an attribute in a unit.
type Column struct{ Attribute, Unit string }

// GapError says that a batch, or one before it, is missing.
type GapError struct {
	Source       string
	Number, Held uint64
}

func (e *GapError) Error() string {
	if e.Number == e.Held+1 {
		return fmt.Sprintf("batch %d of %s is not held here", e.Number, e.Source)
	}
	return fmt.Sprintf("batch %d of %s comes after batch %d: those between are missing", e.Number, e.Source, e.Held)
}

// ConflictError says that another batch has the number.
type ConflictError struct {
	Source string
	Number uint64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("batch %d of %s is held already, with other readings", e.Number, e.Source)
}

// Ledger is what a decision reads and adds. It is valid within Decide only.
type Ledger interface {
	// Nonce adds a nonce, to be kept until a time. It reports whether it is new. Those whose time is over at now are forgotten.
	Nonce(nonce [32]byte, until, now int64) (bool, error)

	// Spent counts the expenses of a user since a time. Spend adds one.
	Spent(user string, since int64) (int, error)
	Spend(user string, at int64) error

	// Cohorts delivers the cohorts for which sums of an attribute were answered, each once. AddCohort adds one.
	Cohorts(c Column, f func(Cohort) error) error
	AddCohort(c Column, cohort Cohort) error

	// Append adds an entry to the audit log and returns its place and hash.
	Append(text []byte) (Entry, error)
}

// Entry is an entry of the audit log.
type Entry struct {
	Number uint64 // from 1
	Hash   [32]byte
	Text   []byte
}

// ErrDamaged says that a store, or its audit log, is not what was written.
var ErrDamaged = errors.New("the store is damaged")
