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

// TestCountsOfInfo: files that list sites only say so, and their counts are added up where they are asked for, in every verb that
// reads VCF files and in a job.
func TestCountsOfInfo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	head := []string{"##fileformat=VCFv4.2"}
	for _, d := range []string{"AC,Number=A", "AN,Number=1", "AC_Het,Number=A", "nhomalt,Number=A"} {
		head = append(head, fmt.Sprintf("##INFO=<ID=%s,Type=Integer,Description=\"x, of %s\">", d, d))
	}
	sites := func(name string, records ...string) {
		lines := append(slices.Clone(head), "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
		for _, r := range records {
			lines = append(lines, strings.ReplaceAll(r, " ", "\t"))
		}
		p.lines(name, lines...)
	}
	sites("a.vcf", "1 100 . A G . PASS AC=3;AN=10;AC_Het=1;nhomalt=1", "1 200 . C T,G . PASS AC=2,4;AN=12;nhomalt=.,2")
	sites("b.vcf", "1 100 . A G . PASS AN=20;AC=5", "1 200 . C T,G . PASS AC=.,7;AN=8;nhomalt=1,3")
	const verb = "--id chrom,pos,ref,alt --measure AC:max=100 AN:max=100 nhomalt:max=100 "
	encrypt := "encrypt --key @/public.json --in @/a.vcf --out @/a.cf.parquet --overwrite " + verb
	for line, want := range map[string]string{
		encrypt: "a.vcf: line 6, column \"AC\": the file has no samples: it lists sites only",
		"encrypt --key @/public.json --in @/a.vcf --out @/x.cf.parquet --id chrom,pos,ref,alt --measure '*:max=10'":                "the file has no samples: it lists sites only",
		"summarize --in @/a.vcf --out @/a.csv " + verb:                                                                             "the file has no samples: it lists sites only",
		"encrypt --key @/public.json --in @/a.vcf --out @/x.cf.parquet --id chrom,pos,ref,alt --measure HET:max=100 --counts info": "no such column: \"HET\"",
	} {
		before := p.files()
		if r := p.run(line); r.code != exitRefused || !strings.Contains(r.err, want) || strings.Contains(want, "lists sites") && !strings.Contains(r.err, "give --counts info if they") {
			t.Errorf("%s\nexit code %d\n%s", line, r.code, r.err)
		}
		p.unchanged(before)
	}
	for flags, want := range map[string]string{
		"--counts info --samples A":  "--counts info is of all samples of a file",
		"--counts info --per-sample": "counts of INFO are of all samples together",
		"--counts info --dosage DS":  "counts of INFO are of all samples together",
		"--counts both":              "--counts both: write genotypes or info",
		"--counts info,genotypes":    "info and genotypes at once",
		"--counts ''":                "--counts is empty",
	} {
		if r := p.run(encrypt + flags); r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d\n%s", flags, r.code, r.err)
		}
	}
	if r := p.run("encrypt --key @/public.json --in @/public.json --out @/x.cf.parquet --counts info " + verb); r.code != exitUsage || !strings.Contains(r.err, "--counts: no input is a VCF file") {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	for _, owner := range []string{"a", "b"} {
		p.ok(fmt.Sprintf("encrypt --quiet --key @/public.json --in @/%s.vcf --out @/%[1]s.cf.parquet --layout blocks --counts info %s", owner, verb))
		p.ok(fmt.Sprintf("summarize --quiet --in @/%s.vcf --out @/%[1]s.csv --counts info %s", owner, verb))
	}
	p.ok("fuse --quiet --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet")
	p.ok("decrypt --quiet --key @/secret.json --in @/f.cf.parquet --out @/f.csv --ratio AF=AC/AN")
	p.ok("combine --quiet --in @/a.csv @/b.csv --out @/clear.csv")
	secret, clear := p.open("f.csv"), p.open("clear.csv")
	for i, want := range []string{"100 A G 8 30 1 2 2 1", "200 C T 2 20 1 1 2 1", "200 C G 11 20 5 2 2 2"} {
		for name, table := range map[string]opened{"encrypted": secret, "in the clear": clear} {
			if got := table.line(i, "pos", "ref", "alt", "AC_sum", "AN_sum", "nhomalt_sum", "AC_count", "AN_count", "nhomalt_count"); got != want && name == "encrypted" {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	if got := secret.line(0, "AF"); got != "0.26666666666666666" { // 8 of 30
		t.Error(got)
	}
	// Both meanings of the flag at once: which counts, and that those of values are public.
	p.ok("encrypt --quiet --key @/public.json --in @/a.vcf --out @/noisy.cf.parquet --counts info,public --noise local --epsilon 1 --person-records 2 " + verb)
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
	if out := p.ok("assoc --cases @/cases.csv --controls @/controls.csv --out @/assoc.tsv --report @/assoc.html"); !strings.Contains(out, "4 records tested") {
		t.Error(out)
	}
	if page := string(p.read("assoc.html")); !strings.Contains(page, "Manhattan plot") {
		t.Errorf("no report: %s", page)
	}
	if r := p.run("assoc --cases @/cases.csv --controls @/controls.csv --out @/again.tsv --report @/assoc.html"); r.code != exitRefused || !strings.Contains(r.err, "already exists") {
		t.Errorf("a report in the way: exit code %d\n%s", r.code, r.err)
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
	p.ok("decrypt --key @/secret.json --unfused --in @/r.cf.parquet --out @/r.csv")
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

// TestListsOfSamples: what editors put before a list is no part of the first name; a name that is empty is said to be.
func TestListsOfSamples(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.vcf("a.vcf", "A B", "1 100 . A G . PASS . GT 0/1 1/1")
	const line = "summarize --quiet --in @/a.vcf --out @/a.csv --overwrite --id chrom,pos,ref,alt --measure AC --samples "
	for name, text := range map[string]string{"plain": "B\n", "mark": "\ufeffB\n", "windows": "\ufeffB\r\n", "no end": "\ufeffB"} {
		p.write("list.txt", text)
		p.ok(line + "@/list.txt")
		if got := p.open("a.csv").line(0, "AC_sum"); got != "2" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for text, want := range map[string]string{"\xff\xfeB\x00\n\x00": "UTF-16", "\xfe\xff\x00B\x00\n": "UTF-16", "\ufeff\nB\n": "line 1: an empty line", "A\n\nB\n": "line 2: an empty line", "": "line 1: an empty line"} {
		p.write("list.txt", text)
		if r := p.run(line + "@/list.txt"); r.code != exitRefused || !strings.Contains(r.err, "list.txt: ") || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit code %d\n%s", text, r.code, r.err)
		}
	}
	for _, names := range []string{"A,,B", ",A", "A,"} {
		if r := p.run(line + names); r.code != exitUsage || !strings.Contains(r.err, "a name is empty") {
			t.Errorf("%s: exit code %d\n%s", names, r.code, r.err)
		}
	}
}
