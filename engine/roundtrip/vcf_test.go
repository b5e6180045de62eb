package roundtrip_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/analyze"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/stats"
	"github.com/cipherfold/cipherfold/io/vcfio"
	"github.com/cipherfold/cipherfold/io/vcfio/vcfiotest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

var variantIDs = []string{"chrom", "pos", "ref", "alt"}

// fuseOwners encrypts one VCF file for each list of samples, fuses and decrypts.
func (b *bench) fuseOwners(file string, owners [][]string, layout string, v dataset.VCF, specs ...string) []map[string]string {
	b.Helper()
	var tables []string
	for i, samples := range owners {
		v.Samples = b.write(fmt.Sprintf("owner%d.txt", i), strings.Join(samples, "\n")+"\n")
		out := b.path(fmt.Sprintf("owner%d.cf.parquet", i))
		_, err := encrypt.Run(b.Context(), encrypt.Request{Options: b.options, Key: keys.Of(b.key), Spec: dataset.Spec{In: []string{file}, IDs: variantIDs, Measures: measures(b, specs...), VCF: v}, Out: out, Layout: layout})
		if err != nil {
			b.Fatal(err)
		}
		tables = append(tables, out)
	}
	fused := b.fuse("fused.cf.parquet", fuse.Request{In: tables})
	out := b.path("fused.csv")
	if _, err := decrypt.Run(b.Context(), decrypt.Request{Unfused: true, Options: job.Options{Overwrite: true}, Key: keys.Of(b.key), In: fused, Out: out, Further: stats.Further{Ratios: []string{"AF=AC/AN"}}}); err != nil {
		b.Fatal(err)
	}
	return b.rows(out)
}

// deal gives every n-th sample to an owner.
func deal(samples []string, n int) [][]string {
	owners := make([][]string, n)
	for i, s := range samples {
		owners[i%n] = append(owners[i%n], s)
	}
	return owners
}

// 1000 Genomes, chromosome 22: the samples split among five owners. Allele counts, allele numbers and frequencies after
// encryption, fusion and decryption equal the published answers.
func TestAlleleFrequencies1000Genomes(t *testing.T) {
	file, err := filepath.Abs("../../../shared/data/1kg_phase3_chr22_16-16.5mb.vcf.gz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); os.IsNotExist(err) {
		t.Log("NOT CHECKED: the excerpt of 1000 Genomes is not beside this checkout (../shared/data); TestAlleleFrequencies checks generated files")
		return
	}
	var want struct {
		Samples  int    `json:"samples"`
		Variants int    `json:"biallelic_variants"`
		Total    int64  `json:"total_dosage"`
		SHA256   string `json:"sha256_of_pos_sum_sumsq"`
		First    []struct {
			Pos int64 `json:"pos"`
			AC  int64 `json:"sum_dosage"`
		} `json:"first"`
	}
	expected(t, "1kg_chr22", &want)
	samples := strings.Split(vcfHeader(t, file), "\t")[9:]
	if len(samples) != want.Samples {
		t.Fatalf("%d samples, want %d", len(samples), want.Samples)
	}
	b := newBench(t, paillier.MHL)
	rows := b.fuseOwners(file, deal(samples, 5), slots.Blocks, dataset.VCF{Multiallelic: vcfio.Skip, Alleles: vcfio.Keep}, "AC:max=2000", "AN:max=2000", "HOM:max=1000")
	if len(rows) != want.Variants {
		t.Fatalf("%d variants, want %d", len(rows), want.Variants)
	}
	digest, total := sha256.New(), int64(0)
	for i, r := range rows {
		ac, hom := integer(t, r["AC_sum"]), integer(t, r["HOM_sum"])
		if i < len(want.First) && (r["pos"] != strconv.FormatInt(want.First[i].Pos, 10) || ac != want.First[i].AC) {
			t.Errorf("variant %d: %s has %d, want %v", i, r["pos"], ac, want.First[i])
		}
		if r["AN_sum"] != strconv.Itoa(2*want.Samples) {
			t.Fatalf("AN is %s", r["AN_sum"])
		}
		equalNumber(t, "AF", r["AF"], strconv.FormatFloat(float64(ac)/float64(2*want.Samples), 'g', -1, 64))
		io.WriteString(digest, fmt.Sprintf("%s:%d:%d;", r["pos"], ac, ac+2*hom)) // 1·het + 4·hom, with ac = het + 2·hom
		total += ac
	}
	if got := hex.EncodeToString(digest.Sum(nil)); total != want.Total || got != want.SHA256 {
		t.Errorf("total %d, digest %s; want %d, %s", total, got, want.Total, want.SHA256)
	}
}

