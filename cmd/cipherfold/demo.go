package main

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// demo is one run of the demonstration.
type demo struct {
	*app
	ctx           context.Context
	dir           string
	rows          int
	variant       string
	bits          int
	key           *paillier.SecretKey
	public, owner keys.Key
	plain         map[string]*pairSums // per ward
	alleles       []alleleSum          // per variant
	result        demoResult
}

// demoResult is what --json prints.
type demoResult struct {
	OK            bool       `json:"ok"`
	Kernel        string     `json:"kernel"`
	Steps         []demoStep `json:"steps"`
	Wards         []demoWard `json:"wards"`
	Variants      int        `json:"variants"`
	VariantsEqual int        `json:"variants_equal"`
	Saw           []demoSaw  `json:"saw"`
	Verdict       string     `json:"verdict"`
}

type demoStep struct {
	Step    string  `json:"step"`
	Who     string  `json:"who"`
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"`
	Values  int64   `json:"values"`
}

type demoWard struct {
	Ward       string `json:"ward"`
	HR, SysABP demoMean
	Cor        float64 `json:"correlation"`
	Equal      bool    `json:"equal"`
}

type demoMean struct {
	N         int64   `json:"n"`
	Mean, Var float64 `json:"-"`
}

type demoSaw struct {
	Who  string `json:"who"`
	What string `json:"what"`
}

// pairSums are the plain sums of tenths for one ward: of each measure where it is present, and of both where both are.
type pairSums struct {
	records        int64
	n, sum, square [2]int64
	pairs          int64
	x, y           int64
	xx, yy, xy     int64
}

type alleleSum struct{ n, sum int64 }

var hospitals = []string{"north", "south", "west"}

var wards = []string{"cardiology", "intensive care", "neurology", "surgery"}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) run() error {
	steps := []func() error{d.makeKey, d.makeData, d.vitals, d.checkVitals, d.variants, d.checkVariants}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	equal := d.result.VariantsEqual == d.result.Variants
	for _, w := range d.result.Wards {
		equal = equal && w.Equal
	}
	d.result.OK = equal
	d.result.Saw = []demoSaw{
		{"each owner", "its own records, and the public key"},
		{"aggregator", fmt.Sprintf("record ids, wards, row counts and ciphertexts of %d bits; no value, no count of missing values, no key", 2*d.bits)},
		{"key holder", "sums, counts and what follows from them, for each ward and variant; one hospital's own number only where no other has any"},
	}
	if !equal {
		return errors.New("results differ from the plain computation; this is a bug")
	}
	d.result.Verdict = "Every decrypted number equals the plain computation."
	return nil
}

func (d *demo) step(step, who, what string, start time.Time, values int64) {
	d.result.Steps = append(d.result.Steps, demoStep{step, who, what, time.Since(start).Seconds(), values})
}

func (d *demo) makeKey() error {
	start := time.Now()
	variant, err := paillier.ParseVariant(d.variant)
	if err != nil {
		return err
	}
	if d.key, err = paillier.GenerateKey(d.ctx, rand.Reader, variant, d.bits, false); err != nil {
		return err
	}
	if _, _, err := keys.Write(d.ctx, d.options(true), d.dir, d.key, nil); err != nil {
		return err
	}
	d.public, d.owner = keys.Of(d.key.Public()), keys.Of(d.key)
	d.step("keygen", "key holder", fmt.Sprintf("%s, %d bits", d.variant, d.bits), start, 0)
	return nil
}

