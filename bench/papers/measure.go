package papers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// A Point is one measured run.
type Point struct {
	Axis    string  `json:"axis"` // what the series varies: AxisRecords or AxisSources
	Method  string  `json:"method"`
	Records int     `json:"records"` // of each source
	Sources int     `json:"sources"`
	Bits    int     `json:"bits"` // of the key; 0 without encryption
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"` // of all cores; 0 in results from before it was taken
	PeakMiB float64 `json:"peak_mib"`    // of the largest process
	Rounds  int     `json:"rounds"`      // of which Seconds and CPU are the medians, PeakMiB the largest
	// MeanError and Expected are the measured and the theoretical mean |error| of a sum; both 0 where sums are exact.
	MeanError float64 `json:"mean_error"`
	Expected  float64 `json:"expected_error"`
}

// Axes of figures.
const (
	AxisRecords = "records"
	AxisSources = "sources"
)

// A method is one way to fuse.
type method struct {
	name   string
	title  string // for legends
	values int    // records times sources at most: of more, a run would take too long
	run    func(w *workshop, ctx context.Context, x setting) (*run, error)
}

// setting is what a run is of.
type setting struct {
	records, sources, bits int
	in                     []string
}

// run is what came of it.
type run struct {
	steps     []*bench.Process
	meanError float64
	expected  float64
}

// Methods, by name.
const (
	methodBlocks   = "paillier-blocks"
	methodRecords  = "paillier-records"
	methodTextbook = "paillier-textbook"
	methodInsecure = "paillier-textbook-insecure"
	methodFeature  = "feature"
	methodCurator  = "dp-curator"
	methodLocal    = "dp-local"
	methodBoth     = "paillier-dp"
)

// The noise of figures: one record of a person, whose value is 0..valueMax.
const (
	figureEpsilon = "1"
	figureDelta   = "1e-6"
)

func methods() []method {
	return []method{
		{methodInsecure, fmt.Sprintf("data level, a ciphertext per value, math/big, %d bits as in the paper: insecure", printedBits), 40_000, textbookRun(printedBits)},
		{methodTextbook, "data level, a ciphertext per value, math/big", 200, textbookRun(0)},
		{methodRecords, "data level, a ciphertext per value, this program", 80_000, paillierRun(slots.Records)},
		{methodBlocks, "data level, many values per ciphertext (blocks), this program", math.MaxInt, paillierRun(slots.Blocks)},
		{methodBoth, "data level as before, with noise at release", math.MaxInt, bothRun},
		{methodFeature, "feature level, summaries in the clear", math.MaxInt, featureRun},
		{methodCurator, "differential privacy, curator sees all data in the clear", math.MaxInt, curatorRun},
		{methodLocal, "differential privacy, every source adds noise, in the clear", math.MaxInt, localRun},
	}
}

// sourcesRecords is the number of records for each source where the number of sources varies: 64 of them have more than a
// million together.
const sourcesRecords = 20_000

// measure runs every method along both axes.
func (w *workshop) measure(ctx context.Context) ([]Point, error) {
	from := 100
	if w.Quick {
		from = 10
	}
	var points []Point
	type place struct {
		axis             string
		records, sources int
	}
	var places []place
	for _, n := range counts(from, 10, w.Records) {
		places = append(places, place{AxisRecords, n, 2})
	}
	for _, n := range counts(2, 2, w.Sources) {
		places = append(places, place{AxisSources, min(sourcesRecords, w.Records), n})
	}
	for _, p := range places {
		x := setting{records: p.records, sources: p.sources, bits: w.Bits}
		for s := range p.sources {
			x.in = append(x.in, w.path(fmt.Sprintf("source%d.parquet", s)))
			if err := writeSource(ctx, x.in[s], s, p.records); err != nil {
				return nil, err
			}
		}
		for _, m := range methods() {
			limit := m.values
			if w.Quick && limit < math.MaxInt {
				limit /= 10
			}
			if p.records*p.sources > limit {
				continue
			}
			w.Log.Info("running", "method", m.name, "records", p.records, "sources", p.sources)
			point, err := w.repeat(ctx, m, x)
			if err != nil {
				return nil, fmt.Errorf("%s, %d records of %d sources: %w", m.name, p.records, p.sources, err)
			}
			point.Axis = p.axis
			points = append(points, point)
		}
	}
	return points, nil
}

