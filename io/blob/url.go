package blob

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// URL is a name of the form SCHEME://BUCKET/KEY?QUERY. As in the stores' own tools, nothing in the key is
// percent-decoded, and a glob may hold "?". A query is what follows the first "?" with a parameter after it
// (NAME=VALUE). It says how the bucket is reached.
type URL struct {
	Scheme string // in lower case
	Bucket string
	Key    string // without a leading slash
	Query  string // without the "?"
}

var (
	urlForm   = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?]*)/?`)
	queryForm = regexp.MustCompile(`\?[A-Za-z_][A-Za-z0-9_.-]*=`)
)

// ParseURL parses a name, if it is a URL.
func ParseURL(name string) (u URL, ok bool) {
	m := urlForm.FindStringSubmatch(name)
	if m == nil {
		return URL{}, false
	}
	u = URL{Scheme: strings.ToLower(m[1]), Bucket: m[2], Key: name[len(m[0]):]}
	if at := queryForm.FindStringIndex(u.Key); at != nil {
		u.Key, u.Query = u.Key[:at[0]], u.Key[at[0]+1:]
	}
	return u, true
}

func (u URL) String() string {
	s := u.Scheme + "://" + u.Bucket
	if u.Key != "" {
		s += "/" + u.Key
	}
	if u.Query != "" {
		s += "?" + u.Query
	}
	return s
}

// Path is the path in a name: a URL's key, or the name itself with slashes.
func Path(name string) string {
	if u, ok := ParseURL(name); ok {
		return u.Key
	}
	return filepath.ToSlash(name)
}

// Join returns the name of a file in a directory. Either may be a URL's.
func Join(dir, name string) string {
	u, ok := ParseURL(dir)
	if !ok {
		return filepath.Join(dir, name)
	}
	u.Key = strings.TrimPrefix(strings.TrimSuffix(u.Key, "/")+"/"+name, "/")
	return u.String()
}

// Dir returns the name of the directory of a file.
func Dir(name string) string {
	u, ok := ParseURL(name)
	if !ok {
		return filepath.Dir(name)
	}
	u.Key = strings.TrimPrefix(path.Dir("/"+u.Key), "/")
	return u.String()
}

// Ext returns the extension of a file's name in lower case, or "" if there is none. For a compressed file it includes
// that of the file inside: ".csv.gz".
func Ext(name string) string {
	if u, ok := ParseURL(name); ok {
		name = u.Key
	}
	name = strings.ToLower(name[strings.LastIndexAny(name, `/\`)+1:])
	ext := path.Ext(name)
	switch ext {
	case ".gz", ".bgz", ".zst", ".bz2", ".xz":
		return path.Ext(strings.TrimSuffix(name, ext)) + ext
	}
	return ext
}
