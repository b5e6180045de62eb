package blob

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// tree makes files, directories (names that end in /) and links (NAME -> TARGET; NAME => FILE for hard links) in a new directory,
// which it makes the current one.
func tree(t *testing.T, what ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, w := range what {
		name, target, soft := strings.Cut(w, " -> ")
		from, file, hard := strings.Cut(w, " => ")
		switch {
		case soft:
			err = os.Symlink(target, name)
		case hard:
			err = os.Link(file, from)
		case strings.HasSuffix(w, "/"):
			err = os.MkdirAll(w, 0o755)
		default:
			err = os.WriteFile(w, []byte(w), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func identify(t *testing.T, fs FS, name string) Identity {
	t.Helper()
	id, err := Identify(context.Background(), fs, name)
	if err != nil {
		t.Fatal(err)
	}
	if id.Name != name {
		t.Errorf("%q is called %q", name, id.Name)
	}
	return id
}

// TestSpellings: every spelling of a name leads to the same file or place, and to none of the others.
func TestSpellings(t *testing.T) {
	dir := tree(t, "data/", "data/2025.csv", "data/2026.csv", "data/sub/", "data/latest.csv -> 2025.csv", "linked -> data", "deep/", "deep/er/", "deep/er/link -> ../../data",
		"hard.csv => data/2025.csv", "chain -> data/latest.csv", "dangling -> data/new.csv", "loop -> loop", "absolute -> /", "todata -> "+"data/../data", "hop -> dangling")
	base := filepath.Base(dir)
	existing := []string{"data/2025.csv", "./data/2025.csv", "data//2025.csv", "data/./2025.csv", "data/sub/../2025.csv", "../" + base + "/data/2025.csv",
		dir + "/data/2025.csv", dir + "/./data/../data/2025.csv", "linked/2025.csv", "deep/er/link/2025.csv", "data/latest.csv", "linked/latest.csv", "hard.csv", "chain",
		"todata/2025.csv", "absolute" + dir + "/data/2025.csv", "linked/sub/../2025.csv"}
	place := []string{"data/new.csv", "linked/new.csv", dir + "/data/new.csv", "deep/er/link/new.csv", "dangling", "hop", "./data/sub/../new.csv", "absolute" + dir + "/linked/new.csv"}
	deep := []string{"data/x/y/z.csv", "linked/x/y/z.csv", "data/x/../x/y/z.csv", dir + "/data/x/y/./z.csv"}
	folder := []string{"data", "data/", "linked", "linked/", "./data/.", dir + "/data", "deep/er/link", "data/sub/.."}
	others := []string{"data/2026.csv", "data/sub", "data/2025.csv2", "data/new", "deep/new.csv", "deep", "loop", "/", "data/x/y", "data/X/y/z.csv", "data/New.csv", "nowhere/data/new.csv"}
	groups := [][]string{existing, place, deep, folder}
	for _, name := range others {
		groups = append(groups, []string{name})
	}
	for i, group := range groups {
		for _, a := range group {
			x := identify(t, Local{}, a)
			for j, other := range groups {
				for _, b := range other {
					if same := x.Same(identify(t, Local{}, b)); same != (i == j) {
						t.Errorf("%s and %s: the same is %v", a, b, same)
					}
				}
			}
			if exists := i == 0 || i == 3; i < 4 && x.Exists != exists {
				t.Errorf("%s: exists is %v", a, x.Exists)
			}
			if x.Dir != (i == 3) && i < 4 {
				t.Errorf("%s: a directory is %v", a, x.Dir)
			}
		}
	}
	// Within the directory, however it is spelled.
	for _, d := range folder {
		in := identify(t, Local{}, d)
		for _, names := range [][]string{place, deep, {"data/2025.csv", "data/sub", "linked/2026.csv", "data/latest.csv"}} {
			for _, name := range names {
				if !identify(t, Local{}, name).Within(in) {
					t.Errorf("%s is not within %s", name, d)
				}
			}
		}
		for _, name := range []string{"data", "deep/er", "hop2", "nowhere/data/x", "data2/x", dir} {
			if identify(t, Local{}, name).Within(in) {
				t.Errorf("%s is within %s", name, d)
			}
		}
	}
	if !identify(t, Local{}, "data/x/y/z.csv").Within(identify(t, Local{}, "linked/x")) {
		t.Error("a place is not within a directory still to be made")
	}
}

// TestCase: where a directory takes letters of both cases for the same, places that differ in case alone are one.
func TestCase(t *testing.T) {
	tree(t, "data/", "data/a.csv")
	folding := Local{folds: func(string) bool { return true }}
	for _, pair := range [][2]string{{"data/OUT.csv", "data/out.CSV"}, {"data/Größe.csv", "data/GRÖßE.csv"}, {"data/K.csv", "data/\u212a.csv"},
		{"data/New/x", "data/new/X"}, {"data/Σ", "data/ς"}} {
		if !identify(t, folding, pair[0]).Same(identify(t, folding, pair[1])) {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
		if identify(t, Local{folds: func(string) bool { return false }}, pair[0]).Same(identify(t, Local{folds: func(string) bool { return false }}, pair[1])) {
			t.Errorf("%s and %s are the same where case counts", pair[0], pair[1])
		}
	}
	if identify(t, folding, "data/a1").Same(identify(t, folding, "data/a2")) {
		t.Error("a1 and a2 are the same")
	}
	// What this file system does is what is found.
	_, err := os.Stat("DATA")
	if got := (Local{}).foldsCase("data"); got != (err == nil) {
		t.Errorf("folds: %v, stat of another case: %v", got, err)
	}
	if err := os.Mkdir("123", 0o755); err != nil {
		t.Fatal(err)
	}
	if got := (Local{}).foldsCase("123"); got != (err == nil) {
		t.Errorf("an empty directory without letters folds: %v", got)
	}
}

// TestUses: every pair of uses of one file, by every spelling.
func TestUses(t *testing.T) {
	ctx := context.Background()
	dir := tree(t, "data/", "data/in.csv", "data/key.json", "link -> data/in.csv", "linked -> data", "hard => data/in.csv", "out/")
	spellings := []string{"data/in.csv", "./data/in.csv", dir + "/data/in.csv", "link", "linked/in.csv", "hard"}
	for _, first := range []Access{Reads, ReadsOnce, Writes} {
		for _, second := range []Access{Reads, ReadsOnce, Writes} {
			for _, a := range spellings {
				for _, b := range spellings {
					var u Uses
					if err := u.Add(ctx, Local{}, Use{a, "input", first}); err != nil {
						t.Fatal(err)
					}
					err := u.Add(ctx, Local{}, Use{b, "receipt", second})
					want := first == Writes || second == Writes || first == ReadsOnce && second == ReadsOnce
					var conflict *Conflict
					if errors.As(err, &conflict) != want || err != nil && !want {
						t.Errorf("%s (%d) and %s (%d): %v", a, first, b, second, err)
					}
					if want && (conflict.Other.Name != a || conflict.Use.Name != b || !strings.Contains(err.Error(), a)) {
						t.Errorf("%+v: %v", conflict, err)
					}
					if err := u.Add(ctx, Local{}, Use{"data/key.json", "key", Writes}); err != nil {
						t.Errorf("another file: %v", err)
					}
				}
			}
		}
	}
	// A weak use between does not hide a strong one.
	for _, order := range [][]Access{{ReadsOnce, Reads, ReadsOnce}, {Reads, Reads, Writes}, {Reads, ReadsOnce, Writes}} {
		var u Uses
		for i, access := range order {
			if err := u.Add(ctx, Local{}, Use{spellings[i], "x", access}); (err != nil) != (i == 2) {
				t.Errorf("%v: use %d: %v", order, i, err)
			}
		}
	}
	// A place that does not exist yet.
	var u Uses
	if err := u.Add(ctx, Local{}, Use{"out/new.csv", "output", Writes}); err != nil {
		t.Fatal(err)
	}
	if err := u.Add(ctx, Local{}, Use{dir + "/out/../out/new.csv", "receipt", Writes}); err == nil {
		t.Error("two outputs are one file")
	}
	// It is made meanwhile.
	if err := os.WriteFile("out/new.csv", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := u.Add(ctx, Local{}, Use{"./out/new.csv", "input", Reads}); err == nil {
		t.Error("an output that was made meanwhile is an input")
	}
	for _, c := range []struct {
		uses []Use
		want string // of the last; "" if it is accepted
	}{
		{[]Use{{"data", "output", Replaces}, {"linked/in.csv", "input", ReadsOnce}}, "linked/in.csv (input) is in the directory data (output), which would be replaced"},
		{[]Use{{"link", "input", ReadsOnce}, {"linked", "output", Replaces}}, "link (input) is in the directory linked (output), which would be replaced"},
		{[]Use{{"data/key.json", "key", Reads}, {dir, "output", Replaces}}, "which would be replaced"},
		{[]Use{{"data/new/part-1", "receipt", Writes}, {"linked/new", "output", Replaces}}, "which would be replaced"},
		{[]Use{{"data", "output", Replaces}, {"data/", "profile", Replaces}}, "data (output) and data/ (profile) are the same file"},
		{[]Use{{"data/a", "output", Replaces}, {"data/b", "receipt", Writes}, {"data/in.csv", "input", ReadsOnce}}, ""},
		{[]Use{{"data/in.csv", "input", ReadsOnce}, {"data/in.csv", "input", ReadsOnce}}, "data/in.csv is given twice as input"},
		{[]Use{{"data/in.csv", "input", ReadsOnce}, {"data/in.csv", "output", Writes}}, "data/in.csv is both input and output"},
		{[]Use{{"data/in.csv", "input", ReadsOnce}, {"link", "input", ReadsOnce}}, "data/in.csv and link (input) are the same file"},
		{[]Use{{"data/key.json", "key", Reads}, {"linked/key.json", "token key", Reads}}, ""},
	} {
		var u Uses
		for i, use := range c.uses {
			err := u.Add(ctx, Local{}, use)
			if last := i == len(c.uses)-1; err != nil && (!last || c.want == "") || err == nil && last && c.want != "" {
				t.Errorf("%v: use %d: %v", c.uses, i, err)
			} else if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v, want %q", c.uses, err, c.want)
			}
		}
	}
}

// named is an FS that is no Identifier.
type named struct{ FS }

func TestIdentifyByName(t *testing.T) {
	x := identify(t, named{}, "a/./b.csv")
	if !x.Same(identify(t, named{}, "a/c/../b.csv")) || x.Same(identify(t, named{}, "a/B.csv")) || !x.Within(identify(t, named{}, "a")) || x.Within(identify(t, named{}, "b")) {
		t.Errorf("%+v", x)
	}
	x = identify(t, named{}, "s3://b/k/x.csv?region=eu")
	if !x.Same(identify(t, named{}, "S3://b/k/x.csv")) || x.Same(identify(t, named{}, "s3://b2/k/x.csv")) || !x.Within(identify(t, named{}, "s3://b/k/")) || x.Within(identify(t, named{}, "s3://b/kk")) {
		t.Errorf("%+v", x)
	}
	if !x.Within(identify(t, named{}, "s3://b")) {
		t.Error("not within its bucket")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Identify(ctx, Local{}, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSameObject: servers are asked only about objects of one bucket and key, and only when it matters.
func TestSameObject(t *testing.T) {
	ctx := context.Background()
	asked := 0
	object := func(server, key, version string) Identity {
		u, _ := ParseURL("s3://b/" + key)
		return Object("s3://b/"+key, u, server, func(context.Context) (string, error) {
			asked++
			if version == "fail" {
				return "", errors.New("unreachable")
			}
			return version, nil
		})
	}
	for _, c := range []struct {
		a, b Identity
		same bool
		fail bool
		asks int
	}{
		{object("one", "k", "v1"), object("two", "k", "v1"), true, false, 2},
		{object("one", "k", "v1"), object("two", "k", "v2"), false, false, 2},
		{object("one", "k", ""), object("two", "k", ""), false, false, 1},
		{object("one", "k", "v1"), object("two", "k2", "v1"), false, false, 0},
		{object("one", "k", "fail"), object("two", "k", "v1"), false, true, 1},
		{object("one", "k", "v1"), object("two", "k", "fail"), false, true, 2},
	} {
		asked = 0
		same, err := c.a.SameObject(ctx, c.b)
		if same != c.same || (err != nil) != c.fail || asked != c.asks {
			t.Errorf("%s: %v, %v, %d questions", c.a.Path, same, err, asked)
		}
	}
}

// What leads through all directories of a name takes time for the square of its length: no file has such a name.
func TestIdentityOfLongNames(t *testing.T) {
	for _, name := range []string{strings.Repeat("a/", NameBytesMax), "/" + strings.Repeat("ü", NameBytesMax), "s3://bucket/" + strings.Repeat("a/", 1<<20), "file:///" + strings.Repeat("../", 1<<20)} {
		for _, fs := range []FS{Local{}, plainFS{}} {
			_, err := Identify(context.Background(), fs, name)
			if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "too long for a file") || len(err.Error()) > 200 || !utf8.ValidString(err.Error()) {
				t.Errorf("%.20s…: %v", name, err)
			}
		}
	}
	if _, err := Identify(context.Background(), Local{}, strings.Repeat("a/", NameBytesMax/2-1)); err != nil {
		t.Error(err)
	}
	if _, err := (Local{}).Open(context.Background(), strings.Repeat("a", 5000)); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// plainFS is an FS that does not know what its names lead to.
type plainFS struct{ FS }

// Places finds what Same and Within say of each place.
func TestPlaces(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, name := range []string{"d", "d/sub", "e"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"to-f": "f", "to-d": "d", "e/up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"f", "to-f", "d", "to-d", "d/sub", "to-d/sub/x", "d/none/y", "e", "e/up/d/none", "none", "none/z", "e/up/none", "s3://b/k", "s3://b/k/x", "s3://b/kx", "gs://b/k"}
	var ids []Identity
	for _, name := range names {
		if !strings.Contains(name, "://") {
			name = filepath.Join(dir, filepath.FromSlash(name))
		}
		var id Identity
		var err error
		if u, ok := ParseURL(name); ok {
			id = Object(name, u, "", nil)
		} else if id, err = Identify(ctx, Local{}, name); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i, place := range ids {
		var p Places
		p.Add(place, i)
		for k, id := range ids {
			number, found := p.Find(id)
			if want := id.Same(place) || id.Within(place); found != want || found && number != i {
				t.Errorf("%s in %s: %d, %v", names[k], names[i], number, found)
			}
		}
	}
	if _, found := (&Places{}).Find(ids[0]); found {
		t.Error("an empty one finds something")
	}
}