// Short runs are repeated.
const (
	repeatBelowSeconds = 2
	rounds             = 3
)

func (w *workshop) repeat(ctx context.Context, m method, x setting) (Point, error) {
	p := Point{Method: m.name, Records: x.records, Sources: x.sources}
	switch m.name {
	case methodInsecure:
		p.Bits = printedBits
	case methodTextbook, methodRecords, methodBlocks, methodBoth:
		p.Bits = x.bits
	}
	var seconds, cpu []float64
	for len(seconds) < rounds {
		r, err := m.run(w, ctx, x)
		if err != nil {
			return p, err
		}
		total, busy := 0.0, 0.0
		for _, s := range r.steps {
			total += s.Seconds
			busy += s.CPU
			p.PeakMiB = max(p.PeakMiB, s.RSSMiB)
		}
		seconds, cpu = append(seconds, total), append(cpu, busy)
		p.MeanError, p.Expected = r.meanError, r.expected
		if w.Quick || total > repeatBelowSeconds {
			break
		}
	}
	slices.SortFunc(seconds, cmp.Compare)
	slices.SortFunc(cpu, cmp.Compare)
	middle := (len(seconds) - 1) / 2
	p.Seconds, p.CPU, p.Rounds = seconds[middle], cpu[middle], len(seconds)
	return p, nil
}

// step runs a step in a process of its own.
func (w *workshop) step(ctx context.Context, s step, report any) (*bench.Process, error) {
	description, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return w.run(ctx, report, "bench", "paper-step", string(description))
}

func paillierRun(layout string) func(*workshop, context.Context, setting) (*run, error) {
	return func(w *workshop, ctx context.Context, x setting) (*run, error) {
		out := w.path("opened.parquet")
		steps, err := w.fuse(ctx, x.in, out, fmt.Sprintf("%s:max=%d", valueColumn, valueMax), layout)
		if err != nil {
			return nil, err
		}
		r := &run{steps: steps}
		return r, r.compare(ctx, out, valueColumn+"_sum", x, 0)
	}
}

// bothRun is fusion in blocks, whose result is released with noise: nobody sees data of others, and the sums tell little about
// a person. Its budget has room for all runs.
func bothRun(w *workshop, ctx context.Context, x setting) (*run, error) {
	_, d, err := figureNoise()
	if err != nil {
		return nil, err
	}
	budget := w.path("budget.json")
	if _, err := os.Stat(budget); err != nil {
		var report struct{}
		if _, err := w.run(ctx, &report, "budget", budget, "--rho", "1000"); err != nil {
			return nil, err
		}
	}
	out := w.path("opened.parquet")
	steps, err := w.fuse(ctx, x.in, out, fmt.Sprintf("%s:max=%d", valueColumn, valueMax), slots.Blocks,
		"--noise", "release", "--epsilon", figureEpsilon, "--delta", figureDelta, "--person-records", "1", "--counts", "public", "--budget", budget)
	if err != nil {
		return nil, err
	}
	r := &run{steps: steps}
	return r, r.compare(ctx, out, valueColumn+"_sum", x, d.MeanAbs(1))
}

// textbookRun measures one process that does everything; bits 0 stands for those of the setting.
func textbookRun(bits int) func(*workshop, context.Context, setting) (*run, error) {
	return func(w *workshop, ctx context.Context, x setting) (*run, error) {
		s := step{Kind: stepTextbook, In: x.in, Out: w.path("opened.parquet"), Records: x.records, Bits: bits}
		if bits == 0 {
			s.Bits = x.bits
		}
		p, err := w.step(ctx, s, &struct{}{})
		if err != nil {
			return nil, err
		}
		r := &run{steps: []*bench.Process{p}}
		return r, r.compare(ctx, s.Out, valueColumn, x, 0)
	}
}

