package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/store/storetest"
)

var identity = store.Identity{Server: "s1", Number: 0, Servers: 3, Deployment: "s1 s2 s3", Key: "k"}

func openBolt(t *testing.T, name string) *store.Bolt {
	t.Helper()
	s, err := store.OpenBolt(name, store.BoltOptions{Identity: identity})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBolt(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T) storetest.Opener {
		name := filepath.Join(t.TempDir(), "s.db")
		return func(t *testing.T) store.Store { return openBolt(t, name) }
	})
}

// A store of somebody else, of another version, in use, or that is none is refused with the reason.
func TestOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "s.db")
	s := openBolt(t, name)
	if _, err := store.OpenBolt(name, store.BoltOptions{Identity: identity}); err == nil || !strings.Contains(err.Error(), "another process has the store open") {
		t.Errorf("in use: %v", err)
	}
	s.Close()
	for want, change := range map[string]func(*store.Identity){
		"another server: s1, not s9":                    func(i *store.Identity) { i.Server = "s9" },
		"another number of its server: 1, not 2":        func(i *store.Identity) { i.Number = 1 },
		"another number of servers: 3, not 4":           func(i *store.Identity) { i.Servers = 4 },
		"another group of servers: s1 s2 s3, not s1 s2": func(i *store.Identity) { i.Deployment = "s1 s2" },
		"another key: k, not l":                         func(i *store.Identity) { i.Key = "l" },
	} {
		other := identity
		change(&other)
		var refused *store.OtherError
		if _, err := store.OpenBolt(name, store.BoltOptions{Identity: other}); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	edit := func(name string, f func(*bolt.Tx) error) {
		t.Helper()
		db, err := bolt.Open(name, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(f); err != nil {
			t.Fatal(err)
		}
	}
	edit(name, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("identity"), []byte(`{"version":9}`))
	})
	foreign, none, text := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "none.db"), filepath.Join(dir, "text.db")
	edit(foreign, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err })
	if err := os.WriteFile(text, bytes.Repeat([]byte("text "), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{name: "another version: 9, not 2", foreign: "no store of a data server", text: "invalid database"} {
		if _, err := store.OpenBolt(file, store.BoltOptions{Identity: identity}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := store.OpenBolt(none, store.BoltOptions{Any: true, ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A change of any entry of the audit log, or one that is missing, is found.
func TestAuditDamage(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*bolt.Bucket) error{
		"entry 2 of the audit log, or one before it, was changed": func(b *bolt.Bucket) error {
			k := binary.BigEndian.AppendUint64(nil, 2)
			v := append([]byte(nil), b.Get(k)...)
			v[len(v)-1] ^= 1
			return b.Put(k, v)
		},
		"entry 1 of the audit log is missing": func(b *bolt.Bucket) error { return b.Delete(binary.BigEndian.AppendUint64(nil, 1)) },
		"an entry of the audit log":           func(b *bolt.Bucket) error { return b.Put(binary.BigEndian.AppendUint64(nil, 3), []byte("short")) },
	} {
		name := filepath.Join(t.TempDir(), "s.db")
		s := openBolt(t, name)
		if err := s.Decide(t.Context(), func(l store.Ledger) error {
			for _, text := range []string{"one", "two", "three"} {
				if _, err := l.Append([]byte(text)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		db, err := bolt.Open(name, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket([]byte("audit"))) }); err != nil {
			t.Fatal(err)
		}
		db.Close()
		s = openBolt(t, name)
		if _, err := store.VerifyAudit(t.Context(), s); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		s.Close()
	}
}

// What a batch's parser takes, it writes again; anything else is an error and no panic.
func FuzzParseBatch(f *testing.F) {
	b := &store.Batch{Source: "g/1", Number: 7, Made: 99, Series: []store.Series{{Column: store.Column{Attribute: "HR", Unit: "bpm"}, Patient: "p", Times: []int64{-5, 1, 1 << 62}, Shares: []uint64{1, 2, 3}}}}
	f.Add(b.AppendHead(nil), b.AppendShares(nil))
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, head, shares []byte) {
		b, err := store.ParseBatch(head, shares)
		if err != nil {
			return
		}
		again, err := store.ParseBatch(b.AppendHead(nil), b.AppendShares(nil))
		if err != nil || !bytes.Equal(again.AppendHead(nil), b.AppendHead(nil)) || !bytes.Equal(again.AppendShares(nil), shares) {
			t.Errorf("%+v again is %+v, %v", b, again, err)
		}
	})
}

// The difference of cohorts counts patients who are in one only, and those with other records. Those whose readings were only
// stored again count apart.
func TestCohorts(t *testing.T) {
	t.Parallel()
	type record struct {
		patient string
		time    int64
	}
	build := func(version uint64, records ...record) store.Cohort {
		var b store.CohortBuilder
		for _, r := range records {
			b.Add(r.patient, r.time, version)
		}
		return b.Cohort()
	}
	make := func(records ...record) store.Cohort { return build(1, records...) }
	a := make(record{"a", 1}, record{"a", 2}, record{"b", 1}, record{"c", 1})
	for want, c := range map[int]store.Cohort{
		0: make(record{"a", 1}, record{"a", 2}, record{"b", 1}, record{"c", 1}),
		1: make(record{"a", 1}, record{"b", 1}, record{"c", 1}),
		2: make(record{"a", 1}, record{"a", 2}, record{"d", 1}, record{"c", 1}),
		3: make(),
		4: make(record{"a", 3}, record{"b", 2}, record{"c", 0}, record{"d", 1}),
	} {
		for _, x := range [][2]store.Cohort{{a, c}, {c, a}} {
			if places, all := x[0].Different(x[1], 10); places != want || all != want {
				t.Errorf("%d and %d patients differ, not %d", places, all, want)
			}
			if places, all := x[0].Different(x[1], 2); min(places, 2) != min(want, 2) || all < places {
				t.Errorf("at least %d of %d patients differ, and %d", places, want, all)
			}
		}
	}
	again := build(2, record{"a", 1}, record{"a", 2}, record{"b", 1}, record{"c", 1})
	if places, all := a.Different(again, 10); places != 0 || all != 3 {
		t.Errorf("stored again: %d and %d patients differ", places, all)
	}
	if places, all := a.Different(build(2, record{"a", 1}, record{"a", 2}, record{"c", 1}), 10); places != 1 || all != 3 {
		t.Errorf("stored again, without one: %d and %d patients differ", places, all)
	}
	if a.Patients() != 3 || make().Patients() != 0 {
		t.Errorf("%d patients", a.Patients())
	}
}
