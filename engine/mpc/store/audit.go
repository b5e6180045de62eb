package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// link is the hash of an entry that follows another one.
func link(before [32]byte, number uint64, text []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("cipherfold audit 1"))
	h.Write(before[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], number)
	h.Write(n[:])
	h.Write(text)
	return [32]byte(h.Sum(nil))
}

// VerifyAudit computes the chain of the audit log again and returns its last entry, nil when there is none. An error that
// wraps ErrDamaged names the first entry that is missing or was changed. Entries that were cut off at the end are seen only
// by comparing the last hash with one that was noted elsewhere.
func VerifyAudit(ctx context.Context, s Store) (last *Entry, err error) {
	before, number := [32]byte{}, uint64(0)
	err = s.Entries(ctx, 1, func(e *Entry) error {
		number++
		if e.Number != number {
			return fmt.Errorf("%w: entry %d of the audit log is missing", ErrDamaged, number)
		}
		if before = link(before, number, e.Text); before != e.Hash {
			return fmt.Errorf("%w: entry %d of the audit log, or one before it, was changed", ErrDamaged, number)
		}
		last = &Entry{Number: number, Hash: e.Hash, Text: append([]byte(nil), e.Text...)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return last, nil
}
