package roundtrip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/parquet-go/parquet-go"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/noise"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// noisyRecords is enough of them for a mean |error| to be within 5% of its expectation, but for six standard deviations.
const noisyRecords = 10_000

// owners write tables of the same ids with values 0.0 to 100.0, some of them missing, and a list of the ids. They return the
// plain sums and counts, in tenths.
func (b *bench) owners(n, records int) (files []string, universe string, sums, counts []int64) {
	b.Helper()
	sums, counts = make([]int64, records), make([]int64, records)
	ids := [][]string{{"id"}}
	for i := range records {
		ids = append(ids, []string{strconv.Itoa(i)})
	}
	universe = b.table("universe.csv", ids)
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for o := range n {
		rows := [][]string{{"id", "v"}}
		for i := range records {
			v := r.Int64N(1001)
			switch r.IntN(10) {
			case 0:
				continue
			case 1:
				rows = append(rows, []string{strconv.Itoa(i), ""})
				continue
			}
			rows = append(rows, []string{strconv.Itoa(i), fmt.Sprintf("%d.%d", v/10, v%10)})
			sums[i] += v
			counts[i]++
		}
		files = append(files, b.table(fmt.Sprintf("owner%d.csv", o), rows))
	}
	return files, universe, sums, counts
}

// errors returns the mean |error| and the mean squared error of a column of a result, in tenths for sums.
func (b *bench) errors(rows []map[string]string, name string, want []int64, unit int64) (abs, square float64) {
	b.Helper()
	if len(rows) != len(want) {
		b.Fatalf("%d rows, not %d", len(rows), len(want))
	}
	for i, row := range rows {
		x := rat(b, row[name])
		x.Mul(x, big.NewRat(unit, 1))
		d, _ := x.Sub(x, big.NewRat(want[i], 1)).Float64()
		abs += math.Abs(d) / float64(len(rows))
		square += d * d / float64(len(rows))
	}
	return abs, square
}

// within compares a measured mean error with the stated one: 5%.
func within(t testing.TB, what string, got, stated float64) {
	t.Helper()
	if math.Abs(got/stated-1) > 0.05 {
		t.Errorf("%s: mean |error| %.5g, stated %.5g", what, got, stated)
	} else {
		t.Logf("%s: mean |error| %.5g, stated %.5g", what, got, stated)
	}
}

// errorOf is the stated error of a column.
func errorOf(t testing.TB, r *job.PrivacyReport, name string) float64 {
	t.Helper()
	if r == nil {
		t.Fatal("no report of the noise")
	}
	i := slices.IndexFunc(r.Columns, func(c job.NoisyColumn) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no noise on %s: %+v", name, r)
	}
	return r.Columns[i].MeanError
}

// open decrypts a table to a file and reports.
func (b *bench) open(in, out string, p privacy.Request) (*job.Report, error) {
	o := b.options
	o.Overwrite = true
	return decrypt.Run(context.Background(), decrypt.Request{Unfused: true, Options: o, Key: keys.Of(b.key), In: in, Out: b.path(out), Privacy: p})
}

