package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Buckets of the embedded store. Numbers are big-endian, so that keys sort by them; a time has its sign bit flipped.
//
//	meta      identity -> version and Identity as JSON
//	readings  attribute 0 unit 0 patient 0 first time (8) made (8) number (8) source (4) -> run
//	sources   name -> source (4), held (8), held by all (8)
//	batches   source (4) number (8) -> digest (32)
//	nonces    nonce (32) -> until (8)
//	forget    until (8) nonce (32) -> nothing
//	spent     user 0 time (8) count (4) -> nothing
//	answered  attribute 0 unit 0 digest of the cohort (32) -> nothing
//	cohorts   digest (32) -> Cohort
//	audit     number (8) -> hash (32), text
var buckets = []string{"meta", "readings", "sources", "batches", "nonces", "forget", "spent", "answered", "cohorts", "audit"}

// Bolt is a store in one file.
type Bolt struct {
	db   *bolt.DB
	file string
}

// identityLine is what meta holds.
type identityLine struct {
	Version int `json:"version"`
	Identity
}

// BoltOptions say how to open a file.
type BoltOptions struct {
	Identity Identity // whose data it must be; not checked when Any is set
	Any      bool     // take anyone's data, and make no new file
	ReadOnly bool
}

// OpenBolt opens a store in a file, or makes one. It returns an *OtherError when the file is of somebody else.
func OpenBolt(name string, o BoltOptions) (*Bolt, error) {
	if o.Any || o.ReadOnly {
		if _, err := os.Stat(name); err != nil {
			return nil, err
		}
	}
	db, err := bolt.Open(name, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: o.ReadOnly, FreelistType: bolt.FreelistMapType, NoFreelistSync: true})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: another process has the store open", name)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &Bolt{db: db, file: name}
	if err := s.begin(o); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func (s *Bolt) begin(o BoltOptions) error {
	identity, err := s.Identity()
	if err != nil {
		return err
	}
	if identity != nil {
		if o.Any {
			return nil
		}
		return identity.check(s.file, o.Identity)
	}
	if o.Any || o.ReadOnly {
		return fmt.Errorf("%s: the file is no store", s.file)
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		line, err := json.Marshal(identityLine{version, o.Identity})
		if err != nil {
			return err
		}
		return tx.Bucket([]byte("meta")).Put([]byte("identity"), line)
	})
}

// Identity is whose data the store holds; nil when it is new.
func (s *Bolt) Identity() (*Identity, error) {
	var line identityLine
	found := false
	err := s.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%s: the file is no store of a data server", s.file)
			}
			return nil
		}
		found = true
		if err := json.Unmarshal(meta.Get([]byte("identity")), &line); err != nil {
			return fmt.Errorf("%s: %w: %w", s.file, ErrDamaged, err)
		}
		if line.Version != version {
			return &OtherError{s.file, "version", fmt.Sprint(line.Version), fmt.Sprint(version)}
		}
		for _, name := range buckets {
			if tx.Bucket([]byte(name)) == nil {
				return fmt.Errorf("%s: %w: it has no %s", s.file, ErrDamaged, name)
			}
		}
		return nil
	})
	if err != nil || !found {
		return nil, err
	}
	return &line.Identity, nil
}

func (s *Bolt) Close() error { return s.db.Close() }

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// timeKey sorts as times do.
func timeKey(dst []byte, t int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(t)^1<<63) }

// columnKey is the beginning of all keys of a column.
func columnKey(c Column) []byte {
	return append(append(append(append(make([]byte, 0, 320), c.Attribute...), 0), c.Unit...), 0)
}

// sourceRow is the value of a source.
type sourceRow struct {
	id        uint32
	held, all uint64
}

func (r sourceRow) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, r.id)
	return append(append(b, number(r.held)...), number(r.all)...)
}

func parseSource(v []byte) (sourceRow, error) {
	if len(v) != 20 {
		return sourceRow{}, fmt.Errorf("%w: a source", ErrDamaged)
	}
	return sourceRow{binary.BigEndian.Uint32(v), binary.BigEndian.Uint64(v[4:]), binary.BigEndian.Uint64(v[12:])}, nil
}

// Hold implements Store.
func (s *Bolt) Hold(ctx context.Context, b *Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	digest := b.digest()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		sources, batches, stored := tx.Bucket([]byte("sources")), tx.Bucket([]byte("batches")), tx.Bucket([]byte("readings"))
		stored.FillPercent = 0.8
		var row sourceRow
		if v := sources.Get([]byte(b.Source)); v != nil {
			var err error
			if row, err = parseSource(v); err != nil {
				return err
			}
		} else {
			id, err := sources.NextSequence()
			if err != nil || id > math.MaxUint32 {
				return fmt.Errorf("a new source: %d, %w", id, err)
			}
			row.id = uint32(id)
		}
		key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, row.id), b.Number)
		if b.Number <= row.held {
			if string(batches.Get(key)) != string(digest[:]) {
				return &ConflictError{b.Source, b.Number}
			}
		} else {
			if b.Number != row.held+1 {
				return &GapError{b.Source, b.Number, row.held}
			}
			row.held = b.Number
			if err := batches.Put(key, digest[:]); err != nil {
				return err
			}
			tail := append(append(timeKey(nil, b.Made), number(b.Number)...), key[:4]...)
			for i := range b.Series {
				if err := putSeries(stored, &b.Series[i], tail); err != nil {
					return err
				}
			}
		}
		row.all = max(row.all, min(b.Held, row.held))
		return sources.Put([]byte(b.Source), row.encode())
	})
}

