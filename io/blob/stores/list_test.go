package stores

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
)

// Listing is the same on a store as on disk: the files, and the refusals.
func TestListAsOnDisk(t *testing.T) {
	p := newPlace(t)
	root := t.TempDir()
	for _, name := range []string{
		"parts/b.csv.gz", "parts/a.CSV.gz", "parts/_SUCCESS", "parts/.a.csv.gz", "parts/_tmp/x", "parts/.hidden/x",
		"mixed/a.csv", "mixed/b.tsv", "nested/a.csv", "nested/year/b.csv", "hidden/.x", "lit[1].csv", "sp ace/ü+%20.csv",
		"g/x1.csv", "g/x1.csv-1.csv", "g/x2.csv", "g/.x3.csv", "g/sub/p.csv", "g/sub/q.csv", "g/sub2/deep/z.csv",
		"hive/site=A/year=1/a.csv", "hive/site=A/year=2/a.csv", "hive/site=B/year=1/b.csv", "hive/_x", "hive/.y",
		"keys/a=1/x.csv", "keys/b=1/x.csv", "beside/a=1/x.csv", "beside/x.csv", "types/a=1/x.csv", "types/a=2/x.tsv",
		"underscore/_a=1/x.csv", "none/a=1/.x",
	} {
		p.put("t/"+name, []byte("x"))
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("x"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{
		"parts", "parts/", "parts/a.CSV.gz", "parts/*", "parts/*.gz", "mixed", "mixed/*.csv", "nested", "nested/*", "nested/*/*", "hidden", "hidden/.*", "hidden/*",
		"lit[1].csv", `lit\[1\].csv`, "lit*", "sp ace", "sp ace/*", "sp ?ce/*", "g", "g/*", "g/x[12].csv", "g/x[!1].csv", "g/x[^1].csv", "g/.x*", "g/*/p.csv", "g/sub*/*", "g/s??/?.csv",
		"*/x1.csv", "no*", "nothing", "nothing/at/all", "g/none/*", "[", "g/[", "hive", "hive/site=A", "hive/site=*", "hive/*/year=1", "hive/site=*/year=1/*.csv", "keys", "beside", "types",
		"underscore", "none", "g/x1.csv/deeper", "g/x1.csv/*",
	} {
		got, gotErr := p.List(ctx, p.name("t/"+pattern))
		want, wantErr := blob.Local{}.List(ctx, root+"/"+pattern)
		for i := range got {
			got[i] = strings.TrimSuffix(strings.TrimPrefix(got[i], p.prefix+"t/"), p.query)
		}
		for i := range want {
			rel, err := filepath.Rel(root, want[i])
			if err != nil {
				t.Fatal(err)
			}
			want[i] = filepath.ToSlash(rel)
		}
		if !slices.Equal(got, want) || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s: %q, %v; on disk %q, %v", pattern, got, gotErr, want, wantErr)
			continue
		}
		if gotErr == nil {
			for _, name := range got {
				if _, err := p.Open(ctx, p.name("t/"+name)); err != nil {
					t.Errorf("%s: %s was listed: %v", pattern, name, err)
				}
			}
			continue
		}
		var g, w *blob.Error
		if !errors.As(gotErr, &g) || !errors.As(wantErr, &w) || g.Hint == "" || g.Kind != w.Kind && !strings.HasPrefix(pattern, "g/x1.csv/") {
			t.Errorf("%s: %v (hint %q); on disk %v", pattern, gotErr, g.Hint, wantErr)
		}
	}
}

// Listings have pages, objects that stand for directories, and failures.
func TestLongList(t *testing.T) {
	p := newPlace(t)
	const n = 2300
	for i := range n {
		if _, err := p.server.Put("data", fmt.Sprintf("d/%05d.csv", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.server.Put("data", "d/", nil); err != nil {
		t.Fatal(err)
	}
	p.server.Inject(s3server.Faults{Seed: 5, Fail: 0.3})
	for _, pattern := range []string{"d", "d/*", "?/*.csv"} {
		names, err := p.List(ctx, p.name(pattern))
		if err != nil || len(names) != n || names[n-1] != p.name(fmt.Sprintf("d/%05d.csv", n-1)) || names[0] != p.name("d/00000.csv") {
			t.Errorf("%s: %d names, %v", pattern, len(names), err)
		}
	}
}
