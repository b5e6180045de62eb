package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/receipt"
)

const signed = " --receipt-key @/receipt.key --receipt @/"

// receipts runs the three verbs with receipts: a.json, b.json, f.json and r.json.
func receipts(p *place) {
	p.t.Helper()
	p.lines("a.csv", "id,x,y", "a,1,2", "b,,-3", "c,5,6")
	p.lines("b.csv", "id,x,y", "a,10,20", "b,30,40", "d,50,")
	p.lines("ids.csv", "id", "a", "b", "c")
	p.seal("secret.json", "secret.age", "correct horse")
	p.lines("passphrase", "correct horse")
	for _, owner := range []string{"a", "b"} {
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --out @/" + owner + ".cf.parquet --id id --measure x:max=100 y:max=100 --universe @/ids.csv --drop-unlisted --layout blocks" + signed + owner + ".json")
	}
	p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet --weight @/b.cf.parquet=2 --by ''" + signed + "f.json")
	p.ok("decrypt --key @/secret.age --passphrase-file @/passphrase --in @/f.cf.parquet --out @/r.csv" + signed + "r.json")
}

// payload returns a receipt as it was signed.
func (p *place) payload(name string) (text string) {
	p.t.Helper()
	var e struct{ Payload string }
	if err := json.Unmarshal(p.read(name), &e); err != nil {
		p.t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// Every verb that writes data says in its receipt what it did, and a chain of receipts leads from the sources to the result.
func TestReceipts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	receipts(p)
	made := map[string]string{} // digests of outputs
	for _, c := range []struct {
		name, verb      string
		inputs, outputs []string
		parameters      map[string]string
	}{
		{"a", "encrypt", []string{"a.csv", "ids.csv"}, []string{"a.cf.parquet"}, map[string]string{"layout": "blocks", "measure": "x:max=100 y:max=100", "id": "id", "drop-unlisted": "true"}},
		{"b", "encrypt", []string{"b.csv", "ids.csv"}, []string{"b.cf.parquet"}, nil},
		{"f", "fuse", []string{"a.cf.parquet", "b.cf.parquet"}, []string{"f.cf.parquet"}, map[string]string{"by": "", "rerandomize": "auto", "weight": "b.cf.parquet=2"}},
		{"r", "decrypt", []string{"f.cf.parquet"}, []string{"r.csv"}, map[string]string{}},
	} {
		v := okJSON[verification](p, "verify --base @/ @/"+c.name+".json --public-key @/receipt.key.pub")
		if !v.Verified || !v.Trusted || len(v.Steps) != 1 || v.Checked != len(c.inputs)+len(c.outputs) || v.Skipped != 0 || v.Started.After(v.Ended) || v.Program.Go == "" || v.Machine.Cores < 1 {
			t.Errorf("%s: %+v", c.name, v)
		}
		var inputs, outputs []string
		for _, f := range v.Files {
			name := strings.TrimPrefix(f.File, p.dir+"/")
			if f.Role == receipt.Input {
				inputs = append(inputs, name)
				if d, ok := made[name]; ok && d != f.SHA256 {
					t.Errorf("%s read another %s than was written", c.name, name)
				}
			} else {
				outputs = append(outputs, name)
				made[name] = f.SHA256
			}
			if f.Rows == nil && name != "ids.csv" || (f.Fingerprint != "") != strings.HasSuffix(name, ".cf.parquet") || f.Bytes != int64(len(p.read(name))) {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		slices.Sort(inputs)
		equal(t, c.name+" inputs", inputs, c.inputs)
		equal(t, c.name+" outputs", outputs, c.outputs)
		s := v.Steps[0]
		if s.Verb != c.verb || nameKeys(s.Key.Fingerprint) != "<djn>" || s.Key.Bits != 1024 || !s.Key.TestKey || s.Kernel == "" || s.Records == 0 || s.Ciphertexts == 0 {
			t.Errorf("%s: %+v", c.name, s)
		}
		for name, want := range c.parameters {
			if got := strings.Join(s.Parameters[name], " "); got != want || s.Parameters[name] == nil {
				t.Errorf("%s: parameter %s is %q, want %q", c.name, name, got, want)
			}
		}
		if len(c.parameters) == 0 && c.parameters != nil && len(s.Parameters) != 0 {
			t.Errorf("%s: parameters %v", c.name, s.Parameters)
		}
		text := p.payload(c.name + ".json")
		for _, secret := range []string{"correct horse", "passphrase", "secret.age", "public.json"} {
			if strings.Contains(text, secret) {
				t.Errorf("the receipt of %s has %q:\n%s", c.verb, secret, text)
			}
		}
	}
	a := okJSON[verification](p, "verify --base @/ @/a.json")
	if a.Trusted || a.Steps[0].Missing["x"] != 1 || len(a.Steps[0].Dropped) != 0 {
		t.Errorf("%+v", a)
	}
	b := okJSON[verification](p, "verify --base @/ @/b.json")
	if b.Steps[0].Dropped["unlisted"] != 1 || b.Steps[0].Missing["x"] != 1 || b.Steps[0].Missing["y"] != 1 {
		t.Errorf("%+v", b.Steps[0])
	}
	text := p.ok("verify --base @/ @/f.json")
	for _, part := range []string{
		"only the receipt itself vouches for", "fuse       1 record", "weight b.cf.parquet=2", "TEST KEY", "ok  input   a.cf.parquet", "encrypted under", "The signature is right, and 3 files are as the receipt says.\n",
	} {
		if !strings.Contains(strings.ReplaceAll(text, p.dir+"/", ""), part) {
			t.Errorf("%s\ndoes not say %q", text, part)
		}
	}
}

// A member's own weight stays secret: its receipt does not tell it. A weight that a fusion chose is in that one's.
func TestReceiptKeepsOwnWeight(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("g.csv", "g", "0.5", "-1")
	line := "fl fuse --round @/round.json --out @/sum.parquet --weight h2=2 --in"
	for _, name := range []string{"h1", "h2", "h3", "h4"} {
		p.ok("fl keys --plain --out @/keys --name " + name)
	}
	p.ok("fl round --network net --number 1 --parameters 2 --weight-max 9000 --alpha-max 2 --set R-1w --out @/round.json --card @/keys/h1.card.json @/keys/h2.card.json @/keys/h3.card.json @/keys/h4.card.json")
	for _, name := range []string{"h1", "h2", "h3", "h4"} {
		weight := ""
		if name != "h4" {
			weight = " --weight 8317"
		}
		p.ok("fl encrypt --round @/round.json --key @/keys/" + name + ".key.json --in @/g.csv --out @/" + name + ".parquet --shares-out @/" + name + ".json" + weight + signed + name + ".receipt.json")
		line += " @/" + name + ".parquet"
		if text := p.payload(name + ".receipt.json"); strings.Contains(text, `"8317"`) || strings.Contains(text, `"weight"`) || !strings.Contains(text, `"fl encrypt"`) {
			t.Errorf("the receipt of %s tells its weight:\n%s", name, text)
		}
	}
	p.ok(line + signed + "sum.receipt.json")
	if text := p.payload("sum.receipt.json"); !strings.Contains(text, "h2=2") {
		t.Errorf("the receipt of the sum does not tell the weights:\n%s", text)
	}
	if out := p.ok("fl answer --round @/round.json --key @/keys/h3.key.json --in @/sum.parquet --shares @/h1.json @/h2.json @/h3.json @/h4.json --out @/answer.json"); !strings.Contains(out, "  weights: h1 1, h2 2, h3 1, h4 1\n") {
		t.Errorf("the answer does not tell the weights: %s", out)
	}
}

// A changed byte of a receipt, an input or an output is refused with exit code 3, by name. Every byte is changed in the
// tests of package receipt; here it is one in some.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	receipts(p)
	for _, c := range []struct{ receipt, file string }{
		{"a", "a.json"}, {"a", "a.csv"}, {"a", "ids.csv"}, {"a", "a.cf.parquet"}, {"f", "f.json"}, {"f", "b.cf.parquet"}, {"f", "f.cf.parquet"},
		{"r", "r.json"}, {"r", "f.cf.parquet"}, {"r", "r.csv"},
	} {
		line := "verify --base @/ @/" + c.receipt + ".json"
		good := p.read(c.file)
		for i := 0; i < len(good); i += max(1, len(good)/15) {
			bad := slices.Clone(good)
			bad[i] ^= 1 << (i % 8)
			p.write(c.file, string(bad))
			r := p.run(line)
			if r.code != exitRefused || !strings.HasPrefix(r.err, "cipherfold: "+c.file+": ") || !strings.Contains(r.err, "\n  hint: ") {
				t.Errorf("byte %d of %s: exit code %d\n%s", i, c.file, r.code, r.err)
			}
			if c.file != c.receipt+".json" && !strings.Contains(r.out, "differs") {
				t.Errorf("the table does not say which file differs:\n%s", r.out)
			}
		}
		p.write(c.file, string(good[1:]))
		if r := p.run(line + " --json"); r.code != exitRefused || !strings.Contains(r.out, `"file": "`+c.file+`"`) || strings.Contains(r.out, "verified") {
			t.Errorf("%s without a byte: exit code %d\n%s", c.file, r.code, r.out)
		}
		p.write(c.file, string(good))
		p.ok(line)
	}
}

func TestVerifyMissingFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	receipts(p)
	for _, name := range []string{"a.csv", "ids.csv"} {
		if err := os.Remove(p.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.run("verify --base @/ @/a.json"); r.code != exitRefused || !strings.Contains(r.err, ".csv: this input of the job is missing\n") || !strings.Contains(r.err, "--skip-missing inputs") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	if r := p.run("verify --base @/ @/a.json --skip-missing outputs"); r.code != exitRefused {
		t.Errorf("exit code %d", r.code)
	}
	for _, skip := range []string{"inputs", "all"} {
		if out := p.ok("verify --base @/ @/a.json --skip-missing " + skip); !strings.Contains(out, "The signature is right. 1 file is as the receipt says.\n2 files are not checked: missing.\n") ||
			!strings.Contains(out, "not checked  input") {
			t.Error(out)
		}
	}
	v := okJSON[verification](p, "verify --base @/ @/a.json --skip-missing inputs")
	if v.Checked != 1 || v.Skipped != 2 || v.Files[0].Status != receipt.Skipped {
		t.Errorf("%+v", v)
	}
	// What somebody sent is elsewhere.
	p.mkdir("sent")
	if err := os.Rename(p.path("a.cf.parquet"), p.path("sent/a.cf.parquet")); err != nil {
		t.Fatal(err)
	}
	if r := p.run("verify --base @/ @/a.json --skip-missing inputs"); r.code != exitRefused || !strings.Contains(r.err, "a.cf.parquet: this output of the job is missing") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// Mistakes of the command line, and files that are no receipts or keys.
func TestBadVerifications(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	receipts(p)
	p.ok("fuse --in @/a.cf.parquet --out @/other.cf.parquet --receipt-key @/other.key --receipt @/other.json")
	for line, want := range map[string]string{
		"verify":                             "2 verify takes one receipt, not 0",
		"verify --base @/ @/a.json @/b.json": "2 verify takes one receipt, not 2",
		"verify --base @/ @/a.json --skip-missing some":                                              "2 --skip-missing some is neither inputs nor outputs nor all",
		"verify --base @/ @/none.json":                                                               "3 none.json: no such file",
		"verify --base @/ @/a.csv":                                                                   "3 a.csv: not a receipt as it was written",
		"verify --base @/ @/public.json":                                                             "3 public.json: not a receipt as it was written",
		"verify --base @/ @/a.cf.parquet":                                                            "3 a.cf.parquet: not a receipt as it was written",
		"verify --base @/ @/a.json --public-key @/other.key.pub":                                     "3 a.json: signed by the key ",
		"verify --base @/ @/a.json --public-key @/receipt.key":                                       "3 receipt.key: this is a signing key, which nobody else may have",
		"verify --base @/ @/a.json --public-key @/public.json":                                       "3 public.json: not a key file",
		"verify --base @/ @/a.json --public-key @/none.pub":                                          "3 none.pub: no such file",
		fuseAB + "--receipt @/f.cf.parquet":                                                          "2 --out f.cf.parquet and --receipt f.cf.parquet are the same file",
		fuseAB + "--receipt @/a.cf.parquet":                                                          "2 --in a.cf.parquet and --receipt a.cf.parquet are the same file",
		fuseAB + "--receipt @/none/f.json --overwrite" + strings.TrimSuffix(signed, " --receipt @/"): "3 none/f.json: cannot create: there is no directory none",
		fuseAB + "--overwrite --receipt @/g.json --receipt-key @/a.csv":                              "3 a.csv: not a key file",
		fuseAB + "--overwrite --receipt @/g.json --receipt-key @/receipt.key.pub":                    "3 receipt.key.pub: not a signing key but PEM of type \"PUBLIC KEY\"",
		"fuse --in @/a.cf.parquet --out @/g.cf.parquet" + signed + "f.json":                          "3 f.json: already exists",
		"fuse --in @/a.csv --out @/g.cf.parquet" + signed + "g.json":                                 "3 a.csv: not a Parquet file",
	} {
		before := p.files()
		r := p.run(line)
		p.unchanged(before)
		if code, cause, _ := strings.Cut(want, " "); string(rune('0'+r.code)) != code || !strings.HasPrefix(r.err, "cipherfold: "+cause) || !strings.Contains(r.err, "\n  hint: ") || r.out != "" {
			t.Errorf("%s: exit code %d, want %s\n%s%s", line, r.code, want, r.out, r.err)
		}
	}
}

// Without --receipt-key the key is the user's, made at the first use. Not parallel: the environment is the process's.
func TestReceiptKeyOfTheUser(t *testing.T) {
	p := newPlace(t)
	owners("records")(p)
	t.Setenv("XDG_CONFIG_HOME", p.path("config"))
	first := p.run("fuse --in @/a.cf.parquet --out @/1.cf.parquet --receipt @/1.json")
	second := p.run("fuse --in @/a.cf.parquet --out @/2.cf.parquet --receipt @/2.json")
	if first.code != exitDone || second.code != exitDone || !strings.Contains(first.err, "made a key that signs receipts") || strings.Contains(second.err, "made a key") {
		t.Fatalf("%s%s", first.err, second.err)
	}
	public := filepath.Join("@/config", "cipherfold", "receipt.key.pub")
	for _, name := range []string{"1", "2"} {
		if v := okJSON[verification](p, "verify --base @/ @/"+name+".json --public-key "+public); !v.Trusted {
			t.Error("not trusted")
		}
	}
	if err := os.Chmod(p.path("config/cipherfold/receipt.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := p.run("fuse --in @/a.cf.parquet --out @/3.cf.parquet --receipt @/3.json"); r.code != exitDone || !strings.Contains(r.err, "warning: other users can read the key that signs receipts") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "")
	if r := p.run("fuse --in @/a.cf.parquet --out @/4.cf.parquet --receipt @/4.json"); r.code != exitUsage || !strings.Contains(r.err, "Name a file for it with --receipt-key.") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// A receipt in text names no directory of ours and has no line longer than a terminal needs; odd names stay on their line.
func TestVerifyOddNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a\tb\x1b.csv", "id,x", "a,1")
	p.lines("a\u202eb.csv", "id,x", "a,1")
	for _, name := range []string{"a\tb\x1b.csv", "a\u202eb.csv"} {
		encrypt := "encrypt --key @/public.json --in '@/" + name + "' --out @/o.cf.parquet --id id --measure x:max=9"
		r := p.run(encrypt + signed + "o.json")
		if r.code != exitUsage || !strings.Contains(r.err, "cannot be named in a receipt: it has a ") || regexp.MustCompile("[\x00-\x09\x0b-\x1f\u202e]").MatchString(r.err) {
			t.Errorf("exit code %d, %q", r.code, r.err)
		}
		if _, err := os.Stat(p.path("o.cf.parquet")); err == nil {
			t.Error("there is an output")
		}
	}
}