// At release: each released number has noise of the stated error, under the guarantee beside it, and is charged. Other
// numbers are exact.
func TestNoiseAtRelease(t *testing.T) {
	b := newBench(t, paillier.MHL)
	files, universe, sums, counts := b.owners(2, noisyRecords)
	var tables []string
	for _, file := range files {
		tables = append(tables, b.encrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max=100")}, Layout: slots.Blocks, Universe: []string{universe}}))
	}
	fused := b.fuse("fused.cf.parquet", fuse.Request{In: tables})
	for name, c := range map[string]struct {
		p         privacy.Request
		mechanism string
		public    bool
	}{
		"gaussian": {privacy.Request{Epsilon: "1", Delta: "1e-6", Records: 1}, "discrete-gaussian", false},
		"laplace":  {privacy.Request{Epsilon: "1/2", Records: 2}, "discrete-laplace", false},
		"public":   {privacy.Request{Rho: "0.25", Records: 1, Counts: privacy.CountsPublic}, "discrete-gaussian", true},
		"part":     {privacy.Request{Rho: "8", Records: 3, Sensitivity: []string{"v=2.5"}}, "discrete-gaussian", false},
	} {
		p := c.p
		p.Noise, p.Budget = privacy.NoiseRelease, b.budget("100", "", "")
		report, err := b.open(fused, name+".csv", p)
		if err != nil {
			t.Fatal(err)
		}
		r := report.Privacy
		rows := b.rows(b.path(name + ".csv"))
		abs, square := b.errors(rows, "v_sum", sums, 10)
		within(t, name+" sums", abs/10, errorOf(t, r, "v_sum"))
		if c.public {
			if abs, _ := b.errors(rows, "v_count", counts, 1); abs != 0 || !slices.Equal(r.Public, []string{"v_count"}) || len(r.Columns) != 1 {
				t.Errorf("%s: public counts have the error %v, report %+v", name, abs, r)
			}
		} else {
			abs, _ := b.errors(rows, "v_count", counts, 1)
			within(t, name+" counts", abs, errorOf(t, r, "v_count"))
		}
		if r.Mechanism != c.mechanism || r.Place != privacy.NoiseRelease || r.Records != p.Records || r.Guarantee == "" {
			t.Errorf("%s: %+v", name, r)
		}
		// What the noise must be, from the definition: Gaussian σ² = parts·(K·D)²/(2ρ), Laplace b = parts·K·D/ε.
		var want float64
		switch name {
		case "gaussian":
			want = 2 * 1000 * 1000 / (2 * r.Rho)
		case "laplace":
			scale := 2 * 2 * 1000 / 0.5
			want = 2 * scale * scale
		case "public":
			want = 1000 * 1000 / (2 * 0.25)
		case "part":
			want = 2 * 9 * 25 * 25 / (2 * 8.)
		}
		if math.Abs(square/want-1) > 0.1 {
			t.Errorf("%s: variance %.5g, want %.5g", name, square, want)
		}
		if r.Budget == nil || r.Budget.Releases != 1 {
			t.Errorf("%s: %+v", name, r.Budget)
		}
		x, _ := b.state(p.Budget)
		if e := x.Spent[0]; e.Place != privacy.NoiseRelease || e.Mechanism != c.mechanism || e.Out != b.path(name+".csv") || len(e.SHA256) != 64 || e.Key != b.key.Public().Fingerprint() || e.Records != p.Records {
			t.Errorf("%s: %+v", name, e)
		}
	}
	plain := b.decrypt(fused)
	if abs, _ := b.errors(plain, "v_sum", sums, 10); abs != 0 {
		t.Errorf("without noise, the mean |error| is %v", abs)
	}
}

// The output says beside its numbers what noise they have.
func TestNoiseInMetadata(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n2,4\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	budget := b.budget("", "4", "")
	for _, name := range []string{"out.parquet", "out.arrow"} {
		report, err := b.open(in, name, privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "2", Records: 1, Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		var text string
		if strings.HasSuffix(name, ".parquet") {
			data, err := os.ReadFile(b.path(name))
			if err != nil {
				t.Fatal(err)
			}
			f, err := parquet.OpenFile(strings.NewReader(string(data)), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			text, _ = f.Lookup(privacy.PrivacyMetadata)
		} else {
			f, err := os.Open(b.path(name))
			if err != nil {
				t.Fatal(err)
			}
			r, err := ipc.NewFileReader(f)
			if err != nil {
				t.Fatal(err)
			}
			meta := r.Schema().Metadata()
			if i := meta.FindKey(privacy.PrivacyMetadata); i >= 0 {
				text = meta.Values()[i]
			}
			r.Close()
			f.Close()
		}
		var got job.PrivacyReport
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: metadata %q: %v", name, text, err)
		}
		report.Privacy.Budget = nil
		if fmt.Sprint(got) != fmt.Sprint(*report.Privacy) || got.Guarantee != "ε = 2" || got.Epsilon != 2 || got.Delta != 0 {
			t.Errorf("%s: %+v, reported %+v", name, got, report.Privacy)
		}
	}
	if _, s := b.state(budget); s.Epsilon != "4" || s.Share != 1 {
		t.Errorf("%+v", s)
	}
	// The budget is spent: nothing is written, and nothing charged.
	_, err := b.open(in, "third.csv", privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "1e-3", Records: 1, Budget: budget})
	refused(t, err, "the budget is spent")
	if slices.Contains(b.files(), "third.csv") {
		t.Error("there is an output")
	}
	if x, _ := b.state(budget); len(x.Spent) != 2 {
		t.Errorf("%d releases", len(x.Spent))
	}
}

// Local: every record has noise, also a missing one, and the sum that of all of them.
func TestNoiseLocal(t *testing.T) {
	b := newBench(t, paillier.MHL)
	files, universe, sums, counts := b.owners(3, noisyRecords)
	encrypt := func(file string, p privacy.Request) (string, *job.Report, error) {
		return b.tryEncrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max=100")}, Layout: slots.Blocks, Universe: []string{universe}, Privacy: p})
	}
	for _, p := range []privacy.Request{{Noise: privacy.NoiseLocal, Rho: "0.5", Records: 1}, {Noise: privacy.NoiseLocal, Epsilon: "3", Records: 2}} {
		b.options.Overwrite = true
		var tables []string
		for _, file := range files {
			out, report, err := encrypt(file, p)
			if err != nil {
				t.Fatal(err)
			}
			tables = append(tables, out)
			want := 2 * 1000 / math.Sqrt(2*0.5) * math.Sqrt2 * math.Sqrt(2/math.Pi) / 10 // σ = √parts·2B/√(2ρ)
			if p.Epsilon != "" {
				want = 2. * 2 * 2 * 1000 / 3 / 10 // parts·K·2B/ε
			}
			if got := errorOf(t, report.Privacy, "v_sum"); math.Abs(got/want-1) > 1e-3 {
				t.Errorf("%+v: stated error %v, want %v", p, got, want)
			}
		}
		fused := b.fuse("fused.cf.parquet", fuse.Request{In: tables})
		report, err := b.open(fused, "out.csv", privacy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		rows := b.rows(b.path("out.csv"))
		abs, _ := b.errors(rows, "v_sum", sums, 10)
		within(t, "sums of three", abs/10, errorOf(t, report.Privacy, "v_sum"))
		abs, _ = b.errors(rows, "v_count", counts, 1)
		within(t, "counts of three", abs, errorOf(t, report.Privacy, "v_count"))
		// One owner's table is as noisy record by record, whatever is in it.
		one, err := b.open(tables[0], "one.csv", privacy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		exact := 0
		for _, row := range b.rows(b.path("one.csv")) {
			if row["v_sum"] == "0.0" && row["v_count"] == "0" {
				exact++
			}
		}
		if exact > noisyRecords/100 {
			t.Errorf("%d records came out as missing", exact)
		}
		if errorOf(t, one.Privacy, "v_sum") >= errorOf(t, report.Privacy, "v_sum") {
			t.Error("a sum of three is as exact as one")
		}
		// Weights are post-processing: a larger error, the same guarantee.
		weighted := b.fuse("weighted.cf.parquet", fuse.Request{In: tables, Weights: []fuse.Weight{{File: tables[0], Weight: 3}}})
		r, err := b.open(weighted, "weighted.csv", privacy.Request{})
		if err != nil || r.Privacy.Guarantee != report.Privacy.Guarantee || errorOf(t, r.Privacy, "v_sum") <= errorOf(t, report.Privacy, "v_sum") {
			t.Errorf("%+v, %v", r, err)
		}
	}
	b.options.Overwrite = true
	quiet, _, err := encrypt(files[0], privacy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	noisy, _, err := encrypt(files[1], privacy.Request{Noise: privacy.NoiseLocal, Rho: "0.5", Records: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.tryFuse("mixed.cf.parquet", fuse.Request{In: []string{noisy, quiet}})
	refused(t, err, "it has no noise")
	_, err = b.open(noisy, "twice.csv", privacy.Request{Noise: privacy.NoiseRelease, Rho: "1", Records: 1, Budget: b.budget("1", "", "")})
	refused(t, err, "added noise already")
}

// A weight makes what one person changes larger, and so the noise at release.
func TestNoiseOfWeights(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}}
	one, two := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), e), b.encrypt(b.write("c.csv", "id,v\n1,4\n"), e)
	p := privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "1", Records: 1, Budget: b.budget("100", "", "")}
	plain := b.fuse("plain.cf.parquet", fuse.Request{In: []string{one, two}})
	weighted := b.fuse("weighted.cf.parquet", fuse.Request{In: []string{one, two}, Weights: []fuse.Weight{{File: one, Weight: -3}}})
	again := b.fuse("again.cf.parquet", fuse.Request{In: []string{weighted}, Weights: []fuse.Weight{{File: weighted, Weight: 2}}})
	for file, factor := range map[string]float64{plain: 1, weighted: 3, again: 6} {
		report, err := b.open(file, "out.csv", p)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Privacy.Columns[0].Parameter; got != factor*2*10 {
			t.Errorf("weight %v: scale %v", factor, got)
		}
	}
}

// Parts of a job with noise: encryption in parts has the same noise. A result that is charged to a budget is one part, which
// is not there before it is charged.
func TestNoiseInParts(t *testing.T) {
	b := newBench(t, paillier.MHL)
	files, universe, sums, _ := b.owners(1, noisyRecords)
	e := encrypt.Request{Options: b.options, Key: keys.Of(b.key.Public()), Spec: dataset.Spec{In: files, IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max=100")}, Out: b.path("a.cf.parquet"), Layout: slots.Blocks, Universe: []string{universe}, Privacy: privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "10", Records: 1}}
	b.encryptInParts(e, 50)
	report, err := b.open(e.Out, "local.csv", privacy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	abs, _ := b.errors(b.rows(b.path("local.csv")), "v_sum", sums, 10)
	within(t, "local, in parts", abs/10, errorOf(t, report.Privacy, "v_sum"))

	e.Privacy, e.Out = privacy.Request{}, b.path("plain.cf.parquet")
	b.encryptInParts(e, 50)
	budget := b.budget("1", "", "")
	d := decrypt.Request{Unfused: true, Options: b.options, Key: keys.Of(b.key), In: e.Out, Out: b.path("parts.csv"), Privacy: privacy.Request{Noise: privacy.NoiseRelease, Rho: "1", Records: 1, Budget: budget}}
	ctx := context.Background()
	survey, err := decrypt.Survey(ctx, d)
	if err != nil || !survey.Whole {
		t.Fatalf("%+v, %v", survey, err)
	}
	none := func(job.Range, *job.Report) error { return nil }
	part := b.path("part.parquet")
	for _, r := range [][]job.Range{ranges(survey.Rows, 40), {{From: 0, To: survey.Rows - 1}}, {{From: 1, To: survey.Rows}}} {
		err := decrypt.Parts(ctx, d, r, func(job.Range) string { return part }, none)
		if f := job.Explain(err); f.Kind != job.Usage || !strings.Contains(f.Message, "cannot be added in parts") {
			t.Errorf("%v: %+v", r, f)
		}
	}
	if x, _ := b.state(budget); len(x.Spent) != 0 {
		t.Errorf("%+v", x.Spent)
	}
	b.decryptInParts(d, survey.Rows)
	abs, _ = b.errors(b.rows(d.Out), "v_sum", sums, 10)
	within(t, "release, as one part", abs/10, 1000*math.Sqrt(2/math.Pi)/10)
	if x, s := b.state(budget); len(x.Spent) != 1 || s.Share != 1 {
		t.Errorf("%+v", s)
	}
	err = decrypt.Parts(ctx, d, ranges(survey.Rows, survey.Rows), func(job.Range) string { return part }, none)
	refused(t, err, "the budget is spent")
	if _, err := os.Stat(part); !os.IsNotExist(err) {
		t.Error("a part that was not charged is there")
	}

	e.Privacy = privacy.Request{Noise: privacy.NoiseLocal, Rho: "1", Records: 1, Budget: budget}
	if _, err := encrypt.Survey(ctx, e); err == nil || !strings.Contains(err.Error(), "cannot be charged for parts") {
		t.Error(err)
	}
}

// Noise makes slots wider before anything is encrypted, and what does not fit is refused then.
func TestNoiseHeadroom(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.write("a.csv", "id,v\n1,3\n2,4\n")
	lay := func(p privacy.Request, spec string, squares ...string) (*ctfile.Table, error) {
		b.options.Overwrite = true
		out, _, err := b.tryEncrypt(in, encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, spec), Squares: squares}, Privacy: p})
		if err != nil {
			return nil, err
		}
		return b.inspect(out), nil
	}
	quiet, err := lay(privacy.Request{}, "v:max=1000")
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := lay(privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "1", Records: 1}, "v:max=1000")
	if err != nil {
		t.Fatal(err)
	}
	tail, _ := new(big.Int).SetString(noisy.Noise.Quantities[0].Tail, 10)
	bound, _ := new(big.Int).SetString(noisy.Measures[0].Bound, 10)
	if bound.Sub(bound, tail).Int64() != 1000 || noisy.Measures[0].Width <= quiet.Measures[0].Width {
		t.Errorf("bound %s, tail %s, slots of %d bits, without noise %d", noisy.Measures[0].Bound, tail, noisy.Measures[0].Width, quiet.Measures[0].Width)
	}
	// 105·ln 2 scales of 2·2·1000 hold 2^-104.
	if scale := int64(4000); tail.Int64() < 72*scale || tail.Int64() > 74*scale {
		t.Errorf("tail %s", tail)
	}
	_, err = lay(privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "1e-9", Records: 1}, "v:max=1000000000000")
	refused(t, err, "the noise is too large")
	_, err = lay(privacy.Request{Noise: privacy.NoiseLocal, Rho: "1e-12", Records: 1}, "v:max=1000000000", "v")
	refused(t, err, `measure "v*v": the noise is too large`)
}