// vcfHeader returns the line #CHROM of a VCF file.
func vcfHeader(t testing.TB, file string) string {
	t.Helper()
	for _, line := range strings.SplitN(gunzip(t, file, 1<<20), "\n", 500) {
		if strings.HasPrefix(line, "#CHROM") {
			return line
		}
	}
	t.Fatal("no line #CHROM")
	return ""
}

func integer(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Generated files with several alleles, missing and partial calls and any ploidy, their samples split among five owners, in
// both layouts, give what the straightforward count over all samples gives.
func TestAlleleFrequencies(t *testing.T) {
	samples := vcfiotest.Names("S", 33)
	text := vcfiotest.Random(rand.New(rand.NewPCG(11, 12)), vcfiotest.Shape{Samples: samples, Records: 150, Multiallelic: true, Missing: true, Ploidy: true, Fields: true})
	want := vcfiotest.Count(text, samples)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		b := newBench(t, paillier.MHL)
		rows := b.fuseOwners(b.write("all.vcf", text), deal(samples, 5), layout, dataset.VCF{}, "AC:max=1000", "AN:max=1000", "MISSING:max=100", "HET:max=100", "HOM:max=100")
		got := map[string]string{}
		for _, r := range rows {
			got[r["chrom"]+":"+r["pos"]+":"+r["ref"]+":"+r["alt"]] = strings.Join([]string{r["AC_sum"], r["AN_sum"], r["MISSING_sum"], r["HET_sum"], r["HOM_sum"], r["AF"]}, " ")
		}
		if len(got) != len(want) || len(rows) != len(want) {
			t.Errorf("%s: %d variants in %d rows, want %d", layout, len(got), len(rows), len(want))
		}
		for _, w := range want {
			af := ""
			if w.AN > 0 {
				af = strconv.FormatFloat(float64(w.AC)/float64(w.AN), 'f', -1, 64)
			}
			name := fmt.Sprintf("%s:%d:%s:%s", w.Chrom, w.Pos, w.Ref, w.Alt)
			if text := fmt.Sprint(w.AC, w.AN, w.Missing, w.Het, w.Hom, " ", af); got[name] != text {
				t.Fatalf("%s: %s is %q, want %q", layout, name, got[name], text)
			}
		}
	}
}

