package paper2

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
)

const testRecords = 12

// small is one small run, for all tests.
var small = sync.OnceValues(func() (*Result, error) {
	return Run(context.Background(), Options{Records: testRecords, Largest: 30, Literal: []int{512}, Ours: []int{768}, TestKey: true, Threads: 2, Quick: true})
})

func smallRun(t *testing.T) *Result {
	t.Helper()
	r, err := small()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The paper's protocols take as many operations and messages as errata.md recounts: of each server, n records.
func TestLiteralCounts(t *testing.T) {
	const n, bits = testRecords, 512
	const servers = bench.ServersCount
	r := smallRun(t)
	for _, c := range []struct {
		row                string
		full, half         int64 // of the three servers together
		moved              int64 // sent and received by servers, in lengths of N
		userFull, userHalf int64
		userMoved          int64
	}{
		{bench.RowAccess, servers * 2, 0, 10, 1, 0, 2},
		{bench.RowAverage, servers * 2, 0, 10, 1, 0, 2},
		{bench.RowCorrelation1, servers * (12*n + 4), 0, servers*24*n + 3*2 + 2*10, 5, 0, 10},
		{bench.RowVariance1, servers * (4*n + 2), 0, servers*8*n + 2 + 10, 2, 0, 4},
		{bench.RowRegression1, servers * (8*n + 4), 0, servers*16*n + 2*2 + 2*10, 4, 0, 8},
		{bench.RowCorrelation2, servers * 4, servers * (21*n + 3), servers*48*n + 3*20 + 2*10, 2, 3, 16},
		{bench.RowVariance2, servers * 2, servers * (7*n + 1), servers*16*n + 20 + 10, 1, 1, 6},
		{bench.RowRegression2, servers * 4, servers * (14*n + 2), servers*32*n + 2*20 + 2*10, 2, 2, 12},
	} {
		got := find(r.Costs, c.row, bench.FormLiteral, bits, n)
		if got == nil {
			t.Fatalf("%s was not measured", c.row)
		}
		s, u := got.Server, got.User
		if s.Full != c.full || s.Half != c.half || (s.SentBytes+s.Received)*8 != c.moved*bits {
			t.Errorf("%s: servers take %d Exp., %d exp., %v |N|; want %d, %d, %d", c.row, s.Full, s.Half, float64(s.SentBytes+s.Received)*8/bits, c.full, c.half, c.moved)
		}
		if u.Full != c.userFull || u.Half != c.userHalf || (u.SentBytes+u.Received)*8 != c.userMoved*bits {
			t.Errorf("%s: the user takes %d Exp., %d exp., %v |N|; want %d, %d, %d", c.row, u.Full, u.Half, float64(u.SentBytes+u.Received)*8/bits, c.userFull, c.userHalf, c.userMoved)
		}
	}
}

// This program's protocols: a ciphertext for each two records of 768 bits, and an answer for each pair and server.
func TestOurCounts(t *testing.T) {
	r := smallRun(t)
	for _, c := range []struct {
		row                      string
		full, encryptions, short int64
		ciphertexts, words       int64
	}{
		{bench.RowAverage, 0, 0, 0, 0, 1},
		{bench.RowVariance1, 3, 3 * testRecords / 2, 3 * testRecords, 3*testRecords/2 + 3, 2},
		{bench.RowRegression1, 9, 3 * testRecords, 3 * testRecords * 4, 3*testRecords + 9, 5},
		{bench.RowCorrelation1, 9, 3 * testRecords, 3 * testRecords * 4, 3*testRecords + 9, 5},
	} {
		got := find(r.Costs, c.row, bench.FormOurs, 768, testRecords)
		if got == nil {
			t.Fatalf("%s was not measured", c.row)
		}
		if s := got.Server; s.Full != c.full || s.Encryptions != c.encryptions || s.Short != c.short || s.SentBytes != c.ciphertexts*192+3*8*c.words {
			t.Errorf("%s: %+v; want %+v", c.row, s, c)
		}
		if got.User.Received != 3*8*c.words {
			t.Errorf("%s: the user receives %d bytes", c.row, got.User.Received)
		}
	}
	if access := find(r.Costs, bench.RowAccess, bench.FormOurs, 768, testRecords); access == nil || access.Server.Encryptions != 3 || access.User.Full != 1 || access.User.Received != 192 {
		t.Errorf("retrieval: %+v", access)
	}
	var seen [][2]int
	for _, c := range Growth(r.Costs) {
		seen = append(seen, [2]int{c.Records, c.Threads})
	}
	if want := [][2]int{{12, 1}, {12, 2}, {30, 1}, {30, 2}}; !slices.Equal(seen, want) {
		t.Errorf("growth over %v, not %v", seen, want)
	}
}

// Every attack recovers every secret, and shares narrow down.
func TestAttacks(t *testing.T) {
	r := smallRun(t)
	widths := 0
	for _, a := range r.Attacks {
		switch {
		case strings.HasPrefix(a.Name, "Shares"):
			if widths++; strings.Contains(a.Detail, "misses") || !strings.Contains(a.Detail, "consecutive numbers") {
				t.Errorf("%+v", a)
			}
		case a.Found != a.Tried || a.Tried < testRecords || a.Bits != 512:
			t.Errorf("%+v", a)
		}
	}
	if widths != 4 || len(r.Attacks) != 6 {
		t.Errorf("%d attacks on shares of %d", widths, len(r.Attacks))
	}
	known := attackShares([]int{1, 1_000_000})
	if known[0].Detail == known[1].Detail {
		t.Error("a million sendings tell no more than one")
	}
}

// The report has every row in every form, and comes again from its raw results.
func TestReport(t *testing.T) {
	r := smallRun(t)
	dir := t.TempDir()
	page, err := r.Write(t.Context(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append([]string{"(broken)", "Quick run", "this program, 768 bits", "as in the paper, 512 bits", "printed estimate, 1024 bits", "148 Exp.", "Algorithm 4, from public values"}, bench.ServersRows...) {
		if !bytes.Contains(html, []byte(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if n := len(Lines(r.Costs)); n != 3*len(bench.ServersRows) {
		t.Errorf("%d lines", n)
	}
	for file, rows := range map[string]int{TableFile: 1 + 2*len(r.Costs), AttacksFile: 1 + len(r.Attacks)} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if all, err := csv.NewReader(bytes.NewReader(data)).ReadAll(); err != nil || len(all) != rows {
			t.Errorf("%s: %d rows, not %d: %v", file, len(all), rows, err)
		}
	}
	again, err := ReadFile(t.Context(), filepath.Join(dir, ResultFile))
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("the raw results come back as %+v, %v", again, err)
	}
	if _, err := r.Write(t.Context(), dir, false); err == nil {
		t.Error("a report was replaced")
	}
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"version": 1, "paper": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *column.InputError
	if _, err := ReadFile(t.Context(), bad); !errors.As(err, &refused) {
		t.Errorf("the results of another paper: %v", err)
	}
	if _, err := bench.ReadFile(r.File().Marshal()); err != nil {
		t.Errorf("as a file of results: %v", err)
	}
}

// Options that make no sense are refused before anything is measured.
func TestOptions(t *testing.T) {
	var usage *job.UsageError
	for _, o := range []Options{{Records: 2}, {Records: 100, Largest: 10}, {Ours: []int{1024}}} {
		if _, err := Run(t.Context(), o); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	o := Options{Quick: true}
	if err := o.check(); err != nil || o.Records != quickRecords || o.Largest != quickLargest || len(o.Literal) != 1 || len(o.Ours) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	o = Options{}
	if err := o.check(); err != nil || o.Records != printedRecords || o.Largest != LargestDefault || len(o.Literal) != 2 || len(o.Ours) != 2 || o.Threads < 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestText(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1", 0.25: "0.2", 3.75: "3.8", 999.96: "1,000", 1234567: "1,234,567"} {
		if got := number(x); got != want {
			t.Errorf("%v: %q, not %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{2.5e-7: "0.25 µs", 0.00268: "2.68 ms", 12.345: "12.3 s", 160.8: "2.68 min", 6000: "100 min"} {
		if got := Seconds(x); got != want {
			t.Errorf("%v: %q, not %q", x, got, want)
		}
	}
	if a, b := ratio(1, 230), ratio(3, 2); a != "1/230" || b != "1.5 times" {
		t.Error(a, b)
	}
}