// Requests that would not keep their promise are refused before anything is read.
func TestNoiseMistakes(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.write("a.csv", "id,v,w\n1,3,5\n2,4,\n")
	universe := b.write("u.csv", "id\n1\n2\n")
	local := privacy.Request{Noise: privacy.NoiseLocal, Rho: "1", Records: 1}
	share := privacy.Request{Noise: privacy.NoiseShare, Rho: "1", Records: 1, Owners: 3, Honest: 2}
	with := func(p privacy.Request, change func(*privacy.Request)) privacy.Request {
		change(&p)
		return p
	}
	check := func(want string, p privacy.Request, change func(e *encrypt.Request)) {
		t.Helper()
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}, Universe: []string{universe}, Privacy: p}
		if change != nil {
			change(&e)
		}
		before := len(b.files())
		_, _, err := b.tryEncrypt(in, e)
		var u *job.UsageError
		if !errors.As(err, &u) || !strings.Contains(err.Error(), want) || u.Hint == "" {
			t.Errorf("want a usage error about %q, got %v", want, err)
		}
		if len(b.files()) != before {
			t.Errorf("%q leaves files: %q", want, b.files())
		}
	}
	set := func(p privacy.Request, change func(*privacy.Request), want string) {
		t.Helper()
		check(want, with(p, change), nil)
	}
	set(privacy.Request{}, func(p *privacy.Request) { p.Epsilon = "1" }, "‹epsilon› without ‹noise›")
	set(privacy.Request{}, func(p *privacy.Request) { p.Budget = "b.json" }, "‹budget› without ‹noise›")
	set(local, func(p *privacy.Request) { p.Noise = privacy.NoiseRelease }, "‹noise› release")
	set(local, func(p *privacy.Request) { p.Rho = "" }, "without a guarantee")
	set(local, func(p *privacy.Request) { p.Epsilon = "1" }, "together")
	set(local, func(p *privacy.Request) { p.Rho = "0" }, "‹rho› 0")
	set(local, func(p *privacy.Request) { p.Rho = "much" }, "‹rho› much")
	set(local, func(p *privacy.Request) { p.Delta = "1" }, "‹delta› 1 is not below 1")
	set(local, func(p *privacy.Request) { p.Records = 0 }, "without ‹person_records›")
	set(local, func(p *privacy.Request) { p.Records = -1 }, "‹person_records› -1")
	set(local, func(p *privacy.Request) { p.Counts = "hidden" }, "unknown ‹counts› hidden")
	set(local, func(p *privacy.Request) { p.Owners = 3 }, "with ‹noise› local")
	set(local, func(p *privacy.Request) { p.Sensitivity = []string{"v=1"} }, "‹sensitivity› with ‹noise› local")
	set(local, func(p *privacy.Request) { p.Budget = "s3://bucket/b.json" }, "not on a disk")
	set(share, func(p *privacy.Request) { p.Rho, p.Epsilon = "", "1" }, "‹epsilon› alone")
	set(share, func(p *privacy.Request) { p.Rho = "1e-22" }, "below ρ = 2^-70")
	set(share, func(p *privacy.Request) { p.Honest = 0 }, "‹honest› 0")
	set(share, func(p *privacy.Request) { p.Honest = 4 }, "‹owners› 3 ‹honest› 4")
	set(share, func(p *privacy.Request) { p.Groups = []string{universe} }, "‹noise_groups› with ‹universe›")
	set(share, func(p *privacy.Request) { p.Sensitivity = []string{"x=1"} }, "which is no measure")
	set(share, func(p *privacy.Request) { p.Sensitivity = []string{"v=1", "v=2"} }, "two sensitivities")
	set(share, func(p *privacy.Request) { p.Sensitivity = []string{"v=0.5"} }, "more than the measure's")
	set(share, func(p *privacy.Request) { p.Sensitivity = []string{"v=11"} }, "more than its max")
	set(share, func(p *privacy.Request) { p.Sensitivity = []string{"v"} }, `‹sensitivity› "v"`)
	check("without a list", share, func(e *encrypt.Request) { e.Universe = nil })
	check("needs records that can be grouped", with(share, func(p *privacy.Request) { p.Groups = []string{universe} }), func(e *encrypt.Request) { e.Universe, e.Layout = nil, slots.Blocks })
	check("noise needs a declared max", local, func(e *encrypt.Request) { e.Measures = measures(t, "v") })
	check("one record changes all values", local, func(e *encrypt.Request) { e.Measures = measures(t, "v:tpm:decimals=2:max=1000000") })
	check("fills values from other records", local, func(e *encrypt.Request) { e.Measures = measures(t, "w:missing=mean:max=10") })

	table := b.encrypt(in, encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	_, err := b.open(table, "out.csv", privacy.Request{Noise: privacy.NoiseRelease, Rho: "1", Records: 1})
	var u *job.UsageError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "without a budget") {
		t.Error(err)
	}
	_, err = b.open(table, "out.csv", privacy.Request{Noise: privacy.NoiseLocal, Rho: "1", Records: 1, Budget: "x"})
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "‹noise› local") {
		t.Error(err)
	}
	for _, c := range [][3]string{{"", "", ""}, {"1", "1", ""}, {"1", "", "1e-6"}, {"", "1", "2"}, {"x", "", ""}, {"", "", "1e-6"}} {
		if _, err := privacy.CreateBudget(context.Background(), job.Options{}, b.path("new.json"), "", c[0], c[1], c[2]); !errors.As(err, &u) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if slices.Contains(b.files(), "new.json") {
		t.Error("a budget without a limit")
	}
}