// Owners with different variants are brought into one order by a list of sites, itself a VCF file; what an owner lacks is
// missing there.
func TestSites(t *testing.T) {
	b := newBench(t, paillier.MHL)
	head := "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
	line := func(words string) string { return strings.ReplaceAll(words, " ", "\t") + "\n" }
	sites := b.write("sites.vcf", head+"\n"+line("chr1 5 . A C . . .")+line("chr1 7 . G T,GA . . .")+line("chr2 1 . CTT CT . . ."))
	a := b.write("a.vcf", head+"\tFORMAT\tA1\n"+line("1 5 . A C . . . GT 0/1")+line("1 7 . G T . . . GT 1/1"))
	c := b.write("c.vcf", head+"\tFORMAT\tC1\tC2\n"+line("1 7 . G GA . . . GT 0/1 ./.")+line("2 1 . CT C . . . GT 1 0/1")+line("2 9 . C T . . . GT 0/0 0/1"))
	e := encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10", "AN:max=10"), VCF: dataset.VCF{ChromPrefix: "strip"}}, Layout: slots.Blocks, Universe: []string{sites}, DropUnlisted: true}
	x, y := b.encrypt(a, e), b.encrypt(c, e)
	rows := b.decrypt(b.fuse("f.cf.parquet", fuse.Request{In: []string{x, y}}))
	for name, want := range map[string]string{
		"chrom": "1 1 1 2", "pos": "5 7 7 1", "alt": "C T GA C", "AC_sum": "1 2 1 2", "AN_sum": "2 2 2 3", "AC_count": "1 1 1 1",
	} {
		if got := cells(rows, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	var log bytes.Buffer
	b.options.Log, e.VCF.Multiallelic = slog.New(slog.NewTextHandler(&log, nil)), "skip"
	os.Remove(x)
	if _, report, err := b.tryEncrypt(a, e); err != nil || report.Records != 2 || strings.Count(log.String(), "left_out=\"1 record of several alleles\"") != 1 || !strings.Contains(log.String(), "sites.vcf") {
		t.Errorf("%+v, %v: %s", report, err, &log)
	}
	e.DropUnlisted, e.VCF.Multiallelic = false, ""
	os.Remove(y)
	_, _, err := b.tryEncrypt(c, e)
	refused(t, err, "c.vcf: row 3 (line 5)", "is not in the universe")
}

// One person in the tables of two owners is found, by the owner with file, line and name, and by the aggregator by number.
func TestSamplesOfTwoOwners(t *testing.T) {
	b := newBench(t, paillier.MHL)
	key, token := b.tokenKey("tokens.json")
	head := "##fileformat=VCFv4.2\n##source=test\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
	owner := func(name, samples string) string {
		return b.write(name, head+strings.ReplaceAll(samples, " ", "\t")+"\n1\t5\t.\tA\tC\t.\t.\t.\tGT"+strings.Repeat("\t0/1", len(strings.Fields(samples)))+"\n")
	}
	e := encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), TokenKey: key}, TokenSamples: true}
	a := b.encrypt(owner("a.vcf", "P1 P2 P3"), e)
	want := []string{token("cipherfold sample v1", 8, "P1"), token("cipherfold sample v1", 8, "P2"), token("cipherfold sample v1", 8, "P3")}
	slices.Sort(want)
	if got := b.inspect(a).Samples; !slices.Equal(got, want) {
		t.Errorf("samples %v, want %v", got, want)
	}
	c := b.encrypt(owner("c.vcf", "Q1 P3 Q2 P1"), e)
	_, err := b.tryFuse("f.cf.parquet", fuse.Request{In: []string{a, c}})
	refused(t, err, "c.cf.parquet", "duplicate samples: 2 samples of this table are in", "a.cf.parquet")
	os.Remove(c)
	e.DisjointFrom = []string{a}
	_, _, err = b.tryEncrypt(b.path("c.vcf"), e)
	refused(t, err, `c.vcf: line 3, column "P3": duplicate sample: "P3" is in`, "a.cf.parquet too")
	e.VCF.Samples = "Q1,Q2"
	c = b.encrypt(b.path("c.vcf"), e)
	fused := b.fuse("f.cf.parquet", fuse.Request{In: []string{a, c}})
	if got := b.inspect(fused).Samples; len(got) != 5 {
		t.Errorf("%d samples in the fusion, want 5", len(got))
	}
	e.VCF.Samples, e.DisjointFrom = "", []string{fused}
	_, _, err = b.tryEncrypt(owner("d.vcf", "R1 Q2"), e)
	refused(t, err, `d.vcf: line 3, column "Q2": duplicate sample`)
	other, _ := b.tokenKey("other.json")
	e.TokenKey = other
	_, _, err = b.tryEncrypt(b.path("d.vcf"), e)
	refused(t, err, "f.cf.parquet: the tokens of its samples are under another key")
	e.DisjointFrom = nil
	_, err = b.tryFuse("g.cf.parquet", fuse.Request{In: []string{a, b.encrypt(b.path("d.vcf"), e)}})
	refused(t, err, "d.cf.parquet: the tokens of its samples are under another key than those of")
	// Within one command samples are compared as they are.
	_, err = encrypt.Run(t.Context(), encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{In: []string{b.path("a.vcf"), b.path("c.vcf")}, IDs: variantIDs, Measures: measures(t, "AC:max=10")}, Out: b.path("x.cf.parquet")})
	refused(t, err, `c.vcf: line 3, column "P3": duplicate sample: "P3" is in`)
}

