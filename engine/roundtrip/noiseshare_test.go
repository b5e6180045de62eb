package roundtrip_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Shares of five owners of whom four are honest: with one silent, the sum still has the noise that the guarantee needs; with
// two, nothing is released.
func TestNoiseShares(t *testing.T) {
	b := newBench(t, paillier.MHL)
	files, universe, _, _ := b.owners(5, noisyRecords)
	const rho = 0.125
	encryptFile := func(file string, rho string, max string) string {
		b.options.Overwrite = true
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max="+max)}, Layout: slots.Blocks, Universe: []string{universe}}
		if rho != "" {
			e.Privacy = privacy.Request{Noise: privacy.NoiseShare, Rho: rho, Records: 1, Owners: 5, Honest: 4}
		}
		return b.encrypt(file, e)
	}
	var tables []string
	for _, file := range files {
		tables = append(tables, encryptFile(file, "0.125", "100"))
	}
	// The plain sums of some owners.
	plain := func(owners ...int) (sums []int64) {
		sums = make([]int64, noisyRecords)
		for _, o := range owners {
			for _, row := range b.rows(files[o]) {
				if row["v"] != "" {
					i, _ := strconv.Atoi(row["id"])
					x := rat(t, row["v"])
					sums[i] += x.Mul(x, big.NewRat(10, 1)).Num().Int64()
				}
			}
		}
		return sums
	}
	required := 2 * 1000. * 1000 / (2 * rho) // σ² for the sum and its count, by the definition of ρ
	for _, owners := range [][]int{{0, 1, 2, 3, 4}, {0, 2, 3, 4}} {
		var in []string
		for _, o := range owners {
			in = append(in, tables[o])
		}
		fused := b.fuse("fused.cf.parquet", fuse.Request{In: in})
		report, err := b.open(fused, "out.csv", privacy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		abs, square := b.errors(b.rows(b.path("out.csv")), "v_sum", plain(owners...), 10)
		within(t, fmt.Sprintf("%d of 5 owners", len(owners)), abs/10, errorOf(t, report.Privacy, "v_sum"))
		// The mean of n squares of Gaussians has the relative deviation √(2/n).
		if least := required * (1 - 5*math.Sqrt(2./noisyRecords)); square < least {
			t.Errorf("%d owners: variance %.5g, and %.5g is required", len(owners), square, required)
		}
		if want := required * float64(len(owners)) / 4; math.Abs(square/want-1) > 0.1 {
			t.Errorf("%d owners: variance %.5g, want %.5g", len(owners), square, want)
		}
		if r := report.Privacy; r.Rho != rho || r.Owners != 5 || r.Honest != 4 || r.Quiet != 0 {
			t.Errorf("%+v", r)
		}
	}
	b.options.Overwrite = true
	three := b.fuse("three.cf.parquet", fuse.Request{In: tables[:3]})
	_, err := b.open(three, "three.csv", privacy.Request{})
	refused(t, err, "the noise of 3 tables, and the promise needs that of 4 honest owners")
	// Regions are fused first and come together later.
	rest := b.fuse("rest.cf.parquet", fuse.Request{In: tables[3:]})
	if _, err := b.open(b.fuse("all.cf.parquet", fuse.Request{In: []string{three, rest}}), "all.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}
	// One total of everything has more noise than it needs.
	wide := privacy.Request{Noise: privacy.NoiseShare, Rho: "0.125", Records: 1, Owners: 2, Honest: 2}
	var pair []string
	for _, file := range files[:2] {
		pair = append(pair, b.encrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max=100")}, Layout: slots.Blocks, Universe: []string{universe}, MaxAdds: 1 << 20, Privacy: wide}))
	}
	total := b.fuse("total.cf.parquet", fuse.Request{In: pair, By: []string{}})
	if r, err := b.open(total, "total.csv", privacy.Request{}); err != nil || r.Privacy.Columns[0].Terms != 2*noisyRecords {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = b.tryFuse("weighted.cf.parquet", fuse.Request{In: tables, Weights: []fuse.Weight{{File: tables[1], Weight: 2}}})
	refused(t, err, "a share of what an unweighted sum needs")
	other := encryptFile(b.write("other.csv", "id,v\n1,2\n"), "0.25", "100")
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: append(slices.Clone(tables), other)})
	refused(t, err, "its noise differs from that of")
}

// A table without a share whose slots fit counts as one of an owner who is not honest.
func TestNoiseSharesOfSome(t *testing.T) {
	b := newBench(t, paillier.MHL)
	universe := b.write("u.csv", "id\n1\n2\n")
	p := privacy.Request{Noise: privacy.NoiseShare, Rho: "8", Records: 1, Counts: privacy.CountsPublic, Owners: 3, Honest: 2}
	var tables []string
	for o := range 3 {
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=1000")}, Universe: []string{universe}, Privacy: p}
		if o == 2 { // without noise, but in slots as wide
			e.Privacy, e.Measures = privacy.Request{}, measures(t, "v:max="+b.inspect(tables[0]).Measures[0].Bound)
		}
		tables = append(tables, b.encrypt(b.write(fmt.Sprintf("o%d.csv", o), "id,v\n1,5\n2,6\n"), e))
	}
	report, err := b.open(b.fuse("all.cf.parquet", fuse.Request{In: tables}), "out.csv", privacy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Privacy; r.Quiet != 1 || r.Honest != 2 {
		t.Errorf("%+v", r)
	}
	_, err = b.open(b.fuse("two.cf.parquet", fuse.Request{In: tables[1:]}), "two.csv", privacy.Request{})
	refused(t, err, "the noise of 1 table")
}

// A share that is added twice is one share under twice the data: a copy of a table, or of a part of it, does not stand for
// another owner, nor does a table that a fused one has already.
func TestNoiseSharesCountOnce(t *testing.T) {
	b := newBench(t, paillier.MHL)
	universe := b.write("u.csv", "id\n1\n2\n")
	p := privacy.Request{Noise: privacy.NoiseShare, Rho: "8", Records: 1, Owners: 3, Honest: 2}
	encrypt := func(name string, o privacy.Request, rowsPerFile int64) string {
		return b.encrypt(b.write(name, "id,v\n1,5\n2,6\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}, Universe: []string{universe}, Privacy: o, RowsPerFile: rowsPerFile})
	}
	first, second := encrypt("a.csv", p, 0), encrypt("b.csv", p, 0)
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	again := b.write("copy.cf.parquet", string(data))
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: []string{first, again}})
	refused(t, err, "copy.cf.parquet: table "+b.inspect(first).TableID[:8]+" is in it and in "+first+" too")

	both := b.fuse("both.cf.parquet", fuse.Request{In: []string{first, second}})
	if shares := b.inspect(both).Noise.Shares; len(shares) != 2 || shares[0] == shares[1] {
		t.Errorf("shares of %q", shares)
	}
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: []string{both, again}})
	refused(t, err, "both.cf.parquet too")
	if _, err := b.open(both, "both.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}

	parts := encrypt("c.csv", p, 1)
	files, err := filepath.Glob(filepath.Join(parts, "*.parquet"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: files})
	refused(t, err, "it is part 1 of a table with shares of noise")
	if got := b.inspect(b.fuse("three.cf.parquet", fuse.Request{In: []string{both, parts}})).Noise; len(got.Shares) != 3 || got.Quantities[0].Tables != 3 {
		t.Errorf("%+v", got)
	}
	local := p
	local.Noise, local.Owners, local.Honest = privacy.NoiseLocal, 0, 0
	one := encrypt("d.csv", local, 0) // every table is private by itself, however often it is added
	if got := b.inspect(b.fuse("twice.cf.parquet", fuse.Request{In: []string{one}})).Noise; got.Shares != nil {
		t.Errorf("%+v", got)
	}
}

// Shares for groups: each group of a public list gets one share of every owner, however many records it has, and none.
func TestNoiseGroups(t *testing.T) {
	b := newBench(t, paillier.MHL)
	const groups = 4000
	list := [][]string{{"ward", "sex"}}
	for i := range groups / 2 {
		list = append(list, []string{strconv.Itoa(i), "f"}, []string{strconv.Itoa(i), "m"})
	}
	wards := b.table("wards.csv", list)
	p := privacy.Request{Noise: privacy.NoiseShare, Rho: "0.5", Records: 2, Counts: privacy.CountsPublic, Owners: 3, Honest: 3, Groups: []string{wards}}
	r := rand.New(rand.NewPCG(1, 2))
	want, n := map[string]int64{}, map[string]int64{}
	var tables []string
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"ward", "sex"}, Measures: measures(t, "HR:max=200")}, Privacy: p}
	for o := range 3 {
		rows := [][]string{{"ward", "sex", "HR"}}
		for range 500 {
			ward, sex, v := strconv.Itoa(r.IntN(groups/2)), string("fm"[r.IntN(2)]), 40+r.Int64N(100)
			rows = append(rows, []string{ward, sex, strconv.FormatInt(v, 10)})
			want[ward+sex] += v
			n[ward+sex]++
		}
		out, report, err := b.tryEncrypt(b.table(fmt.Sprintf("o%d.csv", o), rows), e)
		if err != nil {
			t.Fatal(err)
		}
		if report.Records != groups+500 || report.Missing["HR"] != 0 {
			t.Errorf("%d records, %v missing", report.Records, report.Missing)
		}
		tables = append(tables, out)
	}
	fused := b.fuse("fused.cf.parquet", fuse.Request{In: tables})
	report, err := b.open(fused, "out.csv", privacy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	rows := b.rows(b.path("out.csv"))
	if len(rows) != groups {
		t.Fatalf("%d groups", len(rows))
	}
	abs, square := 0.0, 0.0
	for _, row := range rows {
		key := row["ward"] + row["sex"]
		got, _ := strconv.ParseInt(row["HR_sum"], 10, 64)
		d := float64(got - want[key])
		abs += math.Abs(d) / groups
		square += d * d / groups
		if row["HR_count"] != strconv.FormatInt(n[key], 10) {
			t.Fatalf("group %s has the count %s, not %d", key, row["HR_count"], n[key])
		}
	}
	within(t, "groups", abs, errorOf(t, report.Privacy, "HR_sum"))
	if required := 4 * 200 * 200 / (2 * 0.5); math.Abs(square/required-1) > 0.15 {
		t.Errorf("variance %.5g, want %.5g", square, required)
	}
	coarse, err := b.open(b.fuse("coarse.cf.parquet", fuse.Request{In: tables, By: []string{"sex"}}), "coarse.csv", privacy.Request{})
	if err != nil || !coarse.Privacy.Columns[0].AtLeast {
		t.Errorf("%+v, %v", coarse, err)
	}

	bad := func(text, groups string, want ...string) {
		t.Helper()
		b.options.Overwrite = true
		x := e
		x.Privacy.Groups = []string{b.write("groups.csv", groups)}
		_, _, err := b.tryEncrypt(b.write("bad.csv", text), x)
		refused(t, err, want...)
	}
	bad("ward,sex,HR\n1,f,60\n7,x,61\n", "ward,sex\n1,f\n", "is not in the list of ‹noise_groups›", `7, x`)
	bad("ward,sex,HR\n1,f,60\n", "ward,sex\n1,f\n1,f\n", "comes twice", `1, f`)
	bad("ward,sex,HR\n1,f,60\n", "ward,gender\n1,f\n", "sex")
}