// makeData writes the hospitals' tables and sums them up in the clear. The numbers are the same in every run.
func (d *demo) makeData() error {
	r := mathrand.New(mathrand.NewPCG(2024, 57))
	d.plain = map[string]*pairSums{}
	for _, w := range wards {
		d.plain[w] = &pairSums{}
	}
	variants := 4 * d.rows
	d.alleles = make([]alleleSum, variants)
	reference := [][]string{{"variant"}}
	for v := range variants {
		reference = append(reference, []string{variantName(v)})
	}
	if err := writeCSV(d.path("reference.csv"), reference); err != nil {
		return err
	}
	for h, name := range hospitals {
		vitals := [][]string{{"patient", "ward", "HR", "SysABP"}}
		for p := range d.rows {
			ward := wards[r.IntN(len(wards))]
			hr := int64(math.Round(10 * (80 + 12*r.NormFloat64())))
			abp := int64(math.Round(10*(120+15*r.NormFloat64()))) - (hr-800)/3
			row := []string{fmt.Sprintf("%s-%04d", name, p), ward, tenths(hr), tenths(abp)}
			// every hospital misses other values
			hasHR, hasABP := r.IntN(10+3*h) != 0, r.IntN(6+2*h) != 0
			if !hasHR {
				row[2] = ""
			}
			if !hasABP {
				row[3] = "NA"
			}
			d.plain[ward].add(hr, abp, hasHR, hasABP)
			vitals = append(vitals, row)
		}
		if err := writeCSV(d.path(name+"-vitals.csv"), vitals); err != nil {
			return err
		}
		counts := [][]string{{"variant", "AC"}}
		for v := range variants {
			if r.IntN(5) == h { // a variant that this hospital has not typed
				continue
			}
			ac := int64(r.IntN(40))
			d.alleles[v].n++
			d.alleles[v].sum += ac
			counts = append(counts, []string{variantName(v), strconv.FormatInt(ac, 10)})
		}
		if err := writeCSV(d.path(name+"-variants.csv"), counts); err != nil {
			return err
		}
	}
	return nil
}

func variantName(v int) string { return fmt.Sprintf("22:%d:A:G", 16050075+31*v) }

func tenths(v int64) string { return strconv.FormatFloat(float64(v)/10, 'f', 1, 64) }

func (s *pairSums) add(x, y int64, hasX, hasY bool) {
	s.records++
	for i, v := range []int64{x, y} {
		if []bool{hasX, hasY}[i] {
			s.n[i]++
			s.sum[i] += v
			s.square[i] += v * v
		}
	}
	if hasX && hasY {
		s.pairs++
		s.x, s.y = s.x+x, s.y+y
		s.xx, s.yy, s.xy = s.xx+x*x, s.yy+y*y, s.xy+x*y
	}
}

// vitals runs the records layout: encrypt with squares and a product, fuse by ward, decrypt.
func (d *demo) vitals() error {
	var files []string
	for _, name := range hospitals {
		start := time.Now()
		out := d.path(name + "-vitals.cf.parquet")
		report, err := encrypt.Run(d.ctx, encrypt.Request{
			Options: d.options(true), Key: d.public, Spec: dataset.Spec{In: []string{d.path(name + "-vitals.csv")}, IDs: []string{"ward", "patient"}, Measures: []slots.Measure{{Name: "HR", Decimals: 1, Bound: 4000}, {Name: "SysABP", Decimals: 1, Bound: 4000}}, Squares: []string{"HR", "SysABP"}, Products: []string{"HR*SysABP"}}, Out: out, Layout: slots.Records, Source: name, TableCache: keys.CacheOff,
		})
		if err != nil {
			return err
		}
		d.result.Kernel = report.Kernel
		d.step("encrypt", name, fmt.Sprintf("%d records, %d ciphertexts", report.Records, report.Ciphertexts), start, report.Values)
		files = append(files, out)
	}
	start := time.Now()
	report, err := fuse.Run(d.ctx, fuse.Request{Options: d.options(true), In: files, Out: d.path("vitals.cf.parquet"), By: []string{"ward"}, MinGroup: 5})
	if err != nil {
		return err
	}
	d.step("fuse", "aggregator", fmt.Sprintf("%d ciphertexts into %d wards", report.Ciphertexts, report.Records), start, 2*int64(len(hospitals)*d.rows))
	return d.decrypt("vitals")
}

func (d *demo) decrypt(name string) error {
	start := time.Now()
	o := d.options(true)
	o.Log = nil // of sums of one value: these people are made up
	report, err := decrypt.Run(d.ctx, decrypt.Request{Options: o, Key: d.owner, In: d.path(name + ".cf.parquet"), Out: d.path(name + "-sums.csv")})
	if err != nil {
		return err
	}
	d.step("decrypt", "key holder", fmt.Sprintf("%d records, %d ciphertexts", report.Records, report.Ciphertexts), start, report.Values)
	return nil
}

