package paper2

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
)

// Options of Run.
type Options struct {
	Records int    // of the table; 0 means printedRecords, the n of the paper
	Largest int    // records up to which the growth of this program's protocols is measured; 0 means LargestDefault
	Literal []int  // bits of N for the paper's protocols; nil means 1024 and 2048
	Ours    []int  // for this program's; nil means 2048 and 3072
	Threads int    // the most cores; 0 means all
	Kernel  string // arithmetic; "" is the preferred one
	Quick   bool   // few records and one size: to try the report
	TestKey bool   // allow fewer than 2048 bits for this program's protocols

	Log *slog.Logger // nil discards
}

// LargestDefault is the largest number of records.
const LargestDefault = 1_000_000

const (
	quickRecords = 100
	quickLargest = 1_000
)

// Result is everything that a report is made of.
type Result struct {
	Version int                 `json:"version"`
	Paper   int                 `json:"paper"`
	Time    string              `json:"time"` // RFC 3339, UTC
	Machine bench.Machine       `json:"machine"`
	Kernel  string              `json:"kernel"`
	Quick   bool                `json:"quick"`
	Records int                 `json:"records"`
	Costs   []bench.ServersCost `json:"costs"`
	Attacks []Attack            `json:"attacks"`
}

// ResultVersion is the version of the format of a Result.
const ResultVersion = 1

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	set := func(n *int, usual, quick int) {
		if *n == 0 {
			if *n = usual; o.Quick {
				*n = quick
			}
		}
	}
	set(&o.Records, printedRecords, quickRecords)
	set(&o.Largest, max(LargestDefault, o.Records), max(quickLargest, o.Records))
	if o.Literal == nil {
		if o.Literal = []int{1024, 2048}; o.Quick {
			o.Literal = o.Literal[:1]
		}
	}
	if o.Ours == nil {
		if o.Ours = []int{2048, 3072}; o.Quick {
			o.Ours = o.Ours[:1]
		}
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	for _, bits := range o.Ours {
		if bits < 2048 && !o.TestKey {
			return &job.UsageError{Cause: fmt.Sprintf("keys of %d bits protect nothing", bits), Hint: "Use 2048 bits or more, or allow test keys with ‹insecure_test_key›."}
		}
	}
	if o.Records < 3 || o.Largest < o.Records {
		return &job.UsageError{Cause: fmt.Sprintf("%d records, and %d at most", o.Records, o.Largest), Hint: "Give at least 3 records."}
	}
	return nil
}

// Run measures all rows of TABLE 1 and runs the attacks.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Result{Version: ResultVersion, Paper: 2, Time: time.Now().UTC().Format(time.RFC3339), Machine: bench.ThisMachine(), Quick: o.Quick, Records: o.Records}
	data := newReadings(o.Records)
	for _, bits := range o.Literal {
		if err := r.literal(ctx, o, data, bits); err != nil {
			return nil, err
		}
	}
	sendings := []int{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000}
	if o.Quick {
		sendings = sendings[:4]
	}
	r.Attacks = append(r.Attacks, attackShares(sendings)...)
	for _, bits := range o.Ours {
		if err := r.ours(ctx, o, data, bits); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// literal measures the paper's own protocols, which use one core, and attacks them.
func (r *Result) literal(ctx context.Context, o Options, data *readings, bits int) error {
	log := func(step string) { o.Log.Info("running", "step", step, "bits", bits, "records", len(data.x)) }
	l, err := newLiteral(ctx, bits, o.Kernel)
	if err != nil {
		return err
	}
	r.Kernel = l.sk.Public().Kernel()
	p, seen, err := l.run(ctx, data, log)
	if err != nil {
		return err
	}
	r.add(bench.FormLiteral, bench.RowAccess, bits, len(data.x), 1, p.access)
	r.add(bench.FormLiteral, bench.RowAverage, bits, len(data.x), 1, p.average)
	b, err := newBroken(ctx, bits, o.Kernel)
	if err != nil {
		return err
	}
	products, wire, err := b.run(ctx, data, log)
	if err != nil {
		return err
	}
	improved := parts{average: p.average, products: products}
	for _, need := range rowNeeds {
		r.add(bench.FormLiteral, need.row1, bits, len(data.x), 1, p.total(need.averages, need.products))
		r.add(bench.FormLiteral, need.row2, bits, len(data.x), 1, improved.total(need.averages, need.products))
	}
	attack, err := attackAlgorithm4(b, wire, data)
	if err != nil {
		return err
	}
	r.Attacks = append(r.Attacks, attack)
	if attack, err = attackAlgorithm3(l, seen, data); err != nil {
		return err
	}
	r.Attacks = append(r.Attacks, attack)
	return nil
}

// ours measures this program's protocols: the rows on one core, then a correlation on all cores and of more records.
func (r *Result) ours(ctx context.Context, o Options, data *readings, bits int) error {
	run, err := newOurs(ctx, bits, o.Kernel, o.TestKey)
	if err != nil {
		return err
	}
	held := data.ringShares()
	p, err := middle(func() (part, error) { return run.access(data, held) })
	if err != nil {
		return err
	}
	r.add(bench.FormOurs, bench.RowAccess, bits, len(data.x), 1, p)
	for _, kind := range queries {
		o.Log.Info("running", "step", kind.row, "bits", bits, "records", len(data.x))
		if p, err = middleOf(kind.row, func() (part, error) { return run.query(ctx, kind.row, data, held, 1) }); err != nil {
			return err
		}
		r.add(bench.FormOurs, kind.row, bits, len(data.x), 1, p)
	}
	for records := o.Records; ; records = min(records*10, o.Largest) {
		threads := []int{1, o.Threads}
		if records == o.Records {
			threads = threads[1:] // one is in the table
		} else {
			data = newReadings(records)
			held = data.ringShares()
		}
		for _, n := range slices.Compact(threads) {
			if n == 1 && records == o.Records {
				continue
			}
			o.Log.Info("running", "step", bench.RowCorrelation1, "bits", bits, "records", records, "threads", n)
			if p, err = run.query(ctx, bench.RowCorrelation1, data, held, n); err != nil {
				return err
			}
			r.add(bench.FormOurs, bench.RowCorrelation1, bits, records, n, p)
		}
		if records == o.Largest {
			return nil
		}
	}
}

// middleOf is middle for a row without ciphertexts, and one run for others.
func middleOf(row string, run func() (part, error)) (part, error) {
	if row == bench.RowAverage {
		return middle(run)
	}
	return run()
}

func (r *Result) add(form, row string, bits, records, threads int, p part) {
	r.Costs = append(r.Costs, bench.ServersCost{Row: row, Form: form, Bits: bits, Records: records, Threads: threads, Server: p.server, User: p.user})
}

// File is the result as a file of bench/results.
func (r *Result) File() *bench.File {
	return &bench.File{Version: bench.FileVersion, Machine: r.Machine, Servers: r.Costs}
}