// Squares and products get noise of their own bounds, and the statistics made of them are post-processing.
func TestNoiseOfProducts(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v,w\n1,3,-5\n1,4,2\n1,9,7\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:decimals=1:max=10", "w:max=7"), Squares: []string{"v"}, Products: []string{"v*w"}}})
	p := privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "1", Records: 1, Budget: b.budget("100", "", "")}
	report, err := b.open(in, "out.csv", p)
	if err != nil {
		t.Fatal(err)
	}
	const parts = 11 // v, v², n; w, n; vw, v, w, v², w², n of both
	want := map[string]float64{"v_sum": 100, "v*v": 100 * 100, "v_count": 1, "w_sum": 7, "w_count": 1, "v*w|v&w": 700, "v|v&w": 100, "w|v&w": 7, "v*v|v&w": 100 * 100, "w*w|v&w": 49, "n|v&w": 1}
	unit := map[string]float64{"v_sum": 10, "v*v": 100, "v*w|v&w": 10, "v|v&w": 10, "v*v|v&w": 100}
	for _, c := range report.Privacy.Columns {
		u := max(1, unit[c.Name])
		if math.Abs(c.Parameter*u-parts*want[c.Name]) > 1e-6 {
			t.Errorf("%s: scale %v, want %v", c.Name, c.Parameter*u, parts*want[c.Name])
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("no noise on %v", want)
	}
	p.Sensitivity = []string{"v=1", "w=2"}
	report, err = b.open(in, "out.csv", p)
	if err != nil {
		t.Fatal(err)
	}
	// |vw - v'w'| <= 10·2 + 7·1 = 27, |v² - v'²| <= 2·10·1, |w² - w'²| <= 2·7·2. What is summed up where the other measure is
	// present, too, can lose all of its value with that one.
	check := func(report *job.Report, parts float64, want map[string]float64) {
		t.Helper()
		for _, c := range report.Privacy.Columns {
			if w, ok := want[c.Name]; ok && math.Abs(c.Parameter-parts*w) > 1e-9 {
				t.Errorf("%s: %v, want %v", c.Name, c.Parameter/parts, w)
			}
		}
	}
	check(report, parts, map[string]float64{"v_sum": 1, "w_sum": 2, "v*w|v&w": 27, "v*v": 20, "v|v&w": 10, "w|v&w": 7, "v*v|v&w": 100, "w*w|v&w": 49})
	p.Counts = privacy.CountsPublic // then it is no secret, and stays
	report, err = b.open(in, "public.csv", p)
	if err != nil {
		t.Fatal(err)
	}
	check(report, parts-3, map[string]float64{"v_sum": 1, "w_sum": 2, "v*w|v&w": 27, "v*v": 20, "v|v&w": 1, "w|v&w": 2, "v*v|v&w": 20, "w*w|v&w": 28})
	if row := b.rows(b.path("out.csv"))[0]; row["v_sum"] == "" || !strings.Contains(row["v_sum"], ".") {
		t.Errorf("%v", row)
	}
}

