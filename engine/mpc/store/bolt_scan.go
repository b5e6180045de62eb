package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Scan implements Store.
func (s *Bolt) Scan(ctx context.Context, sel *Selection, emit func(*Record) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		cut := map[uint32]cutRow{} // by what keys have
		sources := tx.Bucket([]byte("sources"))
		for name, last := range sel.Cut {
			v := sources.Get([]byte(name))
			if v == nil {
				if last == 0 {
					continue
				}
				return &GapError{name, last, 0}
			}
			row, err := parseSource(v)
			if err != nil {
				return err
			}
			if row.held < last {
				return &GapError{name, last, row.held}
			}
			cut[row.id] = cutRow{name, last}
		}
		var columns []*readings
		for _, c := range sel.Columns {
			b := &boltRuns{cursor: tx.Bucket([]byte("readings")).Cursor(), prefix: columnKey(c), sel: sel, cut: cut}
			columns = append(columns, &readings{next: b.next, from: sel.From, until: sel.Until})
		}
		return join(ctx, columns, emit)
	})
}

type cutRow struct {
	name string
	last uint64
}

// boltRuns walks the runs of a column.
type boltRuns struct {
	cursor  *bolt.Cursor
	prefix  []byte // of the column
	sel     *Selection
	cut     map[uint32]cutRow
	patient int // the place in sel.Patients
	begun   bool
	last    string // the patient of the last run, so that equal names share memory
}

func (b *boltRuns) next() (*run, error) {
	for {
		k, v := b.step()
		if k == nil {
			return nil, nil
		}
		rest := k[len(b.prefix):]
		end := len(rest) - 29
		if end < 1 || rest[end] != 0 {
			return nil, fmt.Errorf("%w: the key of a run of readings", ErrDamaged)
		}
		tail := rest[end+1:]
		first := int64(binary.BigEndian.Uint64(tail) ^ 1<<63)
		if first >= b.sel.Until {
			continue
		}
		last, err := lastTime(v)
		if err != nil {
			return nil, err
		}
		number := binary.BigEndian.Uint64(tail[16:])
		source, ok := b.cut[binary.BigEndian.Uint32(tail[24:])]
		if last < b.sel.From || !ok || number > source.last {
			continue
		}
		if string(rest[:end]) != b.last {
			b.last = string(rest[:end])
		}
		r := &run{patient: b.last, made: int64(binary.BigEndian.Uint64(tail[8:]) ^ 1<<63), number: number, source: source.name}
		return r, r.open(v)
	}
}

// step goes to the next key of the column and of the patients asked for; nil at the end.
func (b *boltRuns) step() (k, v []byte) {
	if b.sel.Patients == nil {
		if !b.begun {
			b.begun = true
			k, v = b.cursor.Seek(b.prefix)
		} else {
			k, v = b.cursor.Next()
		}
		if !bytes.HasPrefix(k, b.prefix) {
			return nil, nil
		}
		return k, v
	}
	for b.patient < len(b.sel.Patients) {
		prefix := append(append(b.prefix[:len(b.prefix):len(b.prefix)], b.sel.Patients[b.patient]...), 0)
		if !b.begun {
			b.begun = true
			k, v = b.cursor.Seek(prefix)
		} else {
			k, v = b.cursor.Next()
		}
		if bytes.HasPrefix(k, prefix) {
			return k, v
		}
		b.patient, b.begun = b.patient+1, false
	}
	return nil, nil
}