// putSeries writes the runs of a series. tail ends their keys.
func putSeries(stored *bolt.Bucket, s *Series, tail []byte) error {
	prefix := append(append(columnKey(s.Column), s.Patient...), 0)
	for first := 0; first < len(s.Times); first += runReadings {
		end := min(first+runReadings, len(s.Times))
		key := append(timeKey(append(make([]byte, 0, len(prefix)+28), prefix...), s.Times[first]), tail...)
		if err := stored.Put(key, appendRun(nil, s.Times[first:end], s.Shares[first:end])); err != nil {
			return err
		}
	}
	return nil
}

// Held implements Store.
func (s *Bolt) Held(_ context.Context, source string, number uint64) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		sources := tx.Bucket([]byte("sources"))
		v := sources.Get([]byte(source))
		if v == nil {
			return &GapError{source, number, 0}
		}
		row, err := parseSource(v)
		if err != nil {
			return err
		}
		if number > row.held {
			return &GapError{source, number, row.held}
		}
		row.all = max(row.all, number)
		return sources.Put([]byte(source), row.encode())
	})
}

// Sources implements Store.
func (s *Bolt) Sources(context.Context) (list []Source, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("sources")).ForEach(func(name, v []byte) error {
			row, err := parseSource(v)
			list = append(list, Source{Name: string(name), Held: row.held, All: row.all})
			return err
		})
	})
	return list, err
}

// Entries implements Store.
func (s *Bolt) Entries(ctx context.Context, from uint64, f func(*Entry) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte("audit")).Cursor()
		for k, v := c.Seek(number(from)); k != nil; k, v = c.Next() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if len(k) != 8 || len(v) < sha256.Size {
				return fmt.Errorf("%w: an entry of the audit log", ErrDamaged)
			}
			if err := f(&Entry{Number: binary.BigEndian.Uint64(k), Hash: [32]byte(v), Text: v[sha256.Size:]}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Backup implements Store. What it writes is a file of a store.
func (s *Bolt) Backup(_ context.Context, w io.Writer) error {
	return s.db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Decide implements Store.
func (s *Bolt) Decide(ctx context.Context, f func(Ledger) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return s.db.Update(func(tx *bolt.Tx) error { return f(boltLedger{tx}) })
}

// boltLedger is a transaction.
type boltLedger struct{ tx *bolt.Tx }

func (l boltLedger) Nonce(nonce [32]byte, until, now int64) (bool, error) {
	nonces, forget := l.tx.Bucket([]byte("nonces")), l.tx.Bucket([]byte("forget"))
	c := forget.Cursor()
	for k, _ := c.First(); k != nil && string(k[:8]) < string(timeKey(nil, now)); k, _ = c.First() {
		old := append([]byte(nil), k[8:]...)
		if err := c.Delete(); err != nil {
			return false, err
		}
		if err := nonces.Delete(old); err != nil {
			return false, err
		}
	}
	if nonces.Get(nonce[:]) != nil {
		return false, nil
	}
	if err := nonces.Put(nonce[:], timeKey(nil, until)); err != nil {
		return false, err
	}
	return true, forget.Put(append(timeKey(nil, until), nonce[:]...), nil)
}

func (l boltLedger) Spent(user string, since int64) (n int, err error) {
	prefix := string(append([]byte(user), 0))
	c := l.tx.Bucket([]byte("spent")).Cursor()
	for k, _ := c.Seek(timeKey([]byte(prefix), since)); k != nil && len(k) == len(prefix)+12 && string(k[:len(prefix)]) == prefix; k, _ = c.Next() {
		n++
	}
	return n, nil
}

func (l boltLedger) Spend(user string, at int64) error {
	spent := l.tx.Bucket([]byte("spent"))
	id, err := spent.NextSequence()
	if err != nil {
		return err
	}
	return spent.Put(binary.BigEndian.AppendUint32(timeKey(append([]byte(user), 0), at), uint32(id)), nil)
}

func (l boltLedger) Cohorts(column Column, f func(Cohort) error) error {
	prefix, cohorts := string(columnKey(column)), l.tx.Bucket([]byte("cohorts"))
	c := l.tx.Bucket([]byte("answered")).Cursor()
	for k, _ := c.Seek([]byte(prefix)); k != nil && len(k) == len(prefix)+sha256.Size && string(k[:len(prefix)]) == prefix; k, _ = c.Next() {
		cohort := cohorts.Get(k[len(prefix):])
		if len(cohort)%memberBytes != 0 {
			return fmt.Errorf("%w: a cohort", ErrDamaged)
		}
		if err := f(cohort); err != nil {
			return err
		}
	}
	return nil
}

func (l boltLedger) AddCohort(c Column, cohort Cohort) error {
	digest := cohort.Digest()
	if err := l.tx.Bucket([]byte("cohorts")).Put(digest[:], cohort); err != nil {
		return err
	}
	return l.tx.Bucket([]byte("answered")).Put(append(columnKey(c), digest[:]...), nil)
}

func (l boltLedger) Append(text []byte) (Entry, error) {
	audit := l.tx.Bucket([]byte("audit"))
	e, before := Entry{Number: 1, Text: text}, [32]byte{}
	if k, v := audit.Cursor().Last(); k != nil {
		if len(k) != 8 || len(v) < sha256.Size {
			return e, fmt.Errorf("%w: an entry of the audit log", ErrDamaged)
		}
		e.Number, before = binary.BigEndian.Uint64(k)+1, [32]byte(v)
	}
	e.Hash = link(before, e.Number, text)
	return e, audit.Put(number(e.Number), append(append([]byte(nil), e.Hash[:]...), text...))
}
