package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
)

func newAuthority(t *testing.T) (*Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := CreateAuthority(t.Context(), dir, "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// files issues a certificate and names its files.
func files(t *testing.T, a *Authority, dir string, role Role, name string, hosts ...string) Files {
	t.Helper()
	out := t.TempDir()
	made, err := a.Issue(t.Context(), out, Request{Identity: Identity{role, name}, Hosts: hosts, Valid: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range made {
		info, err := os.Stat(name)
		if err != nil || strings.HasSuffix(name, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	f := Files{Authority: filepath.Join(dir, "ca.crt"), Revoked: filepath.Join(dir, "revoked.pem"), Certificate: made[0], Key: made[1]}
	if len(made) == 4 {
		f.Signing, f.SigningKey = made[2], made[3]
	}
	return f
}

// Certificates name one role; those of queries are no good for connections, nor the other way round.
func TestCertificates(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t)
	for _, role := range Roles {
		var hosts []string
		if role == Server {
			hosts = []string{"s.example", "127.0.0.1"}
		}
		c, err := files(t, a, dir, role, "n-1", hosts...).Read()
		if err != nil {
			t.Fatal(err)
		}
		if c.Identity != (Identity{role, "n-1"}) || (c.signer != nil) != (role == Physician || role == Researcher) {
			t.Errorf("%s: %+v", role, c.Identity)
		}
		if err := c.CheckServer(c.TLS.Leaf); (err == nil) != (role == Server) {
			t.Errorf("%s as a server: %v", role, err)
		}
		verify := func(cert *x509.Certificate, usage x509.ExtKeyUsage) error {
			_, err := cert.Verify(x509.VerifyOptions{Roots: c.Roots, KeyUsages: []x509.ExtKeyUsage{usage}})
			return err
		}
		if err := verify(c.TLS.Leaf, x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if err := verify(c.TLS.Leaf, x509.ExtKeyUsageServerAuth); (err == nil) != (role == Server) {
			t.Errorf("%s: for servers: %v", role, err)
		}
		if verify(c.TLS.Leaf, x509.ExtKeyUsageEmailProtection) == nil {
			t.Errorf("%s: the certificate for TLS is taken for queries", role)
		}
		if c.signing != nil && verify(c.signing, x509.ExtKeyUsageClientAuth) == nil {
			t.Errorf("%s: the certificate for queries is taken for TLS", role)
		}
	}
	if a.cert.NotAfter.Before(time.Now()) {
		t.Error("the authority has expired")
	}
	for _, r := range []Request{{}, {Identity: Identity{"boss", "x"}, Valid: time.Hour}, {Identity: Identity{Researcher, ""}, Valid: time.Hour}, {Identity: Identity{Researcher, "a/b"}, Valid: time.Hour},
		{Identity: Identity{Researcher, "x"}}, {Identity: Identity{Researcher, "x"}, Valid: time.Hour, Hosts: []string{"h"}}, {Identity: Identity{Server, "x"}, Valid: time.Hour}} {
		var misuse *job.UsageError
		if _, err := a.Issue(t.Context(), t.TempDir(), r); !errors.As(err, &misuse) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	f := files(t, a, dir, Gateway, "g")
	if _, err := a.Issue(t.Context(), filepath.Dir(f.Key), Request{Identity: Identity{Gateway, "g"}, Valid: time.Hour}); err == nil || !strings.Contains(err.Error(), "the file exists") {
		t.Errorf("a key again: %v", err)
	}
	if _, err := CreateAuthority(t.Context(), dir, "again", time.Hour); err == nil || !strings.Contains(err.Error(), "there is an authority already") {
		t.Errorf("an authority again: %v", err)
	}
}

// A certificate has one URI that names a role.
func TestIdentityOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"urn:cipherfold:researcher:r": "", "": "names 0 roles", "urn:cipherfold:researcher:r urn:cipherfold:server:s": "names 2 roles",
		"urn:cipherfold:boss:b": `"boss" is no role`, "urn:cipherfold:researcher": "the name is empty", "https://example.org/": "names 0 roles", "urn:cipherfold:researcher:a%20b": "use up to 64 letters"} {
		cert := &x509.Certificate{}
		for _, s := range strings.Fields(text) {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			cert.URIs = append(cert.URIs, u)
		}
		who, err := IdentityOf(cert)
		if want == "" && (err != nil || who != (Identity{Researcher, "r"})) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %+v, %v", text, who, err)
		}
	}
}

// A list of revoked certificates counts from the moment it changes. One that cannot be read, or that another authority made,
// refuses all.
func TestRevoked(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t)
	f := files(t, a, dir, Researcher, "r")
	c, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	other, err := files(t, a, dir, Researcher, "other").Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(c.TLS.Leaf); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := a.Revoke(t.Context(), []string{f.Certificate}); err != nil {
			t.Fatal(err)
		}
	}
	var revoked *RevokedError
	if err := c.Check(c.TLS.Leaf); !errors.As(err, &revoked) || err.Error() != "the certificate of researcher r is revoked" {
		t.Errorf("%v", err)
	}
	if err := c.Check(other.TLS.Leaf); err != nil {
		t.Error(err)
	}
	if err := c.Check(c.signing); err != nil {
		t.Error(err)
	}
	if list, err := ReadRevoked(f.Revoked, a.cert); err != nil || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	b, foreign := newAuthority(t)
	if err := a.Revoke(t.Context(), []string{files(t, b, foreign, Gateway, "g").Certificate}); err == nil || !strings.Contains(err.Error(), "that this authority issued") && !strings.Contains(err.Error(), "x509") {
		t.Errorf("a certificate of another authority: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(foreign, "revoked.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{"none of the authorities signed the list": string(data), "no list of revoked certificates": "nothing"} {
		if err := os.WriteFile(f.Revoked, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Check(other.TLS.Leaf); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := f.Read(); err == nil {
			t.Errorf("%s: read", want)
		}
	}
}

// Files that do not belong together are refused.
func TestCredentials(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t)
	f, g := files(t, a, dir, Researcher, "r"), files(t, a, dir, Researcher, "s")
	for want, change := range map[string]func(*Files){
		"private key does not match":         func(f *Files) { f.Key = g.Key },
		"the key is not that of":             func(f *Files) { f.SigningKey = g.SigningKey },
		"is an Ed25519 key, not a":           func(f *Files) { f.SigningKey = f.Key },
		"no certificate in the file":         func(f *Files) { f.Authority = f.Key },
		"no PRIVATE KEY in the file":         func(f *Files) { f.SigningKey = f.Certificate },
		"no such file or directory":          func(f *Files) { f.Revoked += "x" },
		"names 0 roles, not one: it needs":   func(f *Files) { f.Certificate, f.Key = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key") },
		"failed to find any PEM data in key": func(f *Files) { f.Key = os.DevNull },
	} {
		bad := f
		change(&bad)
		if _, err := bad.Read(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := tls.LoadX509KeyPair(f.Signing, f.SigningKey); err != nil {
		t.Errorf("the pair for queries: %v", err)
	}
}

// Policies are read whole or not at all, and an error in one forbids nothing and permits nothing.
func TestPolicy(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, bad := range [][2]string{{"permit (principal, action", ""}, {"permit (principal, action, resource);", "[{"}, {"permit (principal, action, resource);", `{"uid": 1}`}} {
		entities := ""
		if bad[1] != "" {
			entities = write(bad[1])
		}
		if _, err := ReadPolicy(write(bad[0]), entities); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	p, err := ReadPolicy(write(`
		permit (principal in Role::"researcher", action == Action::"mean", resource) when { context.cohort >= 10 && context.smallestGroup >= 5 };
		permit (principal in Group::"board", action, resource);
		@id("none of HIV") forbid (principal, action, resource == Attribute::"HIV");
		permit (principal in Role::"physician", action, resource) when { principal.patients.containsAll(context.patients) && !context.allPatients };`),
		write(`[{"uid": {"type": "User", "id": "b"}, "parents": [{"type": "Group", "id": "board"}], "attrs": {}}, {"uid": {"type": "User", "id": "d"}, "parents": [], "attrs": {"patients": ["p", "q"]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	large := Extent{Records: 100, Patients: 10, Smallest: 5}
	at := int64(5)
	for _, x := range []struct {
		who    Identity
		query  Query
		extent Extent
		want   string
	}{
		{Identity{Researcher, "r"}, Query{Statistic: Mean, Attributes: []string{"HR", "ABP"}, From: &at, Until: &at}, large, ""},
		{Identity{Researcher, "r"}, Query{Statistic: Mean, Attributes: []string{"HR", "HIV"}}, large, "the policy forbids researcher r to ask for mean of HIV"},
		{Identity{Researcher, "r"}, Query{Statistic: Variance, Attributes: []string{"HR"}}, large, "the policy does not permit researcher r to ask for var of HR"},
		{Identity{Researcher, "r"}, Query{Statistic: Mean, Attributes: []string{"HR"}}, Extent{Patients: 10, Smallest: 4}, "does not permit"},
		{Identity{Researcher, "b"}, Query{Statistic: Regression, Attributes: []string{"HR"}}, Extent{}, ""},
		{Identity{Physician, "d"}, Query{Statistic: Get, Attributes: []string{"HR"}, Patients: []string{"q"}}, Extent{}, ""},
		{Identity{Physician, "d"}, Query{Statistic: Get, Attributes: []string{"HR"}, Patients: []string{"q", "r"}}, Extent{}, "does not permit"},
		{Identity{Physician, "e"}, Query{Statistic: Get, Attributes: []string{"HR"}, Patients: []string{"q"}}, Extent{}, "to ask for get of HR"}, // has no patients
	} {
		err := p.Permit(&Asked{Query: x.query, Who: x.who}, x.extent)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s, %+v: %v", x.who, x.query, err)
		}
	}
}
