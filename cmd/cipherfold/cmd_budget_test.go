package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestPrivacy goes the way of noise from end to end: at release with a budget until it is spent, by shares, in a job file.
func TestPrivacy(t *testing.T) {
	p := newPlace(t)
	p.write("a.csv", "id,v\n1,10\n2,20\n")
	p.write("b.csv", "id,v\n1,7\n3,5\n")
	p.write("all.csv", "id\n1\n2\n3\n")
	const measure = "--id id --measure v:max=100 --layout blocks --universe @/all.csv"
	p.ok("encrypt --quiet --key @/public.json --in @/a.csv --out @/a.cf.parquet " + measure)
	p.ok("encrypt --quiet --key @/public.json --in @/b.csv --out @/b.cf.parquet " + measure)
	p.ok("fuse --quiet --in @/a.cf.parquet @/b.cf.parquet --out @/ab.cf.parquet")
	if out := p.ok("budget @/privacy.json --epsilon 2 --delta 1e-6 --about everyone"); out != "privacy.json: limit ε = 2 at δ = 1e-6, for everyone\n  spent  ε = 0 (ρ = 0) (0%) in 0 releases\n" {
		t.Errorf("printed %q", out)
	}
	const decrypt = "decrypt --quiet --key @/secret.json --in @/ab.cf.parquet --noise release --person-records 1 --budget @/privacy.json "
	out := p.ok(decrypt + "--epsilon 1 --delta 1e-6 --out @/one.parquet")
	for _, want := range []string{"noise: discrete Gaussian, once at release; for a person in at most 1 record\n", "  v_sum    mean |error| 511.25     ε = 1, δ = 1e-06 (ρ = 0.02436)\n",
		"  v_count  mean |error| 5.1", "budget privacy.json: ε = 1 (ρ = 0.024356) of ε = 2 at δ = 1e-6 is spent, in 1 release\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	p.ok(decrypt + "--epsilon 1 --out @/two.csv")
	r := p.run(decrypt + "--epsilon 0.01 --out @/three.csv")
	if r.code != exitRefused || !strings.Contains(r.err, "the budget is spent") || !strings.Contains(r.err, "hint: Ask for more noise") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
	for name := range p.files() {
		if strings.HasPrefix(name, "three") {
			t.Errorf("%s is there", name)
		}
	}
	shown := p.ok("budget @/privacy.json")
	for _, want := range []string{"spent  ε = 2 ", "(100%) in 2 releases", "closed form of zCDP", "release  ρ = 0.0243", "release  ε = 1"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	var s struct {
		Releases int     `json:"releases"`
		Share    float64 `json:"share"`
		Spent    []struct{ Out string }
	}
	if err := json.Unmarshal([]byte(p.ok("budget --json @/privacy.json")), &s); err != nil || s.Releases != 2 || len(s.Spent) != 2 || s.Share < 0.999999 || s.Share > 1 {
		t.Errorf("%+v, %v", s, err)
	}

	// Shares of two owners.
	for _, owner := range []string{"a", "b"} {
		out := p.ok(fmt.Sprintf("encrypt --quiet --overwrite --key @/public.json --in @/%[1]s.csv --out @/%[1]s.cf.parquet %s --noise share --rho 0.1 --person-records 2 --owners 2 --honest 2 --counts public", owner, measure))
		if !strings.Contains(out, "holds if 2 of 2 owners added their shares") || !strings.Contains(out, "stated to be public: v_count") {
			t.Errorf("printed\n%s", out)
		}
	}
	r = p.run("decrypt --quiet --key @/secret.json --unfused --in @/a.cf.parquet --out @/a.out.csv")
	if r.code != exitRefused || !strings.Contains(r.err, "the noise of 1 table, and the promise needs that of 2 honest owners") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
	p.ok("fuse --quiet --overwrite --in @/a.cf.parquet @/b.cf.parquet --out @/ab.cf.parquet")
	if out := p.ok("decrypt --quiet --key @/secret.json --in @/ab.cf.parquet --out @/shares.csv"); !strings.Contains(out, "a sum of up to 2 terms") {
		t.Errorf("printed\n%s", out)
	}
	if out := p.ok("inspect @/ab.cf.parquet"); !strings.Contains(out, "noise: discrete Gaussian, a share of every owner; for a person in at most 2 records") {
		t.Errorf("printed\n%s", out)
	}

	// The same in a job file, whose keys are the flags.
	p.ok("encrypt --quiet --overwrite --key @/public.json --in @/a.csv --out @/a.cf.parquet " + measure)
	p.ok("budget @/job-budget.json --rho 1")
	t.Setenv("XDG_CONFIG_HOME", p.path("config")) // where the job's receipt is signed
	const release = `version = 1
[job]
name = "release"
dir = "%[1]s/%[2]s"
[[decrypt]]
unfused = true
key = "%[1]s/secret.json"
in = "%[1]s/a.cf.parquet"
out = "%[1]s/%[2]s.csv"
noise = "release"
rho = "%[3]s"
person_records = 1
budget = "%[1]s/job-budget.json"
`
	p.write("job.toml", fmt.Sprintf(release, p.dir, "job", "0.75"))
	if out := p.ok("run --quiet @/job.toml"); !strings.Contains(out, "mean |error|") || !strings.Contains(out, "(ρ = 0.75)") {
		t.Errorf("printed\n%s", out)
	}
	if out := p.ok("budget @/job-budget.json"); !strings.Contains(out, "spent  ρ = 0.75 (75%) in 1 release") {
		t.Errorf("printed\n%s", out)
	}

	// In shards the noisy table is one part, which the budget has paid for before it is there.
	p.write("shards.toml", fmt.Sprintf(release, p.dir, "shards", "0.2"))
	for _, c := range []struct{ line, spent string }{
		{"shard @/shards.toml 3/3", "ρ = 0.75 (75%) in 1 release"},
		{"shard @/shards.toml 1/3", "ρ = 0.95 (95%) in 2 releases"},
		{"shard @/shards.toml 2/3", "ρ = 0.95 (95%) in 2 releases"},
		{"merge @/shards.toml", "ρ = 0.95 (95%) in 2 releases"},
		{"shard @/shards.toml 1/3", "ρ = 0.95 (95%) in 2 releases"},
	} {
		p.ok(c.line + " --quiet")
		if out := p.ok("budget @/job-budget.json"); !strings.Contains(out, "spent  "+c.spent) {
			t.Errorf("%s: printed\n%s", c.line, out)
		}
	}
	if lines := strings.Split(string(p.read("shards.csv")), "\n"); len(lines) != 5 {
		t.Errorf("%q", lines)
	}
}

func TestPrivacyMistakes(t *testing.T) {
	p := newPlace(t)
	p.write("a.csv", "id,v\n1,10\n")
	p.ok("encrypt --quiet --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure v:max=100")
	const encrypt = "encrypt --quiet --key @/public.json --in @/a.csv --out @/x.cf.parquet --id id --measure v:max=100 "
	const decrypt = "decrypt --quiet --key @/secret.json --unfused --in @/a.cf.parquet --out @/x.csv "
	p.ok("budget @/b.json --epsilon 1")
	for line, want := range map[string]string{
		"budget":                                             "give one FILE, not 0",
		"budget @/x.json --delta 1e-6":                       "a limit on ρ or on ε",
		"budget @/x.json --rho 0":                            "the budget's ρ is",
		"budget @/x.json --about us":                         "--about without a limit",
		"budget s3://bucket/b.json --rho 1":                  "not on a disk",
		encrypt + "--epsilon 1":                              "--epsilon without --noise",
		encrypt + "--noise release --epsilon 1":              "--noise release",
		encrypt + "--noise local --epsilon 1":                "without --person-records",
		encrypt + "--noise share --rho 1 --person-records 1": "--owners 0 --honest 0",
		encrypt + "--noise share --rho 1 --person-records 1 --owners 2 --honest 1":              "without a list",
		decrypt + "--noise release --epsilon 1 --person-records 1":                              "without a budget",
		decrypt + "--noise share --epsilon 1 --person-records 1":                                "--noise share",
		decrypt + "--noise release --epsilon one --person-records 1 --budget @/b.json":          "--epsilon one",
		decrypt + "--noise release --epsilon 1 --person-records 1 --budget @/b.json --counts x": "unknown --counts x",
	} {
		if r := p.run(line); r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
		}
	}
	for line, want := range map[string]string{
		"budget @/none.json":      "no such budget",
		"budget @/a.csv":          "not a budget",
		"budget @/b.json --rho 1": "already exists",
		decrypt + "--noise release --rho 0.1 --person-records 1 --budget @/b.json": "the budget is spent: of ε = 1",
	} {
		if r := p.run(line); r.code != exitRefused || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d\n%s%s", line, r.code, r.out, r.err)
		}
	}
}
