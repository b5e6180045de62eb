// Package job has what all jobs share: their options, their reports, and their errors.
//
// Numbers flow in one direction. encrypt reads batches of a table (dataset), scales them to exact integers and packs
// them (slots), encrypts whole batches (kernels/paillier) and writes an encrypted table (enctable). fuse multiplies
// ciphertexts of several encrypted tables without a key. decrypt goes back the same way and divides, at the very end,
// exact sums by exact counts (stats). batch runs these verbs as steps of a job that survives crashes.
//
// Every job writes its output under a temporary name. The output gets its name when it is complete and right; an error
// leaves no output. Bad input is a *column.InputError, a wrong request a *UsageError.
package job

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// Progress is what a stage advances and an observer polls.
type Progress = engine.Progress

// MemoryDefault is the memory budget when none is given.
const MemoryDefault = 512 << 20

// Options are common to all jobs. The zero value is ready to use.
type Options struct {
	FS        blob.FS // where paths live; nil means this machine's disk
	Threads   int     // workers; 0 means one per CPU
	Memory    int64   // bytes for buffers, tables and group state; 0 means MemoryDefault
	Overwrite bool    // replace an output that exists
	CSVSafe   bool    // in CSV and TSV in the clear, put ' before texts that a spreadsheet would take for formulas
	Kernel    string  // arithmetic to use instead of the best available; "" chooses

	// Data that outgrows Memory goes to anonymous files in the directory ScratchDir of Disk. "" means the directory of
	// the output when that is on this machine, else the system's directory for temporary files. Nil means this
	// machine's disk.
	Disk       blob.Disk
	ScratchDir string

	// Watch is called when a stage begins, with its name and the counters that it advances (in records). It returns a
	// function to call when the stage ends. Nil means that nobody watches.
	Watch func(stage string, progress *Progress) (done func())

	// Keyed is called when the key and the arithmetic of the job are known. Nil means that nobody asks.
	Keyed func(key KeyReport, kernel string)

	Log *slog.Logger // nil discards
}

