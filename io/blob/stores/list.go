package stores

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/io/blob"
)

// list returns the files that a URL stands for.
func (b *bucket) list(ctx context.Context, name, key string) ([]string, error) {
	u := b.url
	u.Key = key
	if key != "" && !strings.HasSuffix(key, "/") {
		_, err := b.stat(ctx, key)
		if err == nil {
			return []string{u.String()}, nil
		}
		if !absent(err) {
			return nil, b.error(name, "open", err)
		}
	}
	key = strings.TrimSuffix(key, "/")
	entries, err := b.readDir(ctx, key)
	if err != nil {
		return nil, b.error(name, "list", err)
	}
	if len(entries) > 0 {
		u.Key = key
		return b.parts(ctx, u.String())
	}
	if !strings.ContainsAny(key, `*?[`) {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNotFound, What: "no such object or directory", Hint: "Check the URL."}
	}
	if _, err := path.Match(key, ""); err != nil {
		return nil, &blob.Error{Path: name, Kind: blob.ErrBadPattern, Err: err, Hint: `Escape a literal *, ? or [ as \*, \? or \[.`}
	}
	matches, err := b.glob(ctx, key)
	if err != nil {
		return nil, b.error(name, "list", err)
	}
	var files []string
	for _, m := range matches {
		if !blob.Matches(path.Base(key), path.Base(m.Name)) {
			continue
		}
		match := b.url
		match.Key = m.Name
		if !m.Dir {
			files = append(files, match.String())
			continue
		}
		more, err := b.parts(ctx, match.String())
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, &blob.Error{Path: name, Kind: blob.ErrNoMatch, Hint: "Check the pattern; quote it if the shell should leave it alone."}
	}
	blob.SortNames(files)
	return files, nil
}

// parts returns the part files of a directory.
func (b *bucket) parts(ctx context.Context, dir string) ([]string, error) {
	return blob.PartFiles(ctx, dir, func(ctx context.Context, dir string) ([]blob.Entry, error) {
		u, _ := blob.ParseURL(dir)
		entries, err := b.readDir(ctx, u.Key)
		if err != nil {
			return nil, b.error(dir, "list", err)
		}
		return entries, nil
	})
}

// glob returns the keys and directories that match a pattern, element by
// element.
func (b *bucket) glob(ctx context.Context, pattern string) ([]blob.Entry, error) {
	dirs := []string{""}
	elements := strings.Split(pattern, "/")
	for i, element := range elements {
		last := i == len(elements)-1
		var next []blob.Entry
		for _, dir := range dirs {
			if !strings.ContainsAny(element, `*?[\`) && !last {
				next = append(next, blob.Entry{Name: path.Join(dir, element), Dir: true})
				continue
			}
			entries, err := b.readDir(ctx, dir)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if ok, _ := path.Match(element, e.Name); ok && (last || e.Dir) {
					next = append(next, blob.Entry{Name: path.Join(dir, e.Name), Dir: e.Dir})
				}
			}
		}
		if last {
			return next, nil
		}
		dirs = dirs[:0]
		for _, e := range next {
			dirs = append(dirs, e.Name)
		}
	}
	return nil, nil
}

// readDir returns what is below a key as in a directory. That is nothing when
// there is no such directory.
func (b *bucket) readDir(ctx context.Context, dir string) ([]blob.Entry, error) {
	prefix := ""
	if dir != "" {
		prefix = dir + "/"
	}
	var entries []blob.Entry
	token := ""
	for {
		var p page
		err := b.try(ctx, func() (err error) {
			p, err = b.client.list(ctx, prefix, token, listMax)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, key := range p.keys {
			// What some tools make to show an empty directory is not a file.
			if name := key[len(prefix):]; name != "" && !strings.HasSuffix(name, "/") {
				entries = append(entries, blob.Entry{Name: name})
			}
		}
		for _, key := range p.prefixes {
			if name := strings.TrimSuffix(key[len(prefix):], "/"); name != "" {
				entries = append(entries, blob.Entry{Name: name, Dir: true})
			}
		}
		if p.next == "" {
			slices.SortStableFunc(entries, func(a, b blob.Entry) int { return strings.Compare(a.Name, b.Name) })
			return entries, nil
		}
		token = p.next
	}
}

// listMax is how many keys are asked for at a time: all that S3 gives.
const listMax = 1000