// The guarantee in the footer is the one that the kernels' account has for it.
func TestNoiseFooterIsTheAccount(t *testing.T) {
	b := newBench(t, paillier.MHL)
	out := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")},
		Privacy: privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "1", Delta: "1/1000", Records: 1}})
	n := b.inspect(out).Noise
	rho := noise.RhoFor(big.NewRat(1, 1), big.NewRat(1, 1000))
	if n.Rho != rho.RatString() || n.Delta != "1/1000" || n.Epsilon != "" {
		t.Errorf("%+v, ρ = %s", n, rho)
	}
	v, ok := new(big.Rat).SetString(n.Quantities[0].Parameter)
	if !ok {
		t.Fatal(n.Quantities[0].Parameter)
	}
	// Two numbers, each D²/(2σ²): at most ρ.
	loss := new(big.Rat).Quo(big.NewRat(20*20, 2), v)
	loss.Add(loss, loss)
	if loss.Cmp(rho) > 0 || new(big.Rat).Mul(loss, big.NewRat(1_000_001, 1_000_000)).Cmp(rho) < 0 {
		t.Errorf("σ² = %s gives ρ = %s, not %s", v, loss, rho)
	}
}

// What would let one record change a sum by more than its noise is for, or tell of records without noise, is refused.
func TestNoiseRefusesWhatItWouldNotHide(t *testing.T) {
	b := newBench(t, paillier.MHL)
	b.options.Overwrite = true
	release := privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "1", Records: 1, Budget: b.budget("1", "", "")}
	for spec, want := range map[string]string{
		"v:max=100:missing=mean":           "missing=mean fills values from other records",
		"v:max=100:missing=median":         "missing=median fills values from other records",
		"v:max=1000000:decimals=0:tpm":     "tpm divides by the sum of the column",
		"v:max=100:missing=zero":           "",
		"v:max=100:missing=zero|first":     "a row stands before another of its id",
		"v:max=100:missing=zero|sum":       "",
		"v:max=100:missing=zero:clip=0..9": "",
	} {
		spec, duplicates, _ := strings.Cut(spec, "|")
		e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, spec), Duplicates: duplicates}}
		out, _, err := b.tryEncrypt(b.write("a.csv", "id,v\np,8\nq,\nr,7\n"), e)
		if err != nil {
			t.Fatal(err)
		}
		out = b.fuse("a.total.cf.parquet", fuse.Request{In: []string{out}, By: []string{}, Options: b.options})
		if _, err = b.open(out, "a.out.csv", release); want == "" && err != nil {
			t.Errorf("%s: %v", spec, err)
		} else if want != "" {
			refused(t, err, "a.total.cf.parquet", want)
		}
		release.Budget = b.budget("1", "", "")
	}

	p := privacy.Request{Noise: privacy.NoiseShare, Rho: "0.5", Records: 1, Owners: 2, Honest: 1}
	owner := func(name, rows, groups string, honest int64) string {
		t.Helper()
		p.Groups, p.Honest = []string{b.write("groups.csv", groups)}, honest
		out, _, err := b.tryEncrypt(b.write(name, rows), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "v:max=10")}, Privacy: p})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one := owner("one.csv", "g,v\na,5\na,6\nb,7\n", "g\na\nb\nc\n", 1)
	_, err := b.open(one, "one.out.csv", privacy.Request{})
	refused(t, err, "one.cf.parquet", "no fusion has added these up")
	if _, err := b.open(b.fuse("alone.cf.parquet", fuse.Request{In: []string{one}}), "alone.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: []string{one}, MinGroup: 2})
	refused(t, err, "one.cf.parquet", "‹min_group› drops groups by their exact sizes")

	one, two := owner("one.csv", "g,v\na,5\nc,6\n", "g\na\nb\nc\n", 2), owner("two.csv", "g,v\na,5\n", "g\na\nb\n", 2)
	_, err = b.tryFuse("x.cf.parquet", fuse.Request{In: []string{one, two}})
	refused(t, err, "two.cf.parquet", "differs from that of", "in the list of those that have a share")
	two = owner("two.csv", "g,v\na,5\n", "g\nc\na\nb\n", 2) // in another order
	if _, err := b.open(b.fuse("both.cf.parquet", fuse.Request{In: []string{one, two}}), "both.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}

	// An owner who has nothing has a share all the same; without noise a source without rows is refused.
	none := owner("none.csv", "g,v\n", "g\na\nb\nc\n", 2)
	if _, err := b.open(b.fuse("none.fused.cf.parquet", fuse.Request{In: []string{one, none}}), "none.out.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}
	if rows := b.rows(b.path("none.out.csv")); len(rows) != 3 {
		t.Errorf("%v", rows)
	}
	list := []string{b.write("list.csv", "g\na\nb\n")}
	p.Groups = nil
	for _, layout := range []string{slots.Records, slots.Blocks} {
		_, report, err := b.tryEncrypt(b.path("none.csv"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "v:max=10")}, Layout: layout, Universe: list, Privacy: p})
		if err != nil || report.Records != 2 || report.Missing["v"] != 2 {
			t.Errorf("%s: %+v, %v", layout, report, err)
		}
	}
	_, _, err = b.tryEncrypt(b.path("none.csv"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Measures: measures(t, "v:max=10")}, Universe: list})
	refused(t, err, "not one row")
	p.Groups = []string{b.path("groups.csv")}

	// Groups that are tokens.
	if _, err := ids.CreateTokenKey(context.Background(), b.options, b.path("tokens.json")); err != nil {
		t.Fatal(err)
	}
	p.Honest = 1
	out, report, err := b.tryEncrypt(b.write("tokens.csv", "g,v\na,5\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Tokenize: []string{"g"}, TokenKey: b.path("tokens.json"), Measures: measures(t, "v:max=10")}, Privacy: p})
	if err != nil || report.Records != 4 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, err := b.open(b.fuse("tokens.fused.cf.parquet", fuse.Request{In: []string{out}}), "tokens.out.csv", privacy.Request{}); err != nil {
		t.Error(err)
	}
	if rows := b.rows(b.path("tokens.out.csv")); len(rows) != 3 {
		t.Errorf("%v", rows)
	}

	// Tokens of samples.
	_, _, err = b.tryEncrypt(b.write("samples.csv", "g,v\na,5\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, TokenKey: b.path("tokens.json"), Measures: measures(t, "v:max=10")}, TokenSamples: true,
		Privacy: privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "1", Records: 1}})
	misused(t, err, "‹token_samples› with ‹noise›")
	_, _, err = b.tryEncrypt(b.write("first.csv", "g,v\na,5\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"g"}, Duplicates: slots.DuplicatesFirst, Measures: measures(t, "v:max=10")}, Privacy: p})
	misused(t, err, "a row stands before another of its id")
}

// Counts with much noise are beyond 64 bits. They come out as they are, and the means say the same.
func TestNoisyCountsBeyond64Bits(t *testing.T) {
	b := newBench(t, paillier.MHL)
	text := "id,v\n"
	const records = 400
	for i := range records {
		text += fmt.Sprintf("%d,1\n", i)
	}
	in := b.encrypt(b.write("a.csv", text), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=1")}})
	p := privacy.Request{Noise: privacy.NoiseRelease, Epsilon: "1/2000000000000000000", Records: 1, Budget: b.budget("", "1", "")}
	if _, err := b.open(in, "out.csv", p); err != nil {
		t.Fatal(err)
	}
	beyond := 0
	for _, row := range b.rows(b.path("out.csv")) {
		sum, count := rat(t, row["v_sum"]), rat(t, row["v_count"])
		if count.Num().BitLen() > 63 {
			beyond++
		}
		if count.Sign() <= 0 {
			continue
		}
		want, _ := sum.Quo(sum, count).Float64()
		if got, err := strconv.ParseFloat(row["v_mean"], 64); err != nil || got != want {
			t.Errorf("%s / %s is %s, want %v", row["v_sum"], row["v_count"], row["v_mean"], want)
		}
	}
	// One in ten is expected: exp(-2^63 / 4·10^18).
	if beyond < records/40 || beyond > records/4 {
		t.Errorf("%d of %d counts are beyond 64 bits", beyond, records)
	}
}
