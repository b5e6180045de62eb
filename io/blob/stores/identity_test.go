package stores

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
)

func TestServerName(t *testing.T) {
	for _, group := range [][]string{
		{"https://s3.eu-west-1.amazonaws.com", "http://s3.amazonaws.com/", "s3.dualstack.us-east-1.amazonaws.com:443"},
		{"http://localhost:9000", "http://127.0.0.1:9000/", "http://[::1]:9000", "HTTP://LocalHost:9000", "http://minio.localhost:9000", "localhost:9000", "http://0.0.0.0:9000"},
		{"https://store.example.org", "https://STORE.example.org./", "http://store.example.org:80", "https://store.example.org:443//"},
		{"https://store.example.org:8443"},
		{"https://store.example.org/tenant", "store.example.org/tenant/"},
		{"http://10.0.0.1:9000"},
		{"http://localhost:9001"},
		{"https://notamazonaws.com"},
	} {
		for _, name := range group {
			if got, want := serverName(name), serverName(group[0]); got != want {
				t.Errorf("%s is %q, %s is %q", name, got, group[0], want)
			}
		}
	}
	names := map[string]bool{}
	for _, name := range []string{"http://s3.amazonaws.com", "http://localhost:9000", "http://localhost:9001", "https://store.example.org", "https://store.example.org:8443",
		"https://store.example.org/tenant", "http://10.0.0.1:9000", "https://notamazonaws.com"} {
		names[serverName(name)] = true
	}
	if len(names) != 8 {
		t.Errorf("%v: not 8 servers", names)
	}
}

// TestIdentity: an object by every URL of it, and files by URL and path.
func TestIdentity(t *testing.T) {
	p := newPlace(t)
	p.put("d/in.csv", []byte("a\n"))
	p.put("d/other.csv", []byte("a\n"))
	url := p.prefix + "d/in.csv" + p.query
	spellings := []string{url, strings.Replace(url, "s3://", "S3://", 1), url + "&region=eu-north-1", url + "&use_path_style=true", strings.Replace(url, "127.0.0.1", "localhost", 1)}
	for _, a := range spellings {
		for _, b := range spellings {
			x, err := p.Identify(ctx, a)
			if err != nil {
				t.Fatal(err)
			}
			y, err := p.Identify(ctx, b)
			if err != nil || !x.Same(y) {
				t.Errorf("%s and %s are not the same (%v)", a, b, err)
			}
			var u blob.Uses
			if err := u.Add(ctx, p.FS, blob.Use{Name: a, Role: "input", Access: blob.ReadsOnce}); err != nil {
				t.Fatal(err)
			}
			var conflict *blob.Conflict
			if err := u.Add(ctx, p.FS, blob.Use{Name: b, Role: "output", Access: blob.Writes}); !errors.As(err, &conflict) {
				t.Errorf("%s and %s: %v", a, b, err)
			}
			if err := u.Add(ctx, p.FS, blob.Use{Name: p.prefix + "d/other.csv" + p.query, Role: "output", Access: blob.Writes}); err != nil {
				t.Error(err)
			}
		}
	}
	x, err := p.Identify(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := p.Identify(ctx, p.prefix+"d/"+p.query)
	if err != nil || !x.Within(dir) || dir.Within(x) || x.Same(dir) {
		t.Errorf("%v: %+v within %+v", err, x, dir)
	}
	if _, err := p.Identify(ctx, "ftp://host/x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}

	// Another name of the server, which only the object's version gives away.
	u, _ := blob.ParseURL(url)
	f, err := p.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	alias := blob.Object("alias", u, "store.example.org", func(context.Context) (string, error) {
		return f.(interface{ Version() string }).Version(), nil
	})
	if x.Same(alias) {
		t.Error("another server is the same")
	}
	if same, err := x.SameObject(ctx, alias); err != nil || !same {
		t.Errorf("the version does not tell: %v, %v", same, err)
	}

	// Files, by path and by URL.
	dirName, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dirName, "a b.csv")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	plain, err := p.Identify(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file://" + strings.ReplaceAll(file, " ", "%20"), "file://localhost" + strings.ReplaceAll(file, " ", "%20"), "FILE://" + strings.ReplaceAll(file, " ", "%20"), file} {
		got, err := p.Identify(ctx, name)
		if err != nil || !got.Same(plain) || got.Name != name {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got.Same(x) {
			t.Errorf("%s is an object", name)
		}
	}
}
