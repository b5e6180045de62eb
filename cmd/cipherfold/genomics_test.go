package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// vcf writes a VCF file: samples, and records of words.
func (p *place) vcf(name, samples string, records ...string) {
	p.t.Helper()
	lines := []string{"##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + strings.ReplaceAll(samples, " ", "\t")}
	for _, r := range records {
		lines = append(lines, strings.ReplaceAll(r, " ", "\t"))
	}
	p.lines(name, lines...)
}

// Cases and controls of two biobanks, from VCF files to an association test, and the same in the clear.
func TestGenomics(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.vcf("a.vcf", "A1 A2 A3", "1 100 . A G . PASS . GT 0/1 1/1 ./.", "1 200 . C T,G . q10 . GT 0/1 1/2 0/0", "1 300 . CTT CT . PASS . GT 0/0 0/1 0/1")
	p.vcf("b.vcf", "B1 B2 B3", "1 100 . A G . PASS . GT 0/1 0/0 0/0", "1 200 . C T,G . PASS . GT 0/2 0/2 0/0", "1 300 . CTT CT . PASS . GT 1/1 0/0 0/0")
	p.lines("cases.txt", "A1", "A2")
	for _, x := range []struct{ group, a, b string }{{"cases", "@/cases.txt", "B1"}, {"controls", "A3", "B2,B3"}} {
		for _, owner := range []string{"a", "b"} {
			samples := map[string]string{"a": x.a, "b": x.b}[owner]
			p.ok(fmt.Sprintf("encrypt --key @/public.json --in @/%s.vcf --out @/%[1]s-%s.cf.parquet --id chrom,pos,ref,alt --measure AC:max=10 AN:max=10 --layout blocks --samples %s", owner, x.group, samples))
			p.ok(fmt.Sprintf("summarize --in @/%s.vcf --out @/%[1]s-%s.csv --id chrom,pos,ref,alt --measure AC AN --samples %s --ratio AF=AC/AN", owner, x.group, samples))
		}
		p.ok(fmt.Sprintf("fuse --in @/a-%s.cf.parquet @/b-%[1]s.cf.parquet --out @/%[1]s.cf.parquet", x.group))
		p.ok(fmt.Sprintf("decrypt --key @/secret.json --in @/%s.cf.parquet --out @/%[1]s.csv --ratio AF=AC/AN", x.group))
		if out := p.ok(fmt.Sprintf("combine --in @/a-%s.csv @/b-%[1]s.csv --out @/%[1]s-clear.csv", x.group)); !strings.Contains(out, "4 records from 2 tables") {
			t.Error(out)
		}
		secret, clear := p.open(x.group+".csv"), p.open(x.group+"-clear.csv")
		lines := func(o opened) []string {
			var out []string
			for i := range o.rows {
				out = append(out, o.line(i, "pos", "ref", "alt", "AC_count", "AC_mean", "AN_mean"))
			}
			slices.Sort(out)
			return out
		}
		if s, c := lines(secret), lines(clear); !slices.Equal(s, c) {
			t.Errorf("%s:\n%q encrypted\n%q in the clear", x.group, s, c)
		}
	}
	cases := p.open("cases.csv")
	for i, want := range []string{"100 A G 4 6 0.6666666666666666", "200 C T 2 6 0.3333333333333333", "200 C G 2 6 0.3333333333333333", "300 CT C 3 6 0.5"} {
		if got := cases.line(i, "pos", "ref", "alt", "AC_sum", "AN_sum", "AF"); got != want {
			t.Errorf("cases: %s, want %s", got, want)
		}
	}
	if out := p.ok("assoc --cases @/cases.csv --controls @/controls.csv --out @/assoc.tsv"); !strings.Contains(out, "4 records tested") {
		t.Error(out)
	}
	// 100 A G: 4 of 6 against 0 of 4: chi-square 10·(4·4-2·0)²/(6·4·4·6), by hand.
	if got := p.open("assoc.tsv").line(0, "AF_cases", "AF_controls", "CHISQ"); got != "0.6666666666666666 0 4.444444444444445" && got != "0.6666666666666666 0 4.444444444444444" {
		t.Errorf("%s", got)
	}
	out := p.ok("encrypt --key @/public.json --in @/a.vcf --out @/filtered.cf.parquet --id chrom,pos,ref,alt --measure AC:max=10 --filter PASS")
	if !strings.Contains(out, "left out of 3 VCF records: 1 record by FILTER") {
		t.Error(out)
	}
	if out := p.ok("inspect @/filtered.cf.parquet"); !strings.Contains(out, "vcf filter=PASS") {
		t.Error(out)
	}
}

// Keys of tokens are made and used; what was prepared is told.
func TestTokensAndPreparation(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if out := p.ok("keygen --token-key @/token.json"); !strings.Contains(out, "check value") {
		t.Error(out)
	}
	if r := p.run("keygen --token-key @/token.json"); r.code != exitRefused || !strings.Contains(r.err, "token.json: already exists") {
		t.Errorf("%d %s", r.code, r.err)
	}
	if r := p.run("keygen --token-key @/t.json --bits 2048"); r.code != exitUsage || !strings.Contains(r.err, "--token-key and --bits exclude each other") {
		t.Errorf("%d %s", r.code, r.err)
	}
	p.lines("rna.csv", "gene,x", "ENSG00000000003.1,7", "ENSG00000000005.2,", "ENSG00000000419,1")
	out := p.ok("encrypt --key @/public.json --in @/rna.csv --out @/r.cf.parquet --id gene:ensembl --tokenize gene --token-key @/token.json --measure x:log2:decimals=2:max=20:missing=zero")
	if !strings.Contains(out, "filled: 1 missing value") {
		t.Error(out)
	}
	p.ok("decrypt --key @/secret.json --in @/r.cf.parquet --out @/r.csv")
	p.ok("tokens --in @/rna.csv --out @/tokens.csv --id gene:ensembl --tokenize gene --token-key @/token.json")
	sums := map[string]string{}
	for i, r := range p.open("r.csv").rows {
		sums[r["gene"]] = p.open("r.csv").line(i, "x_sum")
	}
	for _, r := range p.open("tokens.csv").rows {
		if want := map[string]string{"ENSG00000000003": "3.00", "ENSG00000000005": "0.00", "ENSG00000000419": "1.00"}[r["gene"]]; sums[r["gene_token"]] != want {
			t.Errorf("%s: %s, want %s", r["gene"], sums[r["gene_token"]], want)
		}
	}
	if out := p.ok("inspect @/r.cf.parquet"); !strings.Contains(out, "gene  ensembl") || !strings.Contains(out, "x  log2") || strings.Contains(string(p.read("r.cf.parquet")), "ENSG") {
		t.Error(out)
	}
	if out := p.ok("fuse --in @/r.cf.parquet --out @/f.cf.parquet --count-unmatched"); !strings.Contains(out, "ids that are not in every input: 0") {
		t.Error(out)
	}
}
