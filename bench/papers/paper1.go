package papers

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
)

// Options of Paper1.
type Options struct {
	Bits    int    // of the keys of all measured runs; 0 means BitsDefault
	Records int    // the most records for each source; 0 means RecordsDefault
	Sources int    // the most sources; 0 means SourcesDefault
	Quick   bool   // few and small runs: for tests of the report, not for figures
	TestKey bool   // allow fewer than 2048 bits
	Threads int    // of each process; 0 means all cores
	Program string // cipherfold; "" means this process's own

	Log *slog.Logger // nil discards
}

// Defaults of Options. Quick measures up to quickRecords and quickSources.
const (
	BitsDefault    = 3072
	RecordsDefault = 1_000_000
	SourcesDefault = 64
	quickRecords   = 2_000
	quickSources   = 4
)

// Result is everything that a report is made of.
type Result struct {
	Version int           `json:"version"`
	Paper   int           `json:"paper"`
	Time    string        `json:"time"` // RFC 3339, UTC
	Machine bench.Machine `json:"machine"`
	Bits    int           `json:"bits"`
	Quick   bool          `json:"quick"`
	Table1  Table1        `json:"table1"`
	Table2  Table2        `json:"table2"`
	Table3  Table3        `json:"table3"`
	Literal Check         `json:"literal"`
	Points  []Point       `json:"points"`
}

// ResultVersion is the version of the format of a Result.
const ResultVersion = 1

// Paper1 repeats the experiments of the first paper.
func Paper1(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cipherfold-papers-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &Result{Version: ResultVersion, Paper: 1, Time: time.Now().UTC().Format(time.RFC3339), Machine: bench.ThisMachine(), Bits: o.Bits, Quick: o.Quick}
	w := &workshop{Options: o, dir: dir}
	o.Log.Info("making keys", "bits", o.Bits)
	if err := w.makeKeys(ctx); err != nil {
		return nil, err
	}
	if r.Table1, err = w.table1(ctx); err != nil {
		return nil, err
	}
	r.Table2 = table2(r.Table1)
	if r.Table3, err = w.table3(ctx); err != nil {
		return nil, err
	}
	r.Literal = runLiteral(200)
	if r.Points, err = w.measure(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bits == 0 {
		o.Bits = BitsDefault
	}
	if o.Records == 0 {
		o.Records = RecordsDefault
		if o.Quick {
			o.Records = quickRecords
		}
	}
	if o.Sources == 0 {
		o.Sources = SourcesDefault
		if o.Quick {
			o.Sources = quickSources
		}
	}
	if o.Records < 10 || o.Sources < 2 {
		return &job.UsageError{Cause: fmt.Sprintf("%d records of %d sources", o.Records, o.Sources), Hint: "Give at least 10 records and 2 sources."}
	}
	if o.Program == "" {
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	return nil
}

// counts lists what is measured along one axis: 1, 2, 4 and so on, or powers of ten, up to the largest.
func counts(from, factor, to int) []int {
	var out []int
	for n := from; n < to; n *= factor {
		out = append(out, n)
	}
	if !slices.Contains(out, to) {
		out = append(out, to)
	}
	return out
}
