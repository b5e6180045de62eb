package blob

import (
	"context"
	"os"
	"path"
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

// Place is where an output goes: what its name leads to, and the directory in which that name is.
type Place struct {
	Identity
	dir Identity
	fs  FS
}

// FindPlace finds out where an output of that name goes.
func FindPlace(ctx context.Context, fs FS, name string) (p Place, err error) {
	p.fs = fs
	if p.Identity, err = Identify(ctx, fs, name); err == nil {
		p.dir, err = Identify(ctx, fs, Dir(strings.TrimRight(name, "/")))
	}
	return p, err
}

// MeantBy reports whether List of a pattern, which is given as what it leads to, would return the output, or files in it, once it is there. The pattern is its name, or
// matches it, or is the directory that it is in, itself or in partition folders. How both are spelled does not matter.
func (p Place) MeantBy(ctx context.Context, pattern Identity) bool {
	switch {
	case pattern.Same(p.Identity):
		return true
	case hasWildcard(pattern.Name):
		return p.matches(ctx, pattern.Name, p.Name, 0) || p.matches(ctx, pattern.Name, p.Path, 0)
	}
	for dir := p.dir; !dir.Same(pattern); {
		if !strings.Contains(path.Base(Path(dir.Path)), "=") {
			return false
		}
		up, err := Identify(ctx, p.fs, Dir(dir.Path))
		if err != nil || up.Same(dir) {
			return false
		}
		dir = up
	}
	return !Hidden(path.Base(Path(p.Name)))
}

func hasWildcard(name string) bool { return strings.ContainsAny(Path(name), `*?[`) }

// matches reports whether a glob matches a name, element by element from the end on. What comes before the first element with a
// wildcard leads to the same directory, however it is spelled.
func (p Place) matches(ctx context.Context, pattern, name string, depth int) bool {
	const depthMax = 256
	element, base := path.Base(Path(pattern)), path.Base(Path(name))
	if match, err := path.Match(element, base); err != nil || !match || !Matches(element, base) || depth > depthMax {
		return false
	}
	pattern, name = Dir(pattern), Dir(name)
	at, err := Identify(ctx, p.fs, name)
	if err != nil {
		return false
	}
	if !hasWildcard(pattern) {
		dir, err := Identify(ctx, p.fs, pattern)
		return err == nil && dir.Same(at)
	}
	if p.matches(ctx, pattern, name, depth+1) || at.Path != name && p.matches(ctx, pattern, at.Path, depth+1) {
		return true
	}
	// Directories of the disk that the glob finds, some of them perhaps links.
	if u, ok := ParseURL(pattern); ok {
		if u.Scheme != "file" {
			return false
		}
		pattern = "/" + u.Key
	}
	dirs, _ := filepath.Glob(pattern) // of a bad pattern, List says so
	for _, name := range dirs {
		if dir, err := Identify(ctx, p.fs, name); err == nil && dir.Same(at) {
			return true
		}
	}
	return false
}
