package main

import (
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// TestBenchTiming takes a few measurements. On a busy machine, the test may err: then the exit code says so, and the results
// are printed all the same.
func TestBenchTiming(t *testing.T) {
	p := newPlace(t)
	line := "bench timing --quiet --kernel generic --bits 512 --variant djn --measurements " + thoroughtest.Pick("100", "300")
	p.mkdir("results")
	for _, json := range []string{"", " --json", " --json @/results"} {
		r := p.run(line + json)
		failed := strings.Contains(r.err, "timing checks are not as expected")
		if failed != (r.code == exitFailed) || !failed && r.code != exitDone {
			t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
		}
		if failed != strings.Contains(r.out, "**fails**") && json != " --json" {
			t.Errorf("exit code %d\n%s", r.code, r.out)
		}
		if json == " --json" {
			if _, err := bench.ReadFile([]byte(r.out)); err != nil {
				t.Errorf("%v in\n%s", err, r.out)
			}
			continue
		}
		for _, want := range []string{"### Keys of 512 bits", "| power, VarTime ", "| decrypt, DJN ", "| encrypt as owner, DJN "} {
			if !strings.Contains(r.out, want) {
				t.Errorf("no %q in\n%s", want, r.out)
			}
		}
	}
	p.ok("bench render --results @/results --out @/B.md")
	if rendered := string(p.read("B.md")); !strings.Contains(rendered, "## Timing: constant or not") {
		t.Errorf("rendered\n%s", rendered)
	}
	for line, want := range map[string]string{
		"bench timing --variant textbook": `no timing check of variant "textbook"`,
		"bench timing --measurements 0":   "--measurements 0 measures nothing",
		"bench timing --kernel abacus":    `no kernel "abacus" on this machine`,
		"bench timing --seconds -1":       "in -1 seconds",
	} {
		if r := p.run("--quiet " + line); r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d\n%s", line, r.code, r.err)
		}
	}
}
