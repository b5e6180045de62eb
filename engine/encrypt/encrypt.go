// Package encrypt turns an owner's table into an encrypted table.
//
// Run does it in one step. For a job that survives crashes, Survey reads the source once and decides what all parts
// share, Parts encrypts ranges of records, and enctable.Join puts them together.
package encrypt

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Request describes an encrypted table to make from one owner's table.
type Request struct {
	job.Options
	dataset.Spec
	Key          keys.Key
	Out          string
	RowsPerFile  int64           // > 0: Out is a directory of part files of so many records each
	TokenSamples bool            // note tokens of the samples of VCF files in the table, so that fusing finds people who are in two of them
	DisjointFrom []string        // encrypted tables with such tokens; a sample that is in one of them is refused
	Layout       string          // Records or Blocks; "" is Records
	MaxAdds      int64           // additions that the slots have room for; 0 is 1024 for blocks, 2^20 for records
	Universe     []string        // public reference list: the ids of all records and their order; none: the source's own
	DropUnlisted bool            // drop records outside the universe instead of refusing them
	Source       string          // name of the owner, for the table's footer
	TableCache   string          // TableCacheAuto, TableCacheOn or TableCacheOff: tables of powers beside a public key file; "" is auto
	Privacy      privacy.Request // noise to add: NoiseLocal or NoiseShare
	Fingerprint  string          // that the key must have; "" takes any

	// Sign reads the key of the owner, who signs the table; nil signs nothing.
	Sign func(context.Context) (*trust.Signer, error)

	expected int64 // records, for the progress; 0 until they are counted
}

