package blob

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// Identity is the file, or the place for one, that a name leads to. Two names of one file have the same identity,
// however they are spelled. They may be relative or absolute, go through . and .., symbolic links, linked directories
// or hard links, differ in letters that the file system takes for the same, be a file:// URL, or be URLs with
// different parameters.
//
// It is about now: a link that is changed later leads elsewhere.
type Identity struct {
	Name   string // as it was given
	Path   string // absolute, without links; of an object its URL without parameters
	Exists bool   // there is a file or directory; of objects, about which nobody is asked, always false
	Dir    bool   // and it is a directory

	key   string   // equal for the same file or place
	above []string // keys of the directories that it is in, from the innermost on

	object  string                                // of an object: scheme, bucket and key, without the server
	version func(context.Context) (string, error) // of an object: what tells its contents from others, "" if nothing is there
}

// Identifier is an FS that knows what its names lead to.
type Identifier interface {
	Identify(ctx context.Context, name string) (Identity, error)
}

// NameBytesMax is more than Linux and stores allow names to have. To look at every directory in a name takes time for the
// square of its length.
const NameBytesMax = 1 << 13

// checkLength refuses a name that no file can have.
func checkLength(name string) error {
	if len(name) <= NameBytesMax {
		return nil
	}
	const shown = 64
	return &Error{Path: strings.ToValidUTF8(name[:shown], "") + "…", Kind: ErrNotFound, What: fmt.Sprintf("a name of %d bytes is too long for a file", len(name)), Hint: "Check the name."}
}

// Identify returns the identity of what a name leads to, which need not exist. An FS that is no Identifier is asked nothing:
// there a file is its path, cleaned.
func Identify(ctx context.Context, fs FS, name string) (Identity, error) {
	if err := ctx.Err(); err != nil {
		return Identity{}, err
	}
	if err := checkLength(name); err != nil {
		return Identity{}, err
	}
	if f, ok := fs.(Identifier); ok {
		return f.Identify(ctx, name)
	}
	if u, ok := ParseURL(name); ok {
		return Object(name, u, "", nil), nil
	}
	const kind = "path:"
	clean := path.Clean(filepath.ToSlash(name))
	id := Identity{Name: name, Path: clean, key: kind + clean}
	root := kind + "."
	if strings.HasPrefix(clean, "/") {
		root = kind + "/"
	}
	id.above = append(prefixes(id.key, len(kind)+1), root)
	return id, nil
}

// prefixes are the parts of a key that end before a slash, the longest first, as far as they have more than so many bytes. They
// share its memory.
func prefixes(key string, more int) []string {
	var out []string
	for i := strings.LastIndexByte(key, '/'); i >= more; i = strings.LastIndexByte(key[:i], '/') {
		out = append(out, key[:i])
	}
	return out
}

// Object returns the identity of an object. server says which store of this kind it is, such as its endpoint. version
// tells what is in the object, to compare objects with the same bucket and key on servers of different names; it may
// be nil.
func Object(name string, u URL, server string, version func(context.Context) (string, error)) Identity {
	u.Query = ""
	u.Key = strings.TrimSuffix(u.Key, "/")
	root := u.Scheme + "://" + server + "//" + u.Bucket
	id := Identity{Name: name, Path: u.String(), key: root + "/" + u.Key, object: u.String(), version: version}
	if u.Key != "" {
		id.above = append(prefixes(id.key, len(root)+1), root+"/")
	}
	return id
}

// Same reports whether both names lead to one file or place.
func (a Identity) Same(b Identity) bool {
	return a.key == b.key || a.object == "" && b.object == "" && a.Path == b.Path
}

// Key is equal for the same file or place, and different for others. It is for maps, not to be shown.
func (a Identity) Key() string { return a.key }

// Within reports whether a is in the directory dir, at any depth.
func (a Identity) Within(dir Identity) bool {
	for _, key := range a.above {
		if key == dir.key {
			return true
		}
	}
	return false
}

// Places are files and directories, numbered, to find those that others are, or are in. The zero value is empty and ready to
// use.
type Places struct{ numbers map[string]int }

// Add adds a place under a number. Of two that are the same the first counts.
func (p *Places) Add(id Identity, number int) {
	if p.numbers == nil {
		p.numbers = map[string]int{}
	}
	for _, key := range id.names() {
		if _, there := p.numbers[key]; !there {
			p.numbers[key] = number
		}
	}
}

// Find returns the number of the place that id is, or is in, at any depth: see Same and Within.
func (p *Places) Find(id Identity) (number int, found bool) {
	for _, key := range id.names() {
		if number, found = p.numbers[key]; found {
			return number, true
		}
	}
	for _, key := range id.above {
		if number, found = p.numbers[key]; found {
			return number, true
		}
	}
	return 0, false
}

// names are what two names of one place have one of in common.
func (a Identity) names() []string {
	if a.object != "" {
		return []string{a.key}
	}
	return []string{a.key, "its path: " + a.Path}
}