// How VCF files were read must agree; from which region they were need not.
func TestVCFSettingsMustAgree(t *testing.T) {
	b := newBench(t, paillier.MHL)
	text := vcfiotest.Random(rand.New(rand.NewPCG(1, 5)), vcfiotest.Shape{Samples: []string{"A", "B"}, Records: 20})
	n := 0
	table := func(v dataset.VCF) string {
		n++
		return b.encrypt(b.write(fmt.Sprintf("t%d.vcf", n), text), encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), VCF: v}})
	}
	all := table(dataset.VCF{})
	if _, err := b.tryFuse("ok.cf.parquet", fuse.Request{In: []string{all, table(dataset.VCF{Regions: []string{"22"}, Samples: "A", Multiallelic: "split"})}}); err != nil {
		t.Error(err)
	}
	_, err := b.tryFuse("no.cf.parquet", fuse.Request{In: []string{all, table(dataset.VCF{Filter: []string{"PASS"}})}})
	refused(t, err, `the table was prepared by "vcf filter=PASS", but that of`)
	_, err = b.tryFuse("no.cf.parquet", fuse.Request{In: []string{all, table(dataset.VCF{Multiallelic: "skip"})}})
	refused(t, err, `the table was prepared by "vcf multiallelic=skip", but that of`, `by "vcf multiallelic=split"`)
	for _, v := range []dataset.VCF{{Multiallelic: "drop"}, {AF: "1-0"}, {Regions: []string{"x:y"}}, {Dosage: "GP"}, {ChromPrefix: "no"}} {
		if _, _, err := b.tryEncrypt(b.path("t1.vcf"), encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), VCF: v}}); job.Explain(orNone(err)).Kind != job.Usage {
			t.Errorf("%+v: %v", v, err)
		}
	}
	_, report, err := b.tryEncrypt(b.write("u.vcf", text), encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), VCF: dataset.VCF{Regions: []string{"22"}}}})
	if err != nil || report.Variants.Records != 20 || report.Variants.Outside+report.Variants.Rows != 20 || report.Variants.Rows == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A list of regions whose numbers were written with commas falls apart into other regions, and is refused.