// variants runs the blocks layout: encrypt against a common reference list with the owner's key at one hospital and the
// public key at the others, fuse block by block, decrypt.
func (d *demo) variants() error {
	var files []string
	for i, name := range hospitals {
		start := time.Now()
		out := d.path(name + "-variants.cf.parquet")
		key := d.public
		if i == 0 {
			key = d.owner
		}
		report, err := encrypt.Run(d.ctx, encrypt.Request{
			Options: d.options(true), Key: key, Spec: dataset.Spec{In: []string{d.path(name + "-variants.csv")}, IDs: []string{"variant"}, Measures: []slots.Measure{{Name: "AC", Bound: 10000}}}, Out: out, Layout: slots.Blocks, Universe: []string{d.path("reference.csv")}, Source: name, TableCache: keys.CacheOff,
		})
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d variants, %d ciphertexts", report.Records, report.Ciphertexts)
		if i == 0 {
			what += ", with the owner's key"
		}
		d.step("encrypt", name, what, start, report.Values)
		files = append(files, out)
	}
	start := time.Now()
	report, err := fuse.Run(d.ctx, fuse.Request{Options: d.options(true), In: files, Out: d.path("variants.cf.parquet")})
	if err != nil {
		return err
	}
	d.step("fuse", "aggregator", fmt.Sprintf("%d ciphertexts, %d variants", report.Ciphertexts, report.Records), start, int64(len(hospitals)*len(d.alleles)))
	return d.decrypt("variants")
}

// checkVitals compares the decrypted table with the plain sums. The expected quotients are of integers below 2^53, so one
// division in floating point is the correctly rounded result that decrypt promises: they must agree to the last digit.
func (d *demo) checkVitals() error {
	rows, at, err := readCSV(d.path("vitals-sums.csv"))
	if err != nil {
		return err
	}
	if len(rows) != len(d.plain) {
		return fmt.Errorf("%d wards came back, there are %d", len(rows), len(d.plain))
	}
	for _, row := range rows {
		p := d.plain[row[at["ward"]]]
		if p == nil {
			return fmt.Errorf("ward %q came back, which no hospital has", row[at["ward"]])
		}
		w := demoWard{Ward: row[at["ward"]], Equal: true}
		number := func(column string) float64 {
			v, err := strconv.ParseFloat(row[at[column]], 64)
			w.Equal = w.Equal && err == nil
			return v
		}
		expect := func(column string, want float64) float64 {
			got := number(column)
			w.Equal = w.Equal && got == want
			return got
		}
		for i, name := range []string{"HR", "SysABP"} {
			n, sum, square := float64(p.n[i]), float64(p.sum[i]), p.n[i]*p.square[i]-p.sum[i]*p.sum[i]
			m := demoMean{N: p.n[i]}
			w.Equal = w.Equal && row[at[name+"_sum"]] == tenths(p.sum[i]) && row[at[name+"_count"]] == strconv.FormatInt(p.n[i], 10)
			m.Mean = expect(name+"_mean", sum/(n*10))
			m.Var = expect(name+"_var", float64(square)/(n*(n-1)*100))
			if i == 0 {
				w.HR = m
			} else {
				w.SysABP = m
			}
		}
		cross, n := p.pairs*p.xy-p.x*p.y, float64(p.pairs)
		expect("HR_SysABP_cov", float64(cross)/(n*(n-1)*100))
		w.Cor = number("HR_SysABP_cor")
		want := float64(cross) / (math.Sqrt(float64(p.pairs*p.xx-p.x*p.x)) * math.Sqrt(float64(p.pairs*p.yy-p.y*p.y)))
		w.Equal = w.Equal && math.Abs(w.Cor-want) < 1e-14
		d.result.Wards = append(d.result.Wards, w)
	}
	return nil
}

func (d *demo) checkVariants() error {
	rows, at, err := readCSV(d.path("variants-sums.csv"))
	if err != nil {
		return err
	}
	d.result.Variants = len(d.alleles)
	for v, row := range rows {
		if v < len(d.alleles) && row[at["variant"]] == variantName(v) &&
			row[at["AC_sum"]] == strconv.FormatInt(d.alleles[v].sum, 10) && row[at["AC_count"]] == strconv.FormatInt(d.alleles[v].n, 10) {
			d.result.VariantsEqual++
		}
	}
	return nil
}

func writeCSV(name string, rows [][]string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(rows); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// readCSV returns the rows of a file and where each column is.
func readCSV(name string) ([][]string, map[string]int, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	at := map[string]int{}
	for i, column := range rows[0] {
		at[column] = i
	}
	return rows[1:], at, nil
}
