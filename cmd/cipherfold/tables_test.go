package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
)

// withoutLine removes the lines that begin with a prefix, of which there must be one.
func withoutLine(t *testing.T, s, prefix string) string {
	t.Helper()
	lines := strings.SplitAfter(s, "\n")
	rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, prefix) })
	if len(rest) != len(lines)-1 {
		t.Errorf("%d lines begin with %q in\n%s", len(lines)-len(rest), prefix, s)
	}
	return strings.Join(rest, "")
}

// Tables of powers are kept beside a public key on request, shown, read again, and made anew with a warning when they are
// damaged.
func TestTableCache(t *testing.T) {
	p := newPlace(t)
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, home)
	}
	p.lines("a.csv", "id,x", "1,5", "2,7")
	const line = "encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --overwrite --id id --measure x:max=100 "
	first := okJSON[job.Report](p, line+"--table-cache on")
	if first.Tables == nil || first.Tables.From != "made" || first.Tables.Bytes <= 0 || first.Tables.Kept == "" {
		t.Fatalf("%+v", first.Tables)
	}
	kept := strings.TrimPrefix(first.Tables.Kept, p.dir+"/")
	if kept != "public.json."+first.Kernel+".tables" {
		t.Errorf("kept in %s", kept)
	}
	if out := p.ok("inspect @/public.json"); !strings.Contains(out, " to encrypt with kernel "+first.Kernel+", kept in "+kept+"\n") {
		t.Errorf("%s", out)
	}
	if list := okJSON[[]inspect.Inspection](p, "inspect @/public.json @/secret.json"); list[0].Tables.Bytes != first.Tables.Bytes ||
		!strings.HasSuffix(list[0].Tables.Kept, kept) || list[1].Tables.Bytes <= 0 || list[1].Tables.Kept != "" {
		t.Errorf("%+v, %+v", list[0].Tables, list[1].Tables)
	}
	if again := okJSON[job.Report](p, line); again.Tables.From != "cache" {
		t.Errorf("%+v", again.Tables)
	}
	if off := okJSON[job.Report](p, line+"--table-cache off"); off.Tables.From != "made" || off.Tables.Kept != "" {
		t.Errorf("%+v", off.Tables)
	}
	equal(t, "sums", p.sums("a.cf.parquet", "id", "x_sum"), []string{"1 5", "2 7"})

	p.truncate(kept, 0.9)
	if out := p.ok("inspect @/public.json"); !strings.Contains(out, "not used: it has ") {
		t.Errorf("%s", out)
	}
	if r := p.run(line); r.code != exitDone || !strings.Contains(r.err, "warning: the tables kept beside the key are not used") || !strings.Contains(r.err, kept) {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	if again := okJSON[job.Report](p, line); again.Tables.From != "cache" {
		t.Errorf("%+v", again.Tables)
	}

	before := p.files()
	p.ok(strings.Replace(line, "public", "secret", 1) + "--table-cache on")
	if err := os.Remove(p.path("a.cf.parquet")); err != nil {
		t.Fatal(err)
	}
	delete(before, "a.cf.parquet")
	p.unchanged(before)

	if r := p.run(line + "--table-cache never"); r.code != exitUsage || !strings.Contains(r.err, "unknown --table-cache never") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// TestBinaryIds: ids of bytes go the whole way, in each layout and into every format.
func TestBinaryIds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, source := range []string{"a.parquet", "a.arrow"} {
		p.table(source, "id:binary part:fixed x:int64", "AAEC //79 1", "/w== AAAA 2")
		for _, layout := range []string{"records", "blocks"} {
			p.ok("encrypt --quiet --overwrite --key @/public.json --in @/" + source + " --out @/a.cf.parquet --id id,part --measure x:max=9 --layout " + layout)
			p.ok("fuse --quiet --overwrite --in @/a.cf.parquet --out @/f.cf.parquet")
			for _, out := range []string{"o.csv", "o.parquet", "o.arrow"} {
				p.ok("decrypt --quiet --overwrite --key @/secret.json --unfused --in @/f.cf.parquet --out @/" + out)
				var got []string
				o := p.open(out)
				for i := range o.rows {
					got = append(got, o.line(i, "id", "part", "x_sum"))
				}
				slices.Sort(got)
				want := []string{"/w== AAAA 2", "AAEC //79 1"}
				if out == "o.csv" {
					want = []string{"000102 fffefd 1", "ff 000000 2"} // hexadecimal
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s, %s: %q, want %q", source, layout, out, got, want)
				}
			}
		}
	}
}