// Run writes the encrypted table. Nothing is encrypted before the layout is known to hold every sum. Nothing is
// written under the output's name before every value has been read, checked and encrypted.
func Run(ctx context.Context, e Request) (*job.Report, error) {
	start := time.Now()
	x, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.findBounds(ctx); err != nil {
		return nil, err
	}
	if err := x.layOut(); err != nil {
		return nil, err
	}
	if err := x.noise.Affordable(ctx); err != nil {
		return nil, err
	}
	r, err := x.openRecords(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	feed := x.feed(r, r.Range(math.MaxInt64))
	if f, ok := feed.(*sourceFeed); ok && x.onceOnly() {
		f.unique = ids.NewDuplicateFinder(x.request.Memory / 8)
	}
	defer func() { feed.close() }()
	all, err := x.withGroups(ctx, feed)
	if err != nil {
		return nil, err
	}
	feed = all
	progress := &engine.Progress{}
	progress.Total.Store(x.request.expected)
	defer x.request.Watch("encrypt", progress)()
	report, err := x.write(ctx, x.request.Out, feed, progress)
	if err != nil {
		return nil, err
	}
	rows := int64(0)
	for _, in := range report.Inputs {
		rows += in.Rows
	}
	switch {
	case rows == 0:
		x.request.Log.Warn("the source has no rows: all values are missing", "file", x.src.Files[0])
	case x.unlisted == rows:
		x.request.Log.Warn("no row of the source is in the universe: all values are missing", "file", x.src.Files[0])
	}
	report.Unlisted, report.Preparation, report.Filled = x.unlisted, x.table.Preparation, x.src.Filled()
	if x.src.Vcf.Tally.Records > 0 {
		report.Variants = &x.src.Vcf.Tally
	}
	report.Seconds = time.Since(start).Seconds()
	return report, nil
}

// encryption is an encryption under way.
type encryption struct {
	request  Request
	src      dataset.Source
	tuples   [][]slots.Quantity
	idFields []arrow.Field
	table    ctfile.Table   // what all parts of the output have in common
	plan     *slots.Plan    // of table
	noise    *privacy.Noise // nil: none
	tables   *keys.Powers   // of powers
	unlisted int64          // records dropped
	samples  []string       // tokens
	seal     trust.Seal
	list     string // digest of the universe, or of the groups of noise
}

// open checks everything that can be known without reading the source's rows.
func (e Request) open(ctx context.Context) (*encryption, error) {
	e.Options = e.Options.WithDefaults()
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := e.checkFingerprint(); err != nil {
		return nil, err
	}
	keys.WarnOfTestKey(e.Options, e.Key.Public.Test())
	x, err := e.openSource(ctx)
	if err != nil {
		return nil, err
	}
	if x.seal, err = e.seal(ctx); err != nil {
		return nil, err
	}
	if err := x.request.Key.UseKernel(x.request.Kernel); err != nil {
		return nil, err
	}
	x.request.AnnounceKey(x.request.Key.Public)
	if x.tables, err = x.request.Key.PlanPowers(x.request.Options, x.request.TableCache); err != nil {
		return nil, err
	}
	return x, nil
}

// openSource is the part of open that needs no key.
func (e Request) openSource(ctx context.Context) (*encryption, error) {
	t, err := e.Spec.Open(ctx, e.Options, dataset.Needs{
		Output: func(inputs []string) error {
			if err := job.CheckOutput(ctx, e.FS, e.Out, inputs); err != nil {
				return err
			}
			return enctable.CheckOutput(e.Out)
		},
		Lists: e.Universe, MayBeEmpty: e.Privacy.Noise == privacy.NoiseShare, // an owner without any record still owes its share
		OnceOnly: e.Layout == slots.Blocks, NoteSamples: e.TokenSamples, TokenKey: e.TokenSamples || len(e.DisjointFrom) > 0,
	})
	if err != nil {
		return nil, err
	}
	e.Spec = t.Spec
	if err := e.declaredBounds(); err != nil {
		return nil, err
	}
	x := &encryption{request: e, src: t.Src, tuples: t.Tuples, idFields: t.IDFields}
	if x.samples, err = e.sampleTokens(ctx, t.Src); err != nil {
		return nil, err
	}
	return x, nil
}

// layOut decides the layout of the table, once every measure has a bound.
func (x *encryption) layOut() error {
	pk := x.request.Key.Public
	x.table = enctable.NewFooter(pk)
	x.table.Layout, x.table.MaxAdds, x.table.AddsUsed, x.table.IDs, x.table.Source = x.request.Layout, x.request.MaxAdds, 1, x.request.IDs, x.request.Source
	x.table.Randomizers = string(pk.Randomizers())
	x.table.Preparation, x.table.Samples = x.src.Steps(x.request.Measures), x.samples
	if err := x.planNoise(); err != nil {
		return err
	}
	if err := slots.LayOut(&x.table, pk.Bits(), x.request.Measures, x.tuples, x.noise.Tails()); err != nil {
		return err
	}
	if err := x.noise.SetLimits(&x.table); err != nil {
		return err
	}
	x.table.Noise = x.noise.Note(x.request.IDs)
	var err error
	x.plan, err = slots.NewPlan(&x.table, pk.NWords())
	return err
}

// onceOnly says whether an id may come only once in the source.
func (x *encryption) onceOnly() bool {
	return x.request.Layout == slots.Blocks || x.request.Duplicates == slots.DuplicatesRefuse
}

// write encrypts what the feed delivers into a table of the given name, and advances the progress.
func (x *encryption) write(ctx context.Context, name string, feed feed, progress *engine.Progress) (*job.Report, error) {
	start := time.Now()
	rowsPerFile, seal := x.request.RowsPerFile, x.seal
	if name != x.request.Out { // a part that is going to be joined, and is signed then
		rowsPerFile, seal = 0, trust.Seal{}
	}
	if x.noise != nil && x.noise.Request.Noise == privacy.NoiseShare {
		x.table.Noise.List, x.table.Noise.ListDigest = x.list, ctfile.ListSorted
	}
	out, err := enctable.Create(ctx, x.request.Options, name, rowsPerFile, x.table, x.idFields, seal)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := x.tables.Fill(ctx); err != nil {
		return nil, err
	}
	s := encryptStage{e: &x.request, plan: x.plan, noise: x.noise, columns: len(x.table.Columns), missing: make([]atomic.Int64, len(x.request.Measures)), progress: progress}
	for _, t := range x.tuples {
		s.quantities = append(s.quantities, t...)
	}
	stats, err := engine.Run(ctx, engine.Pipeline[chunk, enctable.Rows]{
		Source: engine.Source[chunk]{Name: "read", Next: func(ctx context.Context) (chunk, error) {
			c, err := feed.next(ctx)
			if err == nil {
				progress.Read.Add(c.batch.NumRows())
			}
			return c, err
		}},
		Stage: engine.Stage[chunk, enctable.Rows]{Name: "encrypt", Workers: x.request.Threads, New: s.worker, Discard: chunk.release},
		Sink: engine.Sink[enctable.Rows]{Name: "write", Discard: enctable.Rows.Release, Put: func(ctx context.Context, y enctable.Rows) error {
			defer y.Release()
			return enctable.WriteRows(ctx, out, y, x.plan.Records, x.request.Layout == slots.Blocks)
		}},
	})
	if err == nil {
		err = feed.finish()
	}
	if err != nil {
		return nil, job.UnwrapStage(err)
	}
	pk := x.request.Key.Public
	report := &job.Report{Out: name, Kernel: pk.Kernel(), Key: job.DescribeKey(pk), Inputs: x.src.Rows.Files, Missing: map[string]int64{}}
	report.Records = s.records.Load()
	out.Table().Rows = report.Records
	if report.Privacy, err = x.chargeFor(ctx); err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	var making []engine.StageStats
	report.Tables, making = x.tables.Report(ctx)
	report.Ciphertexts = s.ciphertexts.Load()
	report.Values = report.Records * int64(len(x.request.Measures))
	for i, m := range x.request.Measures {
		report.Measures = append(report.Measures, m.Name)
		report.Missing[m.Name] += s.missing[i].Load()
	}
	stats.Stages = append(making, stats.Stages...)
	report.Finish(start, stats)
	return report, nil
}

// seal says who signs the table.
func (e *Request) seal(ctx context.Context) (s trust.Seal, err error) {
	if e.Sign != nil {
		s.Signer, err = e.Sign(ctx)
	}
	return s, err
}

// checkFingerprint refuses another key than the one that is demanded.
func (e *Request) checkFingerprint() error {
	switch got := e.Key.Public.Fingerprint(); {
	case e.Fingerprint == "" || e.Fingerprint == got:
		return nil
	case !trust.IsFingerprint(e.Fingerprint):
		return job.Misuse("It is what keygen and inspect print: 64 hex digits.", "‹fingerprint› %s is no fingerprint of a key", e.Fingerprint)
	default:
		return column.Refuse(e.Key.File, "this is key %s, and ‹fingerprint› demands %s", got, e.Fingerprint).
			WithHint("Somebody gave you another public key. Ask the key holder, over another channel, for the right one.")
	}
}

// check refuses what is wrong before any file is opened, and fills in defaults.
func (e *Request) check() error {
	if err := job.CheckRowsPerFile(e.RowsPerFile); err != nil {
		return err
	}
	if e.Layout == "" {
		e.Layout = slots.Records
	}
	if e.Layout != slots.Records && e.Layout != slots.Blocks {
		return job.Misuse("Layouts are records and blocks.", "unknown layout %q", e.Layout)
	}
	if e.MaxAdds == 0 {
		e.MaxAdds = slots.MaxAddsRecords
		if e.Layout == slots.Blocks {
			e.MaxAdds = slots.MaxAddsBlocks
		}
	}
	if e.MaxAdds < 1 || e.MaxAdds > slots.MaxAddsLimit {
		return job.Misuse("It is the number of records that may ever be added up in one sum.", "‹max_adds› %d is not between 1 and 2^40", e.MaxAdds)
	}
	if !slices.Contains([]string{"", keys.CacheAuto, keys.CacheOn, keys.CacheOff}, e.TableCache) {
		return job.Misuse("Choose auto, on or off.", "unknown ‹table_cache› %s", e.TableCache)
	}
	if e.DropUnlisted && len(e.Universe) == 0 {
		return job.Misuse("Give the reference list with ‹universe›.", "‹drop_unlisted› without ‹universe›")
	}
	if err := e.checkPrivacy(); err != nil {
		return err
	}
	return e.Spec.Check()
}

// findBounds is the first pass, over the measures that were declared without max.
func (x *encryption) findBounds(ctx context.Context) error {
	search := x.request.searchBounds()
	if len(search.find) == 0 {
		return nil
	}
	r, err := x.src.Open(ctx, search.columns())
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer x.request.Watch("find bounds", progress)()
	err = column.Each(ctx, r, func(b column.Batch) error {
		progress.Done.Add(b.NumRows())
		return search.add(b, 0)
	})
	if err != nil {
		return err
	}
	x.request.expected = progress.Done.Load()
	search.settle()
	return nil
}

// boundSearch finds the bounds of the measures that were declared without max.
type boundSearch struct {
	e      *Request
	find   []int   // which measures
	most   []int64 // the largest magnitude of each so far
	values slots.Scaled
}

func (e *Request) searchBounds() *boundSearch {
	s := &boundSearch{e: e}
	for i, m := range e.Measures {
		if m.Bound == 0 {
			s.find = append(s.find, i)
		}
	}
	s.most = make([]int64, len(s.find))
	return s
}

func (s *boundSearch) columns() []string { return slots.Names(s.e.Measures, s.find) }

// add checks every value of a batch, whose columns from `first` on are the measures looked at.
func (s *boundSearch) add(b column.Batch, first int) error {
	for k, i := range s.find {
		if err := slots.ScaleColumn(&s.values, b, first+k, s.e.Measures[i]); err != nil {
			return err
		}
		s.most[k] = max(s.most[k], s.values.Largest())
	}
	return nil
}

// settle rounds the bounds found up and gives them to the measures.
func (s *boundSearch) settle() {
	var texts []string // of the bounds, in order of their first measure
	found := map[string][]string{}
	for k, i := range s.find {
		m := &s.e.Measures[i]
		m.Bound = slots.RoundBound(s.most[k])
		text := slots.DecimalText(m.Bound, m.Decimals)
		if found[text] == nil {
			texts = append(texts, text)
		}
		found[text] = append(found[text], m.Name)
	}
	for _, text := range texts {
		names := found[text]
		if more := len(names) - 8; more > 0 {
			names = append(slices.Clone(names[:8]), fmt.Sprintf("and %d more", more))
		}
		s.e.Log.Info("bound found in the data; other owners must use the same", "max", text, "measures", strings.Join(names, ", "))
	}
}
