package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

type inspection struct {
	File, Kind, Scheme, Variant, Fingerprint string
	Bits                                     int
	TestKey                                  bool `json:"test_key"`
	CiphertextBytes                          int  `json:"ciphertext_bytes"`
	Table                                    *struct {
		Layout  string
		Rows    int64
		Source  string
		MaxAdds int64 `json:"max_adds"`
	}
}

// A secret key under a passphrase: written for its owner only, opened by the passphrase, useless without.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("pass", "correct horse\r\nsecond line\n")
	r := p.run("keygen --out @/k/deep --passphrase-file @/pass --bits 1024 --insecure-test-key")
	if r.code != exitDone || !strings.Contains(r.out, "public key   k/deep/public.json\nsecret key   k/deep/secret.age\nvariant      djn, 1024 bits\nfingerprint  ") ||
		r.err != "warning: this key is below 2048 bits: for tests only, it protects nothing\n" {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	secret := p.read("k/deep/secret.age")
	if !bytes.HasPrefix(secret, []byte("age-encryption.org/v1\n")) {
		t.Errorf("secret.age begins with %q", secret[:20])
	}
	info, err := os.Stat(p.path("k/deep/secret.age"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of secret.age: %v, %v", info.Mode(), err)
	}
	p.lines("a.csv", "id,x", "a,1", "b,2")
	p.ok("encrypt --key @/k/deep/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9")
	p.write("pass", "correct horse")
	p.ok("decrypt --key @/k/deep/secret.age --passphrase-file @/pass --unfused --in @/a.cf.parquet --out @/r.csv")
	if got := string(p.read("r.csv")); got != "id,x_sum,x_count,x_mean\na,1,1,1\nb,2,1,2\n" {
		t.Error(got)
	}
}

// Keys go to python-paillier and come back; the textbook key as the same file.
func TestJWK(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.key("textbook", "textbook")
	for _, key := range []string{"textbook/public", "textbook/secret", "secret"} {
		jwk := strings.ReplaceAll(key, "/", "-") + ".jwk"
		if out := p.ok("inspect @/" + key + ".json --export @/" + jwk); out != key+".json: written as "+jwk+"\n" {
			t.Error(out)
		}
		p.ok("keygen --out @/from-" + jwk + " --plain --insecure-test-key --import @/" + jwk)
	}
	var jwk struct {
		Kty, Kid string
		KeyOps   []string `json:"key_ops"`
		P, Q     string
		Pub      struct{ Kty, Alg, N string }
	}
	if err := json.Unmarshal(p.read("textbook-secret.jwk"), &jwk); err != nil || jwk.Kty != "DAJ" || jwk.Pub.Alg != "PAI-GN1" || jwk.P == "" || jwk.Q == "" || jwk.Pub.N == "" {
		t.Errorf("%v: %s", err, p.read("textbook-secret.jwk"))
	}
	if info, err := os.Stat(p.path("textbook-secret.jwk")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of an exported secret key: %v, %v", info.Mode(), err)
	}
	for from, to := range map[string]string{"textbook/public.json": "from-textbook-public.jwk/public.json", "textbook/secret.json": "from-textbook-secret.jwk/secret.json"} {
		if !bytes.Equal(p.read(from), p.read(to)) {
			t.Errorf("%s came back as %s", p.read(from), p.read(to))
		}
	}
	if _, err := os.Stat(p.path("from-textbook-public.jwk/secret.json")); !os.IsNotExist(err) {
		t.Errorf("a public key was imported with a secret one: %v", err)
	}
	// of a DJN key only the modulus goes, so another variant comes back
	list := okJSON[[]inspection](p, "inspect @/secret.json @/from-secret.jwk/secret.json @/from-secret.jwk/public.json @/textbook-public.jwk")
	if list[0].Variant != "djn" || list[1].Variant != "textbook" || list[0].Fingerprint == list[1].Fingerprint || list[1].Fingerprint != list[2].Fingerprint || list[3].Kind != "public key" {
		t.Errorf("%+v", list)
	}
	// what python-paillier encrypts under the modulus, its own key opens
	p.lines("a.csv", "id,x", "a,-7")
	p.ok("encrypt --key @/textbook-public.jwk --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9")
	p.ok("decrypt --key @/textbook-secret.jwk --unfused --in @/a.cf.parquet --out @/r.tsv")
	if got := string(p.read("r.tsv")); got != "id\tx_sum\tx_count\tx_mean\na\t-7\t1\t-7\n" {
		t.Error(got)
	}
}

// Importing a key file changes how it is kept: here an open secret key goes under a passphrase, beside the open one.
func TestImportOfKeyFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.seal("secret.json", "sealed.age", "pass")
	p.lines("pass", "pass")
	public := p.read("public.json")
	r := p.run("keygen --out @/ --plain --overwrite --import @/sealed.age --passphrase-file @/pass")
	if r.code != exitUsage || !strings.Contains(r.err, "--plain and --passphrase-file exclude each other") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	r = p.run("keygen --out @/ --overwrite --import @/sealed.age --passphrase-file @/pass --insecure-passphrase")
	if r.code != exitDone || !strings.Contains(r.err, "warning: secret.json was there before and is left as it was\n") || !strings.Contains(r.out, "secret key   secret.age\n") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if !bytes.Equal(public, p.read("public.json")) {
		t.Error("the public key changed")
	}
}

