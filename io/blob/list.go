package blob

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List returns the files that a path, directory or glob stands for.
//
// The part files of a directory are its regular files, except those whose
// names begin with "." or "_" (temporary files and the markers of other
// engines). They must all have one extension, and there may be no
// subdirectory: what could hold rows is not passed over in silence. A glob
// leaves out names that begin with "." unless its last element does, and a
// directory among its matches stands for its part files.
func (Local) List(ctx context.Context, pattern string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(pattern)
	if err == nil {
		return listPath(pattern, info)
	}
	if !strings.ContainsAny(pattern, `*?[`) {
		e := wrap(pattern, "open", err)
		if e.Kind == ErrNotFound {
			e.What = "no such file or directory"
			e.Hint = "Check the path."
		}
		return nil, e
	}
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, &Error{Path: pattern, Kind: ErrBadPattern, Err: err, Hint: `Escape a literal *, ? or [ as \*, \? or \[.`}
	}
	var files []string
	hidden := strings.HasPrefix(filepath.Base(pattern), ".")
	for _, match := range matches {
		if strings.HasPrefix(filepath.Base(match), ".") && !hidden {
			continue
		}
		info, err := os.Stat(match)
		if err != nil {
			return nil, wrap(match, "open", err)
		}
		more, err := listPath(match, info)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, &Error{Path: pattern, Kind: ErrNoMatch, Hint: "Check the pattern; quote it if the shell should leave it alone."}
	}
	slices.Sort(files)
	return files, nil
}

// listPath lists a path that exists.
func listPath(name string, info os.FileInfo) ([]string, error) {
	if info.Mode().IsRegular() {
		return []string{name}, nil
	}
	if !info.IsDir() {
		return nil, notRegular(name, info)
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, wrap(name, "list the directory", err)
	}
	var files []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "_") {
			continue
		}
		file := filepath.Join(name, entry.Name())
		info, err := os.Stat(file) // follows symbolic links
		if err != nil {
			return nil, wrap(file, "open", err)
		}
		if info.IsDir() {
			return nil, &Error{Path: name, Kind: ErrMixed, What: fmt.Sprintf("the directory of part files has a subdirectory, %s", entry.Name()),
				Hint: fmt.Sprintf("Name the files by a glob, such as '%s'.", filepath.Join(name, "*", "*.parquet"))}
		}
		if !info.Mode().IsRegular() {
			return nil, notRegular(file, info)
		}
		if len(files) > 0 && Ext(file) != Ext(files[0]) {
			return nil, &Error{Path: name, Kind: ErrMixed,
				What: fmt.Sprintf("the directory of part files mixes types: %s and %s", filepath.Base(files[0]), entry.Name()),
				Hint: fmt.Sprintf("Name the files meant by a glob, such as '%s'.", filepath.Join(name, "*"+Ext(files[0])))}
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, &Error{Path: name, Kind: ErrNoMatch, What: "the directory has no part files",
			Hint: "Names that begin with . or _ do not count as part files."}
	}
	slices.Sort(files)
	return files, nil
}
