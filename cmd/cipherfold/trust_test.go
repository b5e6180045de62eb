package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Owners and an aggregator sign, the key holder demands them, and anyone makes the sum again: by the commands, with what they
// print.
func TestSignedStudy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	fingerprint := func(dir string) string {
		p.mkdir(dir)
		out := p.ok("keygen --signer --plain --out @/" + dir)
		found := regexp.MustCompile(`\b[0-9a-f]{64}\b`).FindString(out)
		if found == "" {
			t.Fatalf("no fingerprint in\n%s", out)
		}
		return found
	}
	policy := "owner north " + fingerprint("north") + "\nowner south " + fingerprint("south") + "\naggregator hub " + fingerprint("hub") + "\n"
	p.write("trust", policy)
	if r := p.run("keygen --signer --plain --out @/north"); r.code != exitRefused || !strings.Contains(r.err, "already exists") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	p.lines("north.csv", "id,x", "p,1", "q,2")
	p.lines("south.csv", "id,x", "p,3", "q,4")
	encrypt := func(owner, out string) {
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --id id --measure x:max=9 --sign @/" + owner + "/signer.key --out @/" + out)
	}
	encrypt("north", "n.cf.parquet")
	encrypt("south", "s.cf.parquet")
	p.ok("fuse --in @/n.cf.parquet @/s.cf.parquet --trust @/trust --sign @/hub/signer.key --out @/sum.cf.parquet")
	p.ok("decrypt --key @/secret.json --trust @/trust --in @/sum.cf.parquet --out @/sum.csv")
	if got := p.open("sum.csv"); got.line(0, "x_sum") != "4" || got.line(1, "x_sum") != "6" {
		t.Errorf("%v", got)
	}
	if out := p.ok("verify --recompute @/sum.cf.parquet --in @/n.cf.parquet @/s.cf.parquet"); !strings.Contains(out, "same") {
		t.Errorf("recomputed\n%s", out)
	}

	refused := func(line, want string) {
		t.Helper()
		if r := p.run(line); r.code != exitRefused || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d, want %q\n%s", line, r.code, want, r.err)
		}
	}
	// North's values changed after the sum was made.
	p.lines("north.csv", "id,x", "p,9", "q,9")
	encrypt("north", "n2.cf.parquet")
	refused("verify --recompute @/sum.cf.parquet --in @/n2.cf.parquet @/s.cf.parquet", "not the sum of the inputs")
	refused("verify --recompute @/sum.cf.parquet --in @/n.cf.parquet", "not the sum of the inputs")
	// An aggregator that is not listed, and one that leaves an owner out.
	p.ok("fuse --in @/n.cf.parquet @/s.cf.parquet --sign @/south/signer.key --out @/other.cf.parquet")
	refused("decrypt --key @/secret.json --trust @/trust --in @/other.cf.parquet --out @/other.csv", "the sum is signed by south, who is no aggregator in it")
	p.ok("fuse --in @/n.cf.parquet --sign @/hub/signer.key --out @/less.cf.parquet")
	refused("decrypt --key @/secret.json --trust @/trust --in @/less.cf.parquet --out @/less.csv", "the table of south is not in it")
	for _, name := range []string{"other.csv", "less.csv"} {
		if _, err := os.Stat(p.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

// Where owners signed different measures, no signature says what the measures of their sum are: that is told, by name, once.
func TestUnsignedMeasuresAreWarnedOf(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var policy strings.Builder
	for party, role := range map[string]string{"north": "owner", "south": "owner", "east": "owner", "hub": "aggregator"} {
		out := p.ok("keygen --signer --plain --out @/" + party)
		policy.WriteString(role + " " + party + " " + regexp.MustCompile(`\b[0-9a-f]{64}\b`).FindString(out) + "\n")
	}
	everyone := strings.Split(strings.TrimSpace(policy.String()), "\n")
	encrypt := func(owner, measure string) {
		p.lines(owner+".csv", "id,"+measure, "p,1", "q,2")
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --id id --measure " + measure + ":max=9 --sign @/" + owner + "/signer.key --out @/" + owner + ".cf.parquet")
	}
	encrypt("north", "x")
	encrypt("south", "x")
	encrypt("east", "y")
	const warning = "the owners signed different measures"
	check := func(line, file string, warnings int) {
		t.Helper()
		if r := p.run(line); r.code != exitDone || strings.Count(r.err, warning) != warnings || warnings > 0 && !strings.Contains(r.err, "file="+file) {
			t.Errorf("%s: exit code %d, want %d warnings\n%s", line, r.code, warnings, r.err)
		}
	}
	without := func(party string) string {
		var lines []string
		for _, line := range everyone {
			if !strings.Contains(line, " "+party+" ") {
				lines = append(lines, line)
			}
		}
		p.lines("trust", lines...)
		return "--trust @/trust"
	}
	check("fuse --in @/north.cf.parquet @/south.cf.parquet "+without("east")+" --sign @/hub/signer.key --out @/same.cf.parquet", "", 0)
	check("decrypt --key @/secret.json --in @/same.cf.parquet "+without("east")+" --out @/same.csv", "", 0)
	check("fuse --in @/north.cf.parquet @/east.cf.parquet "+without("south")+" --sign @/hub/signer.key --out @/joined.cf.parquet", "", 0) // each says its own
	check("decrypt --key @/secret.json --in @/joined.cf.parquet "+without("south")+" --out @/joined.csv", "joined.cf.parquet", 1)
	check("fuse --in @/joined.cf.parquet @/south.cf.parquet "+without("nobody")+" --sign @/hub/signer.key --out @/all.cf.parquet", "joined.cf.parquet", 1)
	p.write("job.toml", strings.ReplaceAll(`version = 1
[job]
dir = "@/job"
[[decrypt]]
key = "@/secret.json"
in = "@/all.cf.parquet"
trust = "@/trust"
out = "@/all.csv"
`, "@", p.dir))
	check("run @/job.toml --receipt-key @/receipt.key", "all.cf.parquet", 1)
	if got := p.open("all.csv"); got.line(0, "x_sum") != "2" || got.line(1, "y_sum") != "2" {
		t.Errorf("%v", got)
	}
}