func (o Options) WithDefaults() Options {
	if o.FS == nil {
		o.FS = blob.Local{}
	}
	if o.Disk == nil {
		o.Disk = blob.Local{}
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Memory <= 0 {
		o.Memory = MemoryDefault
	}
	if o.Watch == nil {
		o.Watch = func(string, *Progress) func() { return func() {} }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Report says what a job did.
type Report struct {
	Out         string             `json:"out"`
	Records     int64              `json:"records"`     // rows of the source, or records of the result
	Ciphertexts int64              `json:"ciphertexts"` // made, folded or opened
	Values      int64              `json:"values"`      // measures times records
	Seconds     float64            `json:"seconds"`
	Kernel      string             `json:"kernel"`
	Tables      *TablesReport      `json:"tables,omitempty"` // of powers; none when the key has none, or had them before
	Key         KeyReport          `json:"key"`
	Inputs      []InputReport      `json:"inputs"`
	Measures    []string           `json:"measures,omitempty"`
	Missing     map[string]int64   `json:"missing,omitempty"`       // per measure: nulls, and records that a source lacks
	Filled      map[string]int64   `json:"filled,omitempty"`        // per measure: missing values for which another was put, as its preparation says
	Preparation []ctfile.Step      `json:"preparation,omitempty"`   // of an encryption: as in the table's footer
	Variants    *vcfio.Tally       `json:"variants,omitempty"`      // of an encryption of VCF files: what was read, and what options left out
	Unlisted    int64              `json:"unlisted,omitempty"`      // records outside the universe, dropped on request
	Unmatched   *int64             `json:"unmatched,omitempty"`     // ids that are not in every input of a fusion, when they were counted
	SmallGroups int64              `json:"small_groups,omitempty"`  // groups below the minimum, dropped on request
	Single      int64              `json:"single_values,omitempty"` // of a decryption: sums that rest on one value
	Suppressed  *Suppressed        `json:"suppressed,omitempty"`    // of a decryption with a least count
	Association *AssociationReport `json:"association,omitempty"`   // of a test of cases against controls
	Spilled     int64              `json:"spilled,omitempty"`       // bytes written to a temporary file, for want of memory
	Privacy     *PrivacyReport     `json:"privacy,omitempty"`       // the noise of the output
	Originals   *OriginalsReport   `json:"originals,omitempty"`     // of a fusion or decryption: whose tables are in it
	Stages      []StageReport      `json:"stages,omitempty"`
}

// Suppressed says how many results of a decryption are left out. A result is what is known of one measure, or of a pair of
// measures, in one record.
type Suppressed struct {
	Least   int64 `json:"min_count"`
	Small   int64 `json:"small"`   // rest on fewer values, or would betray such a sum of the same record
	Further int64 `json:"further"` // left out besides, so that a total does not betray them
}

// AssociationReport says what the tests of an association found, all together.
type AssociationReport struct {
	Test        string  `json:"test"`
	Alternative string  `json:"alternative"`
	Combine     string  `json:"combine,omitempty"` // of several cohorts or strata
	Tests       int64   `json:"tests"`             // results with a P value
	Significant int64   `json:"significant"`       // of them below 0.05 after Bonferroni
	Least       float64 `json:"least_p"`
	Lambda      float64 `json:"lambda_gc"` // genomic control; 0 without tests
}

// OriginalsReport says which tables, as their owners encrypted them, are in a sum.
type OriginalsReport struct {
	Tables       int64             `json:"tables"`                 // how many different ones
	List         []ctfile.Original `json:"list"`                   // of them, the first 1024 parts and weights
	Unidentified int64             `json:"unidentified,omitempty"` // tables besides, of earlier versions: nobody can tell which
	Repeats      bool              `json:"repeats,omitempty"`      // a table may be in the sum more than once
}

// Told is the report as it may be told to others. It lacks exact counts of what is missing or was dropped, and, of tables
// in the clear, their numbers of rows: from these, values can be guessed.
func (r *Report) Told() *Report {
	if r == nil {
		return nil
	}
	c := *r
	c.Missing, c.Filled, c.Variants, c.Unlisted = nil, nil, nil, 0
	if r.ReadsClear() {
		c.Inputs = slices.Clone(r.Inputs)
		for i := range c.Inputs {
			c.Inputs[i].Rows = 0
		}
	}
	return &c
}

// Public is Told, for whoever prints it.
func (r *Report) Public() any { return r.Told() }

// ReadsClear says that the inputs were tables in the clear: those of an encryption, or of a job without a key.
func (r *Report) ReadsClear() bool { return len(r.Measures) > 0 || r.Key.Fingerprint == "" }

// StageReport is the account of one stage of a job.
type StageReport struct {
	Name    string  `json:"name"`
	Workers int     `json:"workers"`
	Busy    float64 `json:"busy_seconds"` // summed over workers
	Wall    float64 `json:"wall_seconds"`
}

// Finish fills in times and stages.
func (r *Report) Finish(start time.Time, stats engine.Stats) {
	r.Seconds = time.Since(start).Seconds()
	for _, s := range stats.Stages {
		r.Stages = append(r.Stages, StageReport{Name: s.Name, Workers: s.Workers, Busy: s.Busy.Seconds(), Wall: s.Wall.Seconds()})
	}
}

// UsageError is a request that makes no sense for any data.
//
// Messages below package main name no flag and no command line. A field of a request is written ‹max_adds›, a command
// «run job.toml ‹resume›». The code that shows the message writes what a user can set and type.
type UsageError struct{ Cause, Hint string }

func (e *UsageError) Error() string { return e.Cause }

// Field is the first field that the cause names, such as "max_adds"; "" when it names none.
func (e *UsageError) Field() string {
	_, rest, _ := strings.Cut(e.Cause, "‹")
	name, _, closed := strings.Cut(rest, "›")
	if !closed {
		return ""
	}
	return name
}

// NoKernel refuses a kernel that is unknown or that this machine cannot run.
func NoKernel(name string) error {
	return Misuse("See «doctor».", "kernel %s is not available", name)
}

// Misuse returns a *UsageError. The format of its cause, and the hint, name fields as ‹field›.
func Misuse(hint, format string, args ...any) error {
	return &UsageError{Cause: fmt.Sprintf(format, args...), Hint: hint}
}

// Files returns where paths live.
func (o Options) Files() blob.FS { return o.WithDefaults().FS }

// KeyFileBytesMax is well above the size of any key file.
const KeyFileBytesMax = 1 << 20