// SameObject reports whether two objects of one bucket and key, on servers that are not called the same, are one after all: then
// they have the same version. It asks the servers.
func (a Identity) SameObject(ctx context.Context, b Identity) (bool, error) {
	if a.object == "" || a.object != b.object || a.version == nil || b.version == nil {
		return false, nil
	}
	x, err := a.version(ctx)
	if err != nil || x == "" {
		return false, err
	}
	y, err := b.version(ctx)
	return err == nil && x == y, err
}

// fileKey is equal for the names of one file. Where the system does not tell it
// is the path, on Windows without regard to case.
func fileKey(name string, info os.FileInfo) string {
	if key, ok := system.FileKey(name, info); ok {
		return key
	}
	if runtime.GOOS == "windows" {
		name = fold(name)
	}
	return "path:" + name
}

// HardLinks is how many names a file of this machine has: 1, or more with hard links. It is 1 where the system does not tell, and
// where there is no file.
func HardLinks(name string) uint64 {
	info, err := os.Stat(name)
	if err != nil {
		return 1
	}
	if n, ok := system.Links(name, info); ok {
		return n
	}
	return 1
}

// linksMax bounds the symbolic links followed from one name, as systems do.
const linksMax = 64

// Identify looks at the disk: a file is its device and inode (on Windows, its volume and file id), a place where there is none
// yet is the directory that exists and what follows.
func (l Local) Identify(ctx context.Context, name string) (Identity, error) {
	if err := ctx.Err(); err != nil {
		return Identity{}, err
	}
	id := Identity{Name: name}
	if err := checkLength(name); err != nil {
		return id, err
	}
	at, err := filepath.Abs(name)
	if err != nil {
		return id, wrap(name, "find", err)
	}
	// The deepest part that exists, links followed, and what follows it. A link that leads nowhere is followed, too: writing
	// through it makes the file that it names.
	at, rest := split(at)
	for links := 0; ; {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real
			break
		}
		if to, err := os.Readlink(at); err == nil && links < linksMax {
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(at), to)
			}
			at, links = to, links+1
			continue
		}
		parent := filepath.Dir(at)
		if parent == at {
			break
		}
		rest = filepath.Join(filepath.Base(at), rest)
		at = parent
	}
	id.Path = filepath.Join(at, rest)
	info, err := os.Stat(at)
	if err != nil {
		// Not even a root, or one that may not be looked at: the path is all that is known.
		id.key = "path:" + id.Path
		return id, nil
	}
	id.key = fileKey(at, info)
	if rest == "" {
		id.Exists, id.Dir = true, info.IsDir()
		id.above = directories(filepath.Dir(at), at)
		return id, nil
	}
	// A place: its directories are those that exist, and those still to be made.
	folded := rest
	if runtime.GOOS == "windows" {
		folded = trimDots(folded)
	}
	if l.foldsCase(at) {
		folded = fold(folded)
	}
	base := id.key
	id.key = base + "/" + filepath.ToSlash(folded)
	id.above = append(prefixes(id.key, len(base)+1), directories(at, "")...)
	return id, nil
}

// split divides a path before what comes after the first element that is not there.
func split(name string) (at, rest string) {
	for i := len(filepath.VolumeName(name)) + 1; i < len(name); i++ {
		if os.IsPathSeparator(name[i]) {
			if _, err := os.Lstat(name[:i]); err != nil {
				return name[:i], name[i+1:]
			}
		}
	}
	return name, ""
}

// directories are the keys of a directory and those above it; below is what was asked about already.
func directories(dir, below string) []string {
	var keys []string
	for ; dir != below; below, dir = dir, filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil {
			keys = append(keys, fileKey(dir, info))
		}
	}
	return keys
}

// foldsCase reports whether a directory takes upper and lower case letters for the same. It is asked by a name in it, else by its
// own name or those above it.
func (l Local) foldsCase(dir string) bool {
	if l.folds != nil {
		return l.folds(dir)
	}
	if d, err := os.Open(dir); err == nil {
		names, _ := d.Readdirnames(64)
		d.Close()
		for _, name := range names {
			if other := swapCase(name); other != name {
				return sameFile(filepath.Join(dir, name), filepath.Join(dir, other))
			}
		}
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if other := swapCase(filepath.Base(dir)); other != filepath.Base(dir) {
			return sameFile(dir, filepath.Join(filepath.Dir(dir), other))
		}
	}
	return runtime.GOOS == "windows" || runtime.GOOS == "darwin"
}

func sameFile(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}

// swapCase makes the first letter that has another case the other one.
func swapCase(name string) string {
	for i, r := range name {
		if other := unicode.ToUpper(r); other != r {
			return name[:i] + string(other) + name[i+len(string(r)):]
		}
		if other := unicode.ToLower(r); other != r {
			return name[:i] + string(other) + name[i+len(string(r)):]
		}
	}
	return name
}

// fold maps names that differ in the case of letters only to one: to the least of the letters that stand for each other.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// trimDots removes from the end of names what Windows does: dots and blanks.
func trimDots(name string) string {
	parts := strings.Split(filepath.ToSlash(name), "/")
	for i, part := range parts {
		if trimmed := strings.TrimRight(part, ". "); trimmed != "" {
			parts[i] = trimmed
		}
	}
	return strings.Join(parts, "/")
}

var _ Identifier = Local{}
