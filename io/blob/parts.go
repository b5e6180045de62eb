package blob

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Entry is a name in a directory.
type Entry struct {
	Name string
	Dir  bool // otherwise it is a file
}

// ReadDirFunc returns what is in a directory.
type ReadDirFunc func(ctx context.Context, dir string) ([]Entry, error)

// PartFiles returns the part files of a directory, in byte order of their names. The rules are the same on every FS.
//
// They are its files, except those whose names begin with "." or "_" (temporary files and the markers of engines), and
// must all have one extension. Instead, a directory may hold partition folders KEY=VALUE, all of one key and with
// nothing beside them. Each of these holds part files or partition folders of the next key. Any other subdirectory is
// refused, because it could hold rows.
func PartFiles(ctx context.Context, dir string, read ReadDirFunc) ([]string, error) {
	files, err := partFiles(ctx, dir, read)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &Error{Path: dir, Kind: ErrNoMatch, What: "the directory has no part files",
			Hint: "Names that begin with . or _ do not count as part files."}
	}
	SortNames(files)
	for _, file := range files[1:] {
		if Ext(file) != Ext(files[0]) {
			return nil, &Error{Path: dir, Kind: ErrMixed,
				What: fmt.Sprintf("the directory of part files mixes types: %s and %s", path.Base(Path(files[0])), path.Base(Path(file))),
				Hint: fmt.Sprintf("Name the files meant by a glob, such as '%s'.", Join(dir, "*"+Ext(files[0])))}
		}
	}
	return files, nil
}

// Hidden reports whether a name in a directory is that of a temporary file or a marker of an engine, not of a part
// file or folder.
func Hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") && !strings.Contains(name, "=")
}

// Matches reports whether a name that matches the last element of a glob counts as a match. A hidden one does not,
// unless the glob begins as it does.
func Matches(glob, name string) bool { return !Hidden(name) || glob != "" && glob[0] == name[0] }

// SortNames sorts names, paths or URLs, by their paths.
func SortNames(names []string) {
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(Path(a), Path(b)) })
}

func partFiles(ctx context.Context, dir string, read ReadDirFunc) (files []string, err error) {
	entries, err := read(ctx, dir)
	if err != nil {
		return nil, err
	}
	file, folder := "", "" // one of each
	for _, e := range entries {
		key, _, partition := strings.Cut(e.Name, "=")
		partition = partition && key != "" && e.Dir
		if Hidden(e.Name) {
			continue
		}
		if e.Dir && !partition {
			return nil, &Error{Path: dir, Kind: ErrMixed, What: fmt.Sprintf("the directory of part files has a subdirectory, %s", e.Name),
				Hint: fmt.Sprintf("Name the files by a glob, such as '%s'. Folders named KEY=VALUE are read as columns.", Join(Join(dir, "*"), "*.parquet"))}
		}
		if !e.Dir {
			file = e.Name
			files = append(files, Join(dir, e.Name))
		} else {
			if had, _, _ := strings.Cut(folder, "="); folder != "" && had != key {
				return nil, &Error{Path: dir, Kind: ErrMixed, What: fmt.Sprintf("the partition folders %s and %s are of different keys", folder, e.Name),
					Hint: "All folders beside each other must have one key: KEY=VALUE."}
			}
			folder = e.Name
			more, err := partFiles(ctx, Join(dir, e.Name), read)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		}
		if file != "" && folder != "" {
			return nil, &Error{Path: dir, Kind: ErrMixed, What: fmt.Sprintf("the file %s is beside the partition folder %s", file, folder),
				Hint: "Move it into a partition folder, or name the files meant by a glob."}
		}
	}
	return files, nil
}