// All variants do the same job.
func TestVariants(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"djn", "mhl", "textbook"} {
		for _, layout := range []string{"records", "blocks"} {
			p := newPlace(t)
			p.key("", variant)
			owners(layout)(p)
			p.encrypt("b", "--key @/secret.json --layout "+layout) // the owner's way for one of them
			p.ok(fuseAB + "--rerandomize always")
			equal(t, variant+" "+layout, p.sums("f.cf.parquet", "id", "x_sum", "x_count", "y_sum", "y_count"), []string{"a 11 2 22 2", "b 30 1 37 2", "c 55 2 6 1"})
		}
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,ward,x,y", "1,n,1,2.5", "2,s,3,4.5", "3,n,5,6.5")
	p.ok("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id,ward --measure x:max=100 y:decimals=1:max=10 --square x --layout blocks --max-adds 6 --source 'St Mary'")
	p.ok("fuse --in @/a.cf.parquet --out @/t.cf.parquet --by ''")
	want := `a.cf.parquet
  encrypted table, paillier, djn, 1024 bits
  fingerprint  <djn>
  TEST KEY: below 2048 bits, protects nothing
  layout       blocks, 671 records each
  records      3
  ids          id, ward
  additions    1 used of 6
  source       St Mary
  table id     <id>
  owners       1 table: St Mary
  ciphertexts  35 columns of 256 bytes
  measures
    x                        decimals 0, bound 100, slot of 11 bits in ct0..ct23
    x*x                      decimals 0, bound 10000, slot of 18 bits in ct0..ct23
    y                        decimals 1, bound 100, slot of 11 bits in ct24..ct34

secret.json
  secret key, paillier, djn, 1024 bits
  fingerprint  <djn>
  TEST KEY: below 2048 bits, protects nothing

t.cf.parquet
  encrypted table, paillier, djn, 1024 bits
  fingerprint  <djn>
  TEST KEY: below 2048 bits, protects nothing
  layout       blocks, folded into one total
  records      1
  additions    3 used of 6
  table id     <id>
  owners       1 table: St Mary
  ciphertexts  2 columns of 256 bytes
  measures
    x                        decimals 0, bound 100, slot of 11 bits in ct0
    x*x                      decimals 0, bound 10000, slot of 18 bits in ct0
    y                        decimals 1, bound 100, slot of 11 bits in ct1
`
	got := regexp.MustCompile("(table id +)[0-9a-f]{32}\n").ReplaceAllString(p.ok("inspect @/a.cf.parquet @/secret.json @/t.cf.parquet"), "$1<id>\n")
	if got = withoutLine(t, got, "  tables  "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	list := okJSON[[]inspection](p, "inspect @/a.cf.parquet")
	if x := list[0]; x.File != "a.cf.parquet" || x.Table == nil || x.Table.Layout != "blocks" || x.Table.Rows != 3 || x.Table.Source != "St Mary" || x.Table.MaxAdds != 6 || x.CiphertextBytes != 256 || !x.TestKey {
		t.Errorf("%+v", list)
	}
}
