//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What tells more than its owner may want to tell is readable by the owner alone: lists of tokens, and all of a job
// directory while the job is in shards and when it is done.
func TestOwnersFilesAreTheirs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "p,1", "q,2", "r,3")
	p.ok("keygen --token-key @/token.json")
	for _, name := range []string{"tokens.csv", "tokens.csv.gz", "tokens.parquet", "tokens.arrow"} {
		p.ok("tokens --in @/a.csv --out @/" + name + " --id id --tokenize id --token-key @/token.json")
		checkOwners(t, p.path(name))
	}
	p.write("job.toml", fmt.Sprintf(`version = 1
[job]
dir = "%[1]s/job"
part_rows = 2
[[encrypt]]
key = "%[1]s/public.json"
in = ["%[1]s/a.csv"]
id = ["id"]
measure = ["x:max=9"]
out = "%[1]s/a.cf.parquet"
[[decrypt]]
unfused = true
key = "%[1]s/secret.json"
in = "%[1]s/a.cf.parquet"
out = "%[1]s/r.csv"
`, p.dir))
	p.ok("plan @/job.toml --shards 1")
	checkOwners(t, p.path("job"))
	p.ok("shard @/job.toml 1/1")
	checkOwners(t, p.path("job"))
	p.ok("run @/job.toml --resume --receipt-key @/receipt.key")
	checkOwners(t, p.path("job"))
}

// checkOwners checks that nobody but the owner may do anything with what there is, at least one file.
func checkOwners(t *testing.T, root string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && filepath.Base(name) != "receipt.json" { // which is for others
			t.Errorf("%s: mode %v", name, info.Mode())
		}
		if info.Mode().IsRegular() {
			files++
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%s: %d files, error %v", root, files, err)
	}
}
