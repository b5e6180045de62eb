// Package storetest is what every store of a data server must do. A test of a store calls Test.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// Opener opens a store: the same one each time that it is called in one test, and after it was closed.
type Opener func(t *testing.T) store.Store

// Test runs the suite. fresh makes an opener of a new store.
func Test(t *testing.T, fresh func(t *testing.T) Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"Batches": testBatches, "Model": testModel, "Runs": testRuns, "Versions": testVersions, "Ledger": testLedger, "Rollback": testRollback, "Audit": testAudit, "Concurrent": testConcurrent, "Ends": testEnds,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

var pulse, pressure = store.Column{Attribute: "HR", Unit: "bpm"}, store.Column{Attribute: "ABP", Unit: "mmHg"}

func series(c store.Column, patient string, at ...int64) store.Series {
	s := store.Series{Column: c, Patient: patient, Times: at}
	for _, t := range at {
		s.Shares = append(s.Shares, uint64(t)*3+uint64(len(patient))+uint64(c.Attribute[0]))
	}
	return s
}

func batch(source string, number uint64, list ...store.Series) *store.Batch {
	return &store.Batch{Source: source, Number: number, Made: int64(number), Series: list}
}

func hold(t *testing.T, s store.Store, b *store.Batch) {
	t.Helper()
	if err := s.Hold(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func everything(c ...store.Column) *store.Selection {
	return &store.Selection{Columns: c, From: math.MinInt64, Until: math.MaxInt64, Cut: map[string]uint64{"g/1": math.MaxInt32}}
}

// scan lists records as texts.
func scan(t *testing.T, s store.Store, sel *store.Selection) (rows []string) {
	t.Helper()
	if err := s.Scan(t.Context(), sel, func(r *store.Record) error {
		rows = append(rows, fmt.Sprint(r.Patient, " ", r.Time, " ", r.Shares))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

// cut is a cut of one source.
func cut(sel *store.Selection, source string, n uint64) *store.Selection {
	sel.Cut = map[string]uint64{source: n}
	return sel
}

// A batch is held once and in order, survives the store's closing, and counts up to the cut of a query.
func testBatches(t *testing.T, open Opener) {
	s := open(t)
	one, two := batch("g/1", 1, series(pulse, "b", 5, 9), series(pulse, "a", 1)), batch("g/1", 2, series(pulse, "b", -7, 7), series(pressure, "b", 7))
	var gap *store.GapError
	if err := s.Hold(t.Context(), two); !errors.As(err, &gap) || gap.Held != 0 {
		t.Errorf("batch 2 before 1: %v", err)
	}
	hold(t, s, one)
	hold(t, s, one)
	two.Held = 1
	hold(t, s, two)
	other := batch("g/1", 2, series(pulse, "b", 8))
	var conflict *store.ConflictError
	if err := s.Hold(t.Context(), other); !errors.As(err, &conflict) || !strings.Contains(err.Error(), "batch 2 of g/1 is held already") {
		t.Errorf("another batch 2: %v", err)
	}
	changed := batch("g/1", 1, series(pulse, "b", 5, 9), series(pulse, "a", 1))
	changed.Series[0].Shares[1]++
	if err := s.Hold(t.Context(), changed); !errors.As(err, &conflict) {
		t.Errorf("batch 1 with another share: %v", err)
	}
	if err := s.Held(t.Context(), "g/1", 3); !errors.As(err, &gap) {
		t.Errorf("a batch that is not here is held by all: %v", err)
	}
	if err := s.Held(t.Context(), "g/2", 1); !errors.As(err, &gap) {
		t.Errorf("a source that is not here is held by all: %v", err)
	}
	for _, again := range []bool{false, true} {
		if again {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t)
		}
		if got, err := s.Sources(t.Context()); err != nil || !reflect.DeepEqual(got, []store.Source{{Name: "g/1", Held: 2, All: 1}}) {
			t.Errorf("sources %+v, %v", got, err)
		}
		if got := scan(t, s, cut(everything(pulse), "g/1", 1)); !slices.Equal(got, []string{"a 1 [76]", "b 5 [88]", "b 9 [100]"}) {
			t.Errorf("up to batch 1: %q", got)
		}
		if got := scan(t, s, cut(everything(pulse), "g/1", 2)); !slices.Equal(got, []string{"a 1 [76]", "b -7 [52]", "b 5 [88]", "b 7 [94]", "b 9 [100]"}) {
			t.Errorf("up to batch 2: %q", got)
		}
		if got := scan(t, s, cut(everything(pressure, pulse), "g/1", 2)); !slices.Equal(got, []string{"b 7 [87 94]"}) {
			t.Errorf("both columns: %q", got)
		}
		if got := scan(t, s, cut(everything(pulse), "g/1", 0)); got != nil {
			t.Errorf("up to batch 0: %q", got)
		}
		if got := scan(t, s, cut(everything(store.Column{Attribute: "H", Unit: "R"}), "g/1", 2)); got != nil {
			t.Errorf("a column that is the beginning of another: %q", got)
		}
		for _, bad := range []map[string]uint64{{"g/1": 3}, {"g/1": 2, "g/9": 1}} {
			sel := everything(pulse)
			sel.Cut = bad
			if err := s.Scan(t.Context(), sel, func(*store.Record) error { return nil }); !errors.As(err, &gap) {
				t.Errorf("a cut %v beyond what is held: %v", bad, err)
			}
		}
	}
	if err := s.Held(t.Context(), "g/1", 2); err != nil {
		t.Error(err)
	}
	if got, err := s.Sources(t.Context()); err != nil || got[0].All != 2 {
		t.Errorf("sources %+v, %v", got, err)
	}
	for _, bad := range []*store.Batch{batch("", 3, series(pulse, "a", 1)), batch("g/1", 3), batch("g/1", 3, series(pulse, "a\x00", 1)), batch("g/1", 3, series(pulse, "a", 2, 2)), batch("g/1", 0, series(pulse, "a", 1)),
		batch("g/1", 3, series(store.Column{Attribute: "HR"}, "a", 1))} {
		if err := s.Hold(t.Context(), bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Random batches of two sources, with readings that come again, give what a map of them gives, for random selections.
func testModel(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	r := rand.New(rand.NewPCG(3, 5))
	type place struct {
		c       store.Column
		patient string
		at      int64
	}
	type reading struct {
		made   int64
		number uint64
		source string
		share  uint64
	}
	all := map[place][]reading{}
	numbers := map[string]uint64{}
	patients := []string{"p", "pa", "pb", "q", "é"}
	for made := int64(1); made <= int64(thoroughtest.Pick(25, 200)); made++ {
		source := []string{"g/1", "h/2"}[r.IntN(2)]
		numbers[source]++
		b := batch(source, numbers[source])
		b.Made = made / 2 // some at the same time
		for _, c := range []store.Column{pulse, pressure} {
			for _, p := range patients {
				x := store.Series{Column: c, Patient: p}
				for at := int64(-30); at < 30; at++ {
					if r.IntN(8) == 0 {
						share := r.Uint64()
						x.Times, x.Shares = append(x.Times, at), append(x.Shares, share)
						all[place{c, p, at}] = append(all[place{c, p, at}], reading{b.Made, b.Number, source, share})
					}
				}
				if len(x.Times) > 0 {
					b.Series = append(b.Series, x)
				}
			}
		}
		r.Shuffle(len(b.Series), func(i, j int) { b.Series[i], b.Series[j] = b.Series[j], b.Series[i] })
		hold(t, s, b)
	}
	for range thoroughtest.Pick(40, 400) {
		sel := &store.Selection{Columns: []store.Column{pulse, pressure}[:1+r.IntN(2)], From: r.Int64N(80) - 40, Until: r.Int64N(80) - 40, Cut: map[string]uint64{}}
		for source, n := range numbers {
			if r.IntN(4) > 0 {
				sel.Cut[source] = r.Uint64N(n + 1)
			}
		}
		if r.IntN(2) == 0 {
			for _, p := range append(patients, "nobody", "pab") {
				if r.IntN(2) == 0 {
					sel.Patients = append(sel.Patients, p)
				}
			}
			slices.Sort(sel.Patients)
			if sel.Patients == nil {
				sel.Patients = []string{}
			}
		}
		var want []string
		for _, p := range patients {
			if sel.Patients != nil && !slices.Contains(sel.Patients, p) {
				continue
			}
			for at := sel.From; at < sel.Until; at++ {
				var shares []uint64
				for _, c := range sel.Columns {
					var best *reading
					for _, x := range all[place{c, p, at}] {
						if x.number > sel.Cut[x.source] {
							continue
						}
						if best == nil || x.made > best.made || x.made == best.made && (x.number > best.number || x.number == best.number && x.source > best.source) {
							best = &x
						}
					}
					if best != nil {
						shares = append(shares, best.share)
					}
				}
				if len(shares) == len(sel.Columns) {
					want = append(want, fmt.Sprint(p, " ", at, " ", shares))
				}
			}
		}
		if got := scan(t, s, sel); !slices.Equal(got, want) {
			t.Fatalf("%+v:\n%q, not\n%q", sel, got, want)
		}
	}
}

// A reading that replaces another one has another version, and all others keep theirs.
func testVersions(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	versions := func(n uint64) (list []uint64) {
		if err := s.Scan(t.Context(), cut(everything(pulse), "g/1", n), func(r *store.Record) error {
			list = append(list, r.Versions...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	hold(t, s, batch("g/1", 1, series(pulse, "a", 1, 2, 3)))
	before := versions(1)
	hold(t, s, batch("g/1", 2, series(pulse, "a", 2)))
	if after := versions(2); len(before) != 3 || len(after) != 3 || before[0] != after[0] || before[1] == after[1] || before[2] != after[2] || !slices.Equal(versions(1), before) {
		t.Errorf("versions %x, then %x", before, after)
	}
}

// A series that is longer than a run is stored in several, and read as one.
func testRuns(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	long := store.Series{Column: pulse, Patient: "a"}
	for at := range int64(10_000) {
		long.Times, long.Shares = append(long.Times, 3*at), append(long.Shares, uint64(at))
	}
	hold(t, s, batch("g/1", 1, long))
	hold(t, s, batch("g/1", 2, series(pulse, "a", 12_289, 12_290)))
	n, last := 0, int64(-1)
	sel := cut(everything(pulse), "g/1", 2)
	sel.From = 3
	if err := s.Scan(t.Context(), sel, func(r *store.Record) error {
		at, shares := r.Time, r.Shares
		if at <= last || at%3 == 0 && shares[0] != uint64(at/3) {
			return fmt.Errorf("share %d at %d after %d", shares[0], at, last)
		}
		n, last = n+1, at
		return nil
	}); err != nil || n != 10_001 {
		t.Errorf("%d readings, %v", n, err)
	}
}

func decide(t *testing.T, s store.Store, f func(store.Ledger) error) {
	t.Helper()
	if err := s.Decide(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// Nonces, expenses and cohorts are found again, also after the store was closed, and old nonces are forgotten.
func testLedger(t *testing.T, open Opener) {
	s := open(t)
	var b1, b2 store.CohortBuilder
	b1.Add("a", 1, 0)
	b1.Add("b", 1, 0)
	b2.Add("a", 1, 0)
	b2.Add("b", 2, 0)
	x, y := b1.Cohort(), b2.Cohort()
	decide(t, s, func(l store.Ledger) error {
		for i, want := range []bool{true, false} {
			if fresh, err := l.Nonce([32]byte{1}, 100, 0); err != nil || fresh != want {
				t.Errorf("nonce %d: %v, %v", i, fresh, err)
			}
		}
		return errors.Join(l.Spend("rita", 5), l.Spend("rita", 5), l.Spend("rita", 9), l.Spend("rit", 9), l.AddCohort(pulse, x), l.AddCohort(pulse, x), l.AddCohort(pulse, y), l.AddCohort(pressure, y))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	defer s.Close()
	decide(t, s, func(l store.Ledger) error {
		if fresh, err := l.Nonce([32]byte{1}, 200, 100); err != nil || fresh {
			t.Errorf("the nonce again at its last moment: %v, %v", fresh, err)
		}
		if fresh, err := l.Nonce([32]byte{1}, 200, 101); err != nil || !fresh {
			t.Errorf("the nonce when it is forgotten: %v, %v", fresh, err)
		}
		for since, want := range map[int64]int{0: 3, 5: 3, 6: 1, 10: 0} {
			if n, err := l.Spent("rita", since); err != nil || n != want {
				t.Errorf("spent since %d: %d, %v", since, n, err)
			}
		}
		for c, want := range map[store.Column][]store.Cohort{pulse: {x, y}, pressure: {y}, {Attribute: "HR", Unit: "b"}: nil} {
			var got []string
			err := l.Cohorts(c, func(c store.Cohort) error { got = append(got, string(c)); return nil })
			var texts []string
			for _, w := range want {
				texts = append(texts, string(w))
			}
			slices.Sort(got)
			slices.Sort(texts)
			if err != nil || !slices.Equal(got, texts) {
				t.Errorf("cohorts of %v: %x, %v", c, got, err)
			}
		}
		return nil
	})
}

// A decision that fails leaves nothing behind.
func testRollback(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	refused := errors.New("refused")
	if err := s.Decide(t.Context(), func(l store.Ledger) error {
		_, err := l.Nonce([32]byte{1}, 100, 0)
		_, err2 := l.Append([]byte("entry"))
		if err := errors.Join(err, err2, l.Spend("rita", 1), l.AddCohort(pulse, make(store.Cohort, 24))); err != nil {
			t.Error(err)
		}
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	decide(t, s, func(l store.Ledger) error {
		n, err := l.Spent("rita", 0)
		fresh, err2 := l.Nonce([32]byte{1}, 100, 0)
		err3 := l.Cohorts(pulse, func(store.Cohort) error { return errors.New("a cohort") })
		if n != 0 || !fresh || errors.Join(err, err2, err3) != nil {
			t.Errorf("%d expenses, nonce %v, %v", n, fresh, errors.Join(err, err2, err3))
		}
		return nil
	})
	if last, err := store.VerifyAudit(t.Context(), s); err != nil || last != nil {
		t.Errorf("entry %+v, %v", last, err)
	}
}

// The audit log is a chain that goes on after the store was closed, and is in a backup.
func testAudit(t *testing.T, open Opener) {
	s := open(t)
	var hashes [][32]byte
	for n := range uint64(5) {
		if n == 3 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t)
		}
		decide(t, s, func(l store.Ledger) error {
			e, err := l.Append([]byte{byte(n)})
			if e.Number != n+1 || slices.Contains(hashes, e.Hash) {
				t.Errorf("entry %d: %+v", n, e)
			}
			hashes = append(hashes, e.Hash)
			return err
		})
	}
	defer s.Close()
	last, err := store.VerifyAudit(t.Context(), s)
	if err != nil || last.Number != 5 || last.Hash != hashes[4] || !bytes.Equal(last.Text, []byte{4}) {
		t.Errorf("%+v, %v", last, err)
	}
	n := 0
	if err := s.Entries(t.Context(), 4, func(e *store.Entry) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d entries from 4 on, %v", n, err)
	}
	var copied bytes.Buffer
	if err := s.Backup(t.Context(), &copied); err != nil || copied.Len() == 0 {
		t.Errorf("a backup of %d bytes, %v", copied.Len(), err)
	}
}

// Several goroutines hold batches of their sources while others read: a scan sees whole batches.
func testConcurrent(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	var group sync.WaitGroup
	rounds := thoroughtest.Pick(8, 60)
	for g := range 3 {
		source := fmt.Sprintf("g/%d", g)
		group.Go(func() {
			for n := range uint64(rounds) {
				if err := s.Hold(t.Context(), batch(source, n+1, series(pulse, source, int64(2*n), int64(2*n+1)))); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range rounds {
				sources, err := s.Sources(t.Context())
				if err != nil {
					t.Error(err)
				}
				sel, want := everything(pulse), uint64(0)
				sel.Cut = map[string]uint64{}
				for _, x := range sources {
					sel.Cut[x.Name] = x.Held
					want += 2 * x.Held
				}
				n := uint64(0)
				if err := s.Scan(t.Context(), sel, func(*store.Record) error { n++; return nil }); err != nil || n != want {
					t.Errorf("%d readings, not %d, %v", n, want, err)
				}
			}
		})
	}
	group.Wait()
}

// What is asked of a context that has ended is not done, and an error of a callback ends a scan.
func testEnds(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	hold(t, s, batch("g/1", 1, series(pulse, "a", 1, 2)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Hold(ctx, batch("g/1", 2, series(pulse, "a", 3))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.Decide(ctx, func(store.Ledger) error { t.Error("decided"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stop := errors.New("stop")
	n := 0
	if err := s.Scan(t.Context(), cut(everything(pulse), "g/1", 1), func(*store.Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
}
