package roundtrip_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// numbered is a table of ids 1 to n with x = 10·id.
func (b *bench) numbered(name string, n int) string {
	var s strings.Builder
	s.WriteString("id,x\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&s, "%d,%d\n", i, 10*i)
	}
	return b.write(name, s.String())
}

// entries lists a directory.
func (b *bench) entries(dir string) []string {
	b.Helper()
	names, err := blob.Local{}.ReadDir(context.Background(), dir)
	if err != nil {
		b.Fatal(err)
	}
	return names
}

// Tables in several files are one table, in either layout, whatever the number of records of a file.
func TestRowsPerFile(t *testing.T) {
	b := newBench(t, paillier.DJN)
	const n = 100
	in := b.numbered("in.csv", n)
	want := map[string]string{}
	for i := 1; i <= n; i++ {
		want[fmt.Sprint(i)] = fmt.Sprintf("%d/1", 10*i)
	}
	for _, layout := range []string{slots.Records, slots.Blocks} {
		for _, rows := range []int64{1, 7, n, 1000} {
			if layout == slots.Records && rows == 1 {
				continue // many files, nothing new
			}
			dir := b.path(fmt.Sprintf("%s-%d", layout, rows))
			e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=10000"), In: []string{in}}, Layout: layout, RowsPerFile: rows, Out: dir, Key: keys.Of(b.key.Public())}
			report, err := encrypt.Run(t.Context(), e)
			if err != nil {
				t.Fatalf("%s, %d: %v", layout, rows, err)
			}
			if report.Records != n || report.Out != dir {
				t.Errorf("%s, %d: %+v", layout, rows, report)
			}
			names := b.entries(dir)
			if names[0] != "_SUCCESS" || names[1] != "part-00000.cf.parquet" {
				t.Errorf("%s, %d: files %q", layout, rows, names)
			}
			total := int64(0)
			for i, name := range names[1:] {
				r, err := ctfile.Open(t.Context(), blob.Local{}, filepath.Join(dir, name), column.ReadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				p := r.Table()
				block := max(1, int64(p.BlockRecords))
				last := i == len(names)-2
				if p.Part != i+1 || p.LastPart != last || !last && p.Rows != max(block, rows/block*block) {
					t.Errorf("%s, %d: %s is part %d of %d records, last %v", layout, rows, name, p.Part, p.Rows, p.LastPart)
				}
				total += p.Rows
				r.Close()
			}
			if total != n {
				t.Errorf("%s, %d: %d records in all files", layout, rows, total)
			}
			if got := sumsBy(b.decrypt(dir), "x", "id"); !maps.Equal(got, want) {
				t.Errorf("%s, %d: decrypted to %d other records", layout, rows, len(got))
			}

			if rows != 7 {
				continue
			}
			// The result in several files, of each format.
			for _, out := range []string{"plain", "plain.csv", "plain.arrow"} {
				d := decrypt.Request{Unfused: true, Key: keys.Of(b.key), In: dir, Out: b.path(out), RowsPerFile: 30}
				d.Overwrite = true
				if _, err := decrypt.Run(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				ext := filepath.Ext(out)
				if ext == "" {
					ext = ".parquet"
				}
				if got, want := b.entries(b.path(out)), []string{"_SUCCESS", "part-00000" + ext, "part-00001" + ext, "part-00002" + ext, "part-00003" + ext}; !slices.Equal(got, want) {
					t.Errorf("%s: files %q", out, got)
				}
				// It is a table as any: it can be encrypted again.
				again := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x_sum:max=10000"), In: []string{b.path(out)}}, Out: b.path("again.cf.parquet"), Key: keys.Of(b.key.Public())}
				again.Overwrite = true
				if r, err := encrypt.Run(t.Context(), again); err != nil || r.Records != n || len(r.Inputs) != 4 {
					t.Errorf("%s: %+v, %v", out, r, err)
				}
			}
		}
	}
}

// A directory from which a part is missing, or with one too many, is no table.
func TestPartsOfTables(t *testing.T) {
	b := newBench(t, paillier.DJN)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=10000"), In: []string{b.numbered("in.csv", 35)}}, RowsPerFile: 10, Key: keys.Of(b.key.Public())}
	dir := b.path("t")
	file := func(k int) string { return filepath.Join(dir, fmt.Sprintf("part-%05d.cf.parquet", k)) }
	begin := func() {
		t.Helper()
		e.Out, e.Overwrite = dir, true
		if _, err := encrypt.Run(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	copyFile := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		spoil        func()
		about, cause string
	}{
		"first missing":  {func() { os.Remove(file(0)) }, dir, "part 1 of the table is missing"},
		"middle missing": {func() { os.Remove(file(1)) }, dir, "part 2 of the table is missing"},
		"last missing":   {func() { os.Remove(file(3)) }, dir, "the last part of the table is missing: there are parts 1 to 3"},
		"only one left":  {func() { os.Remove(file(0)); os.Remove(file(2)); os.Remove(file(3)) }, dir, "part 1 of the table is missing"},
		"twice":          {func() { copyFile(file(1), file(7)) }, file(7), "it is part 2 of its table, and so is " + file(1)},
		"of another": {func() {
			copyFile(file(1), file(7))
			e.Out = b.path("u")
			encrypt.Run(t.Context(), e)
			copyFile(filepath.Join(b.path("u"), "part-00000.cf.parquet"), file(7))
		}, "", "last part"},
	} {
		begin()
		tt.spoil()
		_, err := b.tryDecrypt(dir)
		var refused *column.InputError
		if !errors.As(err, &refused) || tt.about != "" && refused.File != tt.about || refused.Hint == "" || !strings.Contains(err.Error(), tt.cause) {
			t.Errorf("%s: %v, want %q about %s", name, err, tt.cause, tt.about)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	// A part by its own name is what it is.
	if got := b.decrypt(file(1)); len(got) != 10 || got[0]["id"] != "11" {
		t.Errorf("part 2 has %d records from %v", len(got), got[:1])
	}
	os.Remove(file(1) + ".csv")
	// Other names do not matter, the parts know their order.
	for _, k := range []int{3, 2, 1, 0} {
		if err := os.Rename(file(k), filepath.Join(dir, strconv.Itoa(9-k)+".parquet")); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.decrypt(filepath.Join(dir, "*.parquet")); len(got) != 35 || got[0]["id"] != "1" || got[34]["id"] != "35" {
		t.Errorf("renamed: %d records", len(got))
	}
}

// A directory that exists is not replaced unasked, and never one with anything else in it; an error leaves nothing.
func TestRowsPerFileRefusals(t *testing.T) {
	b := newBench(t, paillier.DJN)
	in := b.numbered("in.csv", 20)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=10000"), In: []string{in}}, RowsPerFile: 5, Key: keys.Of(b.key.Public())}
	try := func(out string, overwrite bool) error {
		e.Out, e.Overwrite = b.path(out), overwrite
		_, err := encrypt.Run(context.Background(), e)
		return err
	}
	if err := try("t", false); err != nil {
		t.Fatal(err)
	}
	if err := try("t", false); !errors.Is(err, blob.ErrExists) {
		t.Errorf("again: %v", err)
	}
	e.RowsPerFile = 10
	if err := try("t", true); err != nil {
		t.Error(err)
	}
	if got := b.entries(b.path("t")); !slices.Equal(got, []string{"_SUCCESS", "part-00000.cf.parquet", "part-00001.cf.parquet"}) {
		t.Errorf("overwritten: %q", got)
	}
	b.write("t/notes.txt", "mine")
	b.write("file", "mine")
	if err := os.Mkdir(b.path("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := try("t", true); !errors.Is(err, blob.ErrExists) || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("with another file in it: %v", err)
	}
	if err := try("file", true); !errors.Is(err, blob.ErrExists) {
		t.Errorf("over a file: %v", err)
	}
	if err := try("none/t", true); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("no such directory: %v", err)
	}
	if err := try("empty", false); err != nil {
		t.Errorf("into an empty directory: %v", err)
	}
	b.write("in.csv", "id,x\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,10\n11,seven\n")
	if err := try("bad", false); err == nil {
		t.Error("bad input is encrypted")
	}
	e.RowsPerFile = -1
	var misuse *job.UsageError
	if err := try("bad", false); !errors.As(err, &misuse) {
		t.Errorf("-1 rows: %v", err)
	}
	e.In, e.RowsPerFile = []string{b.path("t/part-00000.cf.parquet")}, 1
	if err := try("t", true); !errors.As(err, &misuse) {
		t.Errorf("the output is where the input is: %v", err)
	}
	if got := b.files(); !slices.Equal(got, []string{"empty", "file", "in.csv", "t"}) {
		t.Errorf("files %q", got)
	}
}

// Whatever operation fails, there is a whole directory or none.
func TestRowsPerFileFaults(t *testing.T) {
	key := keys.Of(testKey(t, paillier.DJN).Public())
	for _, mode := range []blobtest.Mode{blobtest.Fail, blobtest.Short, blobtest.Crash, blobtest.CrashAfter} {
		for at := int64(1); ; at++ {
			var mem blobtest.Mem
			mem.Put("in.csv", []byte("id,x\n1,10\n2,20\n3,30\n4,40\n5,50\n"))
			fs := &blobtest.Faulty{FS: &mem, FailAt: at, Mode: mode}
			e := encrypt.Request{Options: job.Options{FS: fs, Disk: fs, Threads: 1}, Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=100"), In: []string{"in.csv"}}, RowsPerFile: 2, Out: "t", Key: key}
			_, err := encrypt.Run(context.Background(), e)
			if mem.Handles() != 0 {
				t.Errorf("mode %d, failure %d: %d handles are open", mode, at, mem.Handles())
			}
			names := mem.Names()
			whole := len(names) == 5 && names[1] == "t/_SUCCESS"
			committed := mode == blobtest.CrashAfter && fs.Failed() && whole
			if (err == nil) != whole && !committed || !whole && len(names) != 1 {
				t.Errorf("mode %d, failure %d: %v, files %q", mode, at, err, names)
			}
			if !fs.Failed() {
				if at < 15 {
					t.Errorf("only %d operations", at)
				}
				break
			}
		}
	}
}

// Tables in several files fuse as any, and fusions are written as several files.
func TestFuseRowsPerFile(t *testing.T) {
	b := newBench(t, paillier.DJN)
	const n = 100
	in := b.numbered("in.csv", n)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=10000"), In: []string{in}}, Layout: layout, Key: keys.Of(b.key.Public())}
		for name, rows := range map[string]int64{"one": 0, "split": 23, "other": 41} {
			e.Out, e.RowsPerFile, e.Overwrite = b.path(name), rows, true
			if rows == 0 {
				e.Out += ".cf.parquet"
			}
			if _, err := encrypt.Run(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			f    fuse.Request
			want func(id int) string
		}{
			{fuse.Request{In: []string{b.path("split"), b.path("other"), b.path("one.cf.parquet")}}, func(id int) string { return fmt.Sprintf("%d/3", 30*id) }},
			{fuse.Request{In: []string{b.path("split/*"), b.path("one.cf.parquet")}, Weights: []fuse.Weight{{File: b.path("split"), Weight: 5}}}, func(id int) string { return fmt.Sprintf("%d/6", 60*id) }},
		} {
			for _, rows := range []int64{0, 30} {
				u := tt.f
				u.Out, u.RowsPerFile = b.path(fmt.Sprintf("fused-%d", rows)), rows
				u.Overwrite = true
				report, err := fuse.Run(t.Context(), u)
				if err != nil {
					t.Fatalf("%s, %d: %v", layout, rows, err)
				}
				got := sumsBy(b.decrypt(u.Out), "x", "id")
				for id := 1; id <= n; id++ {
					if got[fmt.Sprint(id)] != tt.want(id) {
						t.Fatalf("%s, %d: id %d has %s, want %s", layout, rows, id, got[fmt.Sprint(id)], tt.want(id))
					}
				}
				if report.Records != n || len(got) != n {
					t.Errorf("%s, %d: %d records, report %+v", layout, rows, len(got), report)
				}
				os.Remove(u.Out)
			}
		}
		u := fuse.Request{In: []string{b.path("split"), b.path("other")}, By: []string{}, Out: b.path("total"), RowsPerFile: 10}
		u.Overwrite = true
		if _, err := fuse.Run(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if got := b.decrypt(u.Out); len(got) != 1 || got[0]["x_sum"] != fmt.Sprint(2*10*n*(n+1)/2) {
			t.Errorf("%s: total %v", layout, got)
		}
		var misuse *job.UsageError
		for _, u := range []fuse.Request{
			{In: []string{b.path("split"), b.path("split/part-00000.cf.parquet")}, Out: b.path("f.cf.parquet")},
			{In: []string{b.path("split")}, Out: b.path("split"), RowsPerFile: 5, Options: job.Options{Overwrite: true}},
			{In: []string{b.path("split")}, Out: b.path("f.cf.parquet"), RowsPerFile: -5},
		} {
			if _, err := fuse.Run(t.Context(), u); !errors.As(err, &misuse) {
				t.Errorf("%+v: %v", u, err)
			}
		}
	}
}