func TestRegions(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file := b.write("r.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\n"+
		"1\t1\t.\tA\tC\t.\t.\t.\tGT\t0/1\n1\t1500\t.\tA\tC\t.\t.\t.\tGT\t0/1\n2\t7\t.\tA\tC\t.\t.\t.\tGT\t0/1\n123\t7\t.\tA\tC\t.\t.\t.\tGT\t0/1\n")
	for list, rows := range map[string]int64{"1:1,2": 2, "1,2:7-": 3, "123,1:5-9999": 2, "1:1,123:0-": 2} {
		ids, err := b.summarize(file, "s.csv", analyze.Summary{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC"), VCF: dataset.VCF{Regions: strings.Split(list, ",")}}})
		if err != nil || int64(len(ids)) != rows {
			t.Errorf("%s: %d rows, %v", list, len(ids), err)
		}
	}
	for list, part := range map[string]string{"1:1,000-2,000": `"000-2"`, "1:1,000": `"000"`, "1:1-2,000": `"000"`, "2,1:1-1,500,000": `"500"`, "1,000-2": `"000-2"`} {
		_, err := b.summarize(file, "s.csv", analyze.Summary{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC"), VCF: dataset.VCF{Regions: strings.Split(list, ",")}}})
		misused(t, err, "‹region›: "+part+" looks like a part of a number with commas", "Write numbers without commas")
	}
	_, err := b.summarize(file, "s.csv", analyze.Summary{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC"), VCF: dataset.VCF{Regions: []string{"1:1,000-2,000"}}}}) // as job files have it
	misused(t, err, `"1:1,000-2,000" is not CHROM`)
}

// Flags of VCF files are refused where no file is one. Those of the names of variants may be for the universe.
func TestVCFSettingsOfNoVCF(t *testing.T) {
	b := newBench(t, paillier.MHL)
	file := b.csv("a.csv", "chrom,pos,ref,alt,AC", "1,7,G,T,1")
	for flag, v := range map[string]dataset.VCF{
		"‹samples›": {Samples: "A"}, "‹per_sample›": {PerSample: true}, "‹dosage›": {Dosage: "GT"}, "‹multiallelic›": {Multiallelic: "skip"}, "‹symbolic›": {Symbolic: "skip"},
		"‹alleles›": {Alleles: "keep"}, "‹chrom_prefix›": {ChromPrefix: "strip"}, "‹filter›": {Filter: []string{"PASS"}}, "‹af›": {AF: "0-1"}, "‹region›": {Regions: []string{"1"}},
		"‹filter›, ‹alleles›": {Filter: []string{"PASS"}, Alleles: "keep"},
	} {
		e := encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), VCF: v}}
		_, _, err := b.tryEncrypt(file, e)
		misused(t, err, flag+": no input is a VCF file")
		_, err = b.summarize(file, "s.csv", analyze.Summary{Options: e.Options, Spec: e.Spec, Out: e.Out})
		misused(t, err, flag+": no input is a VCF file")
	}
	sites := b.write("sites.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t7\t.\tG\tT\t.\t.\t.\n")
	e := encrypt.Request{Spec: dataset.Spec{IDs: variantIDs, Measures: measures(t, "AC:max=10"), VCF: dataset.VCF{ChromPrefix: "strip"}}, Universe: []string{sites}}
	if got := cells(b.decrypt(b.encrypt(file, e)), "AC_sum"); got != "1" {
		t.Errorf("AC_sum %s", got)
	}
	e.VCF.AF = "0-1"
	_, _, err := b.tryEncrypt(file, e)
	misused(t, err, "‹af›: no input is a VCF file")
}

// When nothing is left of a VCF file, the message says by what.
func TestNoVariants(t *testing.T) {
	b := newBench(t, paillier.MHL)
	head := "##fileformat=VCFv4.2\n##source=test\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\n"
	file := b.write("a.vcf", head+"1\t7\t.\tA\tC,G\t.\tPASS\t.\tGT\t0/1\n2\t9\t.\tA\tC\t.\tq10\t.\tGT\t0/1\n")
	other := b.write("b.vcf", strings.ReplaceAll(head, "\tA\n", "\tB\n")+"1\t7\t.\tA\tC\t.\tPASS\t.\tGT\t0/1\n")
	for _, c := range []struct {
		files      []string
		v          dataset.VCF
		want, hint string
	}{
		{[]string{file}, dataset.VCF{Filter: []string{"pass"}}, "a.vcf: no rows: nothing is left of 2 VCF records: 2 records by FILTER", "compared as they are written, such as PASS"},
		{[]string{file}, dataset.VCF{Regions: []string{"chr1:1-10"}}, "a.vcf: no rows: nothing is left of 2 VCF records: 2 records outside the regions", "There is no record of chromosome chr1. There are records of 1, 2."},
		{[]string{file, other}, dataset.VCF{Regions: []string{"chr1", "chr2", "chr1:5"}}, "nothing is left of 3 VCF records: 3 records outside the regions", "There is no record of chromosome chr1, chr2. There are records of 1, 2."},
		{[]string{file}, dataset.VCF{Regions: []string{"1:8"}, ChromPrefix: "strip"}, "2 records outside the regions", "Check the flags"},
		{[]string{file}, dataset.VCF{Regions: []string{"1"}, Multiallelic: "skip"}, "1 record outside the regions, 1 record of several alleles", "Check the flags"},
		{[]string{file}, dataset.VCF{AF: "0-1"}, "nothing is left of 2 VCF records: 3 alleles without AF", "Check the flags"},
		{[]string{b.write("c.vcf", head)}, dataset.VCF{}, "c.vcf: line 3: no rows: the file ends after its header, without a record", "ran to its end"},
	} {
		for _, specs := range [][]string{{"AC:max=9"}, {"AC:log2:max=9"}} {
			_, err := encrypt.Run(t.Context(), encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{In: c.files, IDs: variantIDs, Measures: measures(t, specs...), VCF: c.v}, Out: b.path("o.cf.parquet")})
			refused(t, err, c.want)
			if hint := job.Explain(orNone(err)).Hint; !strings.Contains(hint, c.hint) {
				t.Errorf("%+v: hint %q", c.v, hint)
			}
		}
	}
}

// Ratios are exact quotients of sums, whatever the decimals of the two.
func TestRatios(t *testing.T) {
	b := newBench(t, paillier.MHL)
	ct := b.encrypt(b.csv("a.csv", "g,x,w/v,z", "a,1.25,0.5,3", "b,-2,8,0"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "x:decimals=2:max=9", "w/v:decimals=1:max=9", "z:max=9")}})
	try := func(specs ...string) ([]map[string]string, error) {
		out := b.path("r.csv")
		_, err := decrypt.Run(t.Context(), decrypt.Request{Unfused: true, Options: job.Options{Overwrite: true}, Key: keys.Of(b.key), In: ct, Out: out, Further: stats.Further{Ratios: specs}})
		if err != nil {
			return nil, err
		}
		return b.rows(out), nil
	}
	rows, err := try("p=x/w/v", "q=w/v/z")
	if err != nil || cells(rows, "p") != "2.5 -0.25" || cells(rows, "q") != "0.16666666666666666 ~" {
		t.Errorf("%v, %v", rows, err)
	}
	for spec, want := range map[string]job.Kind{"p": job.Usage, "p=x": job.Usage, "=x/z": job.Usage, "x_sum=x/z": job.Usage, "g=x/z": job.Usage, "p=x/y": job.Refused, "p=y/z": job.Refused} {
		if _, err := try(spec); job.Explain(orNone(err)).Kind != want {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
