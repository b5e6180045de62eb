package main

import (
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
)

// A new passphrase has 8 characters or more, unless its owner insists.
func TestShortPassphrases(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, line := range []string{"keygen --out @/k --bits 1024 --insecure-test-key --passphrase-file @/pass", "keygen --out @/k --signer --passphrase-file @/pass"} {
		for _, short := range []string{"x", "1234567", "üüüüüüü", "a b c d", "1234567\nsecond line"} {
			p.write("pass", short)
			if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, "fewer than 8") || !strings.Contains(r.err, "--insecure-passphrase") {
				t.Errorf("%q: exit code %d\n%s", short, r.code, r.err)
			}
		}
	}
	if _, err := os.Stat(p.path("k")); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
	p.write("pass", "üüüüüüüü")
	p.ok("keygen --out @/k --signer --passphrase-file @/pass")
	p.write("pass", "x")
	p.ok("keygen --out @/k2 --signer --passphrase-file @/pass --insecure-passphrase")
}

// Files of secrets that others can read or change are warned of, once, wherever they are used.
func TestReadableSecretsAreWarnedOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "a,1", "b,2", "c,3")
	p.ok("keygen --token-key @/token.json")
	p.ok("keygen --signer --plain --out @/s")
	p.seal("secret.json", "secret.age", "correct horse")
	p.lines("pass", "correct horse")
	p.ok("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9 --receipt @/r.json --receipt-key @/receipt.key")
	p.write("job.toml", strings.ReplaceAll(`version = 1
[job]
dir = "@/job"
[[encrypt]]
key = "@/public.json"
in = ["@/a.csv"]
id = ["id"]
tokenize = ["id"]
token_key = "@/token.json"
measure = ["x:max=9"]
out = "@/b.cf.parquet"
[[decrypt]]
unfused = true
key = "@/secret.json"
in = "@/b.cf.parquet"
out = "@/r.csv"
`, "@", p.dir))
	const warning = "warning: other users can read "
	for _, c := range []struct{ file, what, line string }{
		{"secret.json", "the secret key", "decrypt --unfused --key @/secret.json --in @/a.cf.parquet --out @/o.csv"},
		{"secret.json", "the secret key", "encrypt --key @/secret.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9"},
		{"secret.json", "the secret key", "inspect @/secret.json"},
		{"secret.json", "the secret key", "keygen --import @/secret.json --plain --out @/o"},
		{"secret.json", "the secret key", "run @/job.toml --receipt-key @/receipt.key"},
		{"token.json", "the key of tokens", "run @/job.toml --receipt-key @/receipt.key"},
		{"token.json", "the key of tokens", "tokens --in @/a.csv --out @/o.csv --id id --tokenize id --token-key @/token.json"},
		{"token.json", "the key of tokens", "encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --tokenize id --token-key @/token.json --measure x:max=9"},
		{"pass", "the passphrase", "decrypt --unfused --key @/secret.age --passphrase-file @/pass --in @/a.cf.parquet --out @/o.csv"},
		{"s/signer.key", "the key that signs", "encrypt --key @/public.json --sign @/s/signer.key --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9"},
		{"receipt.key", "the key that signs receipts", "encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9 --receipt @/o.json --receipt-key @/receipt.key"},
	} {
		for mode, warned := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o644: true, 0o640: true, 0o660: true, 0o604: true} {
			for _, made := range []string{"job", "o", "o.csv", "o.cf.parquet", "o.json", "o.private.json", "r.csv", "b.cf.parquet"} {
				if err := os.RemoveAll(p.path(made)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(p.path(c.file), mode); err != nil {
				t.Fatal(err)
			}
			want := 0
			if warned {
				want = 1
			}
			r := p.run(c.line)
			if r.code != exitDone || strings.Count(r.err, warning+c.what+" or change it; chmod 600 keeps it to you file="+c.file) != want || strings.Count(r.err, warning) != want {
				t.Errorf("%s of mode %v: exit code %d\n%s", c.line, mode, r.code, r.err)
			}
		}
		if err := os.Chmod(p.path(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"secret.age", "public.json"} { // which is encrypted, and no secret
		if err := os.Chmod(p.path(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.run("decrypt --unfused --key @/secret.age --passphrase-file @/pass --in @/a.cf.parquet --out @/o.csv"); r.code != exitDone || strings.Contains(r.err, warning) {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
}

// Texts that a spreadsheet takes for formulas are warned of, or made safe, by every verb that writes tables in the clear.
func TestCSVSafe(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "=2+5+cmd,1", "-3,-2", "b,2")
	p.table("numbers.parquet", "id:int64 x:int64", "-1 -5", "-2 -6")
	p.ok("keygen --token-key @/token.json")
	p.ok("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9")
	p.ok("encrypt --key @/public.json --in @/numbers.parquet --out @/numbers.cf.parquet --id id --measure x:max=9")
	p.ok("summarize --in @/a.csv --out @/s.parquet --id id --measure x")
	p.lines("cases.csv", "id,AC_sum,AN_sum", "=2+5+cmd,1,4", "-3,3,6", "b,2,4")
	p.lines("controls.csv", "id,AC_sum,AN_sum", "=2+5+cmd,2,4", "-3,1,6", "b,2,6")
	job := func(safe string) string {
		p.write("job.toml", strings.ReplaceAll(`version = 1
[job]
dir = "@/job"
[[decrypt]]
unfused = true
key = "@/secret.json"
in = "@/a.cf.parquet"
out = "@/o.csv"
`+safe, "@", p.dir))
		return "run @/job.toml --receipt-key @/receipt.key"
	}
	check := func(name, out string, r result, safe bool) {
		t.Helper()
		table := string(p.read(out))
		warned := strings.Count(r.err, "take texts in this file for formulas")
		switch {
		case r.code != exitDone:
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.err)
		case safe && (warned != 0 || !strings.Contains(table, "\n'=2+5+cmd") || !strings.Contains(table, "\n'-3")):
			t.Errorf("%s, safe:\n%s%s", name, r.err, table)
		case !safe && (warned != 1 || !strings.Contains(r.err, "file="+out) || // combine sorts
			!strings.Contains(r.err, `first="=2+5+cmd"`) && !strings.Contains(r.err, `first="-3"`) || !strings.Contains(r.err, "--csv-safe") ||
			!strings.Contains(table, "\n=2+5+cmd") || !strings.Contains(table, "\n-3")):
			t.Errorf("%s:\n%s%s", name, r.err, table)
		}
	}
	for name, line := range map[string]string{
		"decrypt":   "decrypt --unfused --key @/secret.json --in @/a.cf.parquet --out @/o.csv",
		"tsv":       "decrypt --unfused --key @/secret.json --in @/a.cf.parquet --out @/o.tsv",
		"parts":     "decrypt --unfused --key @/secret.json --in @/a.cf.parquet --out @/parts.csv --rows-per-file 2",
		"summarize": "summarize --in @/a.csv --out @/o.csv --id id --measure x",
		"combine":   "combine --in @/s.parquet --out @/o.csv",
		"assoc":     "assoc --cases @/cases.csv --controls @/controls.csv --out @/o.csv",
		"tokens":    "tokens --in @/a.csv --out @/o.csv --id id --tokenize id --token-key @/token.json",
	} {
		out := "o.csv"
		switch name {
		case "tsv":
			out = "o.tsv"
		case "parts":
			out = "parts.csv/part-00000.csv"
		}
		check(name, out, p.run(line+" --overwrite"), false)
		check(name, out, p.run(line+" --overwrite --csv-safe"), true)
	}
	for safe, want := range map[string]bool{"": false, "csv_safe = true\n": true} {
		for _, made := range []string{"job", "o.csv"} {
			if err := os.RemoveAll(p.path(made)); err != nil {
				t.Fatal(err)
			}
		}
		check("a job", "o.csv", p.run(job(safe)), want)
	}
	// Negative numbers are no formulas, be they ids or values.
	for _, flag := range []string{"", " --csv-safe"} {
		r := p.run("decrypt --unfused --key @/secret.json --in @/numbers.cf.parquet --out @/o.csv --overwrite" + flag)
		if got := string(p.read("o.csv")); r.code != exitDone || strings.Contains(r.err, "formulas") || got != "id,x_sum,x_count,x_mean\n-1,-5,1,-5\n-2,-6,1,-6\n" {
			t.Errorf("exit code %d\n%s%s", r.code, r.err, got)
		}
	}
}

// A receipt, a key, a job file or a footer whose strings would drive a terminal or fake a verdict is refused, and what is
// shown of it is escaped.
func TestNothingDrivesTheTerminal(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "a,1")
	for _, evil := range []string{`\u001b[2J\u001b[1;1HThe signature is right`, `\u202e`, `\u009b31m`, `\r`, `\n`} {
		p.write("k.json", strings.Replace(string(p.read("public.json")), `"kind": "`, `"kind": "`+evil, 1))
		if string(p.read("k.json")) == string(p.read("public.json")) {
			t.Fatal("the key was not changed")
		}
		p.write("job.toml", "version = 1\n[job]\nname = \""+evil+"\"\ndir = \"d\"\n[[fuse]]\nin = [\"none"+evil+"\"]\nout = \"o.cf.parquet\"\n")
		for _, line := range []string{"inspect @/k.json", "encrypt --key @/k.json --in @/a.csv --out @/o.cf.parquet --id id --measure x", "plan @/job.toml", "run @/job.toml", "run @/job.toml --json"} {
			r := p.run(line)
			if r.code == exitDone {
				t.Errorf("%s: accepted", line)
			}
			for _, bad := range []string{"\x1b", "\u202e", "\u009b", "\r"} {
				if strings.Contains(r.out+r.err, bad) {
					t.Errorf("%s shows %q: %q", line, bad, r.out+r.err)
				}
			}
		}
	}
}
