package main

import (
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench/biobank"
)

// A small study runs from end to end in processes of its own; the command itself compares every variant with the plain
// counts.
func TestBenchBiobank(t *testing.T) {
	t.Setenv(asProgram, "1")
	p := newPlace(t)
	r := okJSON[biobank.Result](p, "bench biobank --quiet --variants 3000 --owners 3 --samples 25 --bits 1024 --variant mhl --insecure-test-key --dir @/study --threads 1")
	if r.Equal != 3000 || len(r.Steps) != 3 || r.Steps[0].Processes != 3 || r.Steps[0].Variants != 9000 || r.Steps[2].Variants != 3000 || r.Machine.Cores != 1 {
		t.Errorf("%+v", r)
	}
	for _, s := range r.Steps {
		if s.Seconds <= 0 || s.Bytes <= 0 || s.BytesRead <= 0 || s.PerVariant <= 0 || s.Nanosecond <= 0 || s.RSSMiB <= 0 {
			t.Errorf("%+v", s)
		}
	}
	for _, name := range []string{"study/owner01.vcf.gz", "study/owner03.cf.parquet", "study/fused.cf.parquet", "study/frequencies.parquet"} {
		if len(p.read(name)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	var text strings.Builder
	r.Print(&text)
	if !strings.Contains(text.String(), "3000 of 3000 variants equal to plain") {
		t.Error(text.String())
	}
	if x := p.run("bench biobank --owners 0"); x.code != exitUsage {
		t.Errorf("%d %s", x.code, x.err)
	}
}
