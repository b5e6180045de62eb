package blob

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List returns the files that a path, directory or glob means. A glob leaves out hidden names unless its last element
// begins as they do. A directory among its matches means its part files.
func (Local) List(ctx context.Context, pattern string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(pattern)
	if err == nil {
		return listPath(ctx, pattern, info)
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
	for _, match := range matches {
		if !Matches(filepath.Base(pattern), filepath.Base(match)) {
			continue
		}
		info, err := os.Stat(match)
		if err != nil {
			return nil, wrap(match, "open", err)
		}
		more, err := listPath(ctx, match, info)
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
func listPath(ctx context.Context, name string, info os.FileInfo) ([]string, error) {
	if info.Mode().IsRegular() {
		return []string{name}, nil
	}
	if !info.IsDir() {
		return nil, notRegular(name, info)
	}
	return PartFiles(ctx, name, readDir)
}

// readDir returns what is in a directory, links followed. It leaves out hidden entries, which may be anything.
func readDir(ctx context.Context, dir string) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, wrap(dir, "list the directory", err)
	}
	var entries []Entry
	for _, e := range names {
		if Hidden(e.Name()) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		if err != nil {
			return nil, wrap(name, "open", err)
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return nil, notRegular(name, info)
		}
		entries = append(entries, Entry{Name: e.Name(), Dir: info.IsDir()})
	}
	return entries, nil
}