func featureRun(w *workshop, ctx context.Context, x setting) (*run, error) {
	r := &run{}
	var parts []summary
	for _, in := range x.in {
		var s summary
		p, err := w.step(ctx, step{Kind: stepSummary, In: []string{in}}, &s)
		if err != nil {
			return nil, err
		}
		r.steps, parts = append(r.steps, p), append(parts, s)
	}
	var want int64
	for source := range x.sources {
		next := sourceValues(source)
		for range x.records {
			want += next()
		}
	}
	if got := combine(parts); got.Sum != want || got.Count != int64(x.records)*int64(x.sources) {
		return nil, fmt.Errorf("the summaries add up to %d of %d values; the plain sum is %d", got.Sum, got.Count, want)
	}
	return r, nil
}

func curatorRun(w *workshop, ctx context.Context, x setting) (*run, error) {
	variance, d, err := figureNoise()
	if err != nil {
		return nil, err
	}
	s := step{Kind: stepSum, In: x.in, Out: w.path("opened.parquet"), Records: x.records, Variance: variance}
	p, err := w.step(ctx, s, &struct{}{})
	if err != nil {
		return nil, err
	}
	r := &run{steps: []*bench.Process{p}}
	return r, r.compare(ctx, s.Out, valueColumn, x, d.MeanAbs(1))
}

func localRun(w *workshop, ctx context.Context, x setting) (*run, error) {
	variance, d, err := figureNoise()
	if err != nil {
		return nil, err
	}
	r := &run{}
	all := step{Kind: stepSum, Out: w.path("opened.parquet"), Records: x.records}
	for i, in := range x.in {
		s := step{Kind: stepPerturb, In: []string{in}, Out: w.path(fmt.Sprintf("noisy%d.parquet", i)), Records: x.records, Variance: variance}
		p, err := w.step(ctx, s, &struct{}{})
		if err != nil {
			return nil, err
		}
		r.steps, all.In = append(r.steps, p), append(all.In, s.Out)
	}
	p, err := w.step(ctx, all, &struct{}{})
	if err != nil {
		return nil, err
	}
	r.steps = append(r.steps, p)
	return r, r.compare(ctx, all.Out, valueColumn, x, d.MeanAbs(int64(x.sources)))
}

// figureNoise is the noise on one value: values are 0..valueMax, so that is what one record changes at most, whether it
// is replaced by another or taken away.
func figureNoise() (variance string, d noise.Distribution, err error) {
	epsilon, err := noise.ParseRational(figureEpsilon)
	if err != nil {
		return "", nil, err
	}
	delta, err := noise.ParseRational(figureDelta)
	if err != nil {
		return "", nil, err
	}
	rho := noise.RhoFor(epsilon, delta)
	v := new(big.Rat).SetInt64(valueMax * valueMax)
	v.Quo(v, new(big.Rat).Add(rho, rho))
	g, err := noise.NewGaussian(v)
	return v.RatString(), g, err
}

// compare checks a result against the plain sums: exactly, or where an error is expected, by its mean magnitude.
func (r *run) compare(ctx context.Context, file, name string, x setting, expected float64) error {
	want := make([]int64, x.records)
	for source := range x.sources {
		next := sourceValues(source)
		for id := range want {
			want[id] += next()
		}
	}
	records, sum := 0, 0.0
	var wrong error
	err := eachValue(ctx, file, name, func(id, v int64) {
		records++
		if id < 0 || id >= int64(len(want)) {
			wrong = fmt.Errorf("%s: id %d", file, id)
			return
		}
		d := v - want[id]
		if expected == 0 && d != 0 {
			wrong = fmt.Errorf("%s: record %d has the sum %d; the plain sum is %d", file, id, v, want[id])
		}
		sum += math.Abs(float64(d))
	})
	if err == nil {
		err = wrong
	}
	if err != nil {
		return err
	}
	if records != x.records {
		return fmt.Errorf("%s: %d records, not %d", file, records, x.records)
	}
	r.meanError, r.expected = sum/float64(records), expected
	// The relative deviation of the mean of n magnitudes is about 0.76/√n.
	if expected > 0 && math.Abs(r.meanError/expected-1) > 6*0.76/math.Sqrt(float64(records)) {
		return fmt.Errorf("%s: mean |error| %.4g, where %.4g is expected", file, r.meanError, expected)
	}
	return nil
}
