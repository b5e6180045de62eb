package houserules

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// No package has more files than a reader can survey, and documents are decoded in one way.
func TestPackageSizes(t *testing.T) {
	files := make(map[string]int)
	module := os.DirFS("../..")
	err := fs.WalkDir(module, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(module, file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		files[path.Dir(file)]++
		source, err := fs.ReadFile(module, file)
		if strings.Contains(string(source), ".DisallowUnknownFields()") && path.Dir(file) != "internal/strictjson" {
			t.Errorf("%s: decode JSON with internal/strictjson, which also refuses repeated names and what follows", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, n := range files {
		if _, large := largeRooms[folder]; n > filesMax && !large {
			t.Errorf("%s has %d files that are no tests; at most %d: divide it by topics", folder, n, filesMax)
		}
	}
	for folder, reason := range largeRooms {
		if files[folder] <= filesMax {
			t.Errorf("%s has %d files that are no tests: strike it off largeRooms (%s)", folder, files[folder], reason)
		}
	}
}
