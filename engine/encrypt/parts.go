package encrypt

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// SurveyResult is what the parts of an encryption must agree on, as a first reading of the source finds it.
type SurveyResult struct {
	Key             job.KeyReport     `json:"key"`
	Inputs          []job.InputReport `json:"inputs"`
	Records         int64             `json:"records"`  // of the encrypted table
	Measures        []string          `json:"measures"` // in order, with "*" resolved
	Bounds          []int64           `json:"bounds"`   // of the measures' scaled integers: declared or found
	Columns         int               `json:"columns"`  // of ciphertexts
	CiphertextBytes int               `json:"ciphertext_bytes"`
	MaxAdds         int64             `json:"max_adds"`
	BlockRecords    int64             `json:"block_records"` // records in a row of the table; parts begin at a multiple of it

	// These are for the report and need a reading of the whole source: see Report.
	Unlisted    int64            `json:"unlisted,omitempty"`
	Filled      map[string]int64 `json:"filled,omitempty"`
	Preparation []ctfile.Step    `json:"preparation,omitempty"`
	Variants    *vcfio.Tally     `json:"variants,omitempty"`
}

// Complete adds to the report of an encryption in parts what the survey found.
func (s *SurveyResult) Complete(r *job.Report) {
	r.Inputs, r.Unlisted, r.Filled, r.Preparation, r.Variants = s.Inputs, s.Unlisted, s.Filled, s.Preparation, s.Variants
}

// Rows is the number of rows of the encrypted table.
func (s *SurveyResult) Rows() int64 { return (s.Records + s.BlockRecords - 1) / s.BlockRecords }

// Survey reads the source once. It counts the records, finds the bounds of measures declared without max, and checks
// what depends on the whole source: ids that come twice in blocks, and ids that are not in the universe. It shows that
// the layout holds every sum. Nothing is written.
func Survey(ctx context.Context, e Request) (*SurveyResult, error) {
	if err := e.Privacy.InOnePiece(); err != nil {
		return nil, err
	}
	x, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	records, err := x.survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.layOut(); err != nil {
		return nil, err
	}
	s := &SurveyResult{
		Key: job.DescribeKey(x.request.Key.Public), Inputs: x.src.Rows.Files, Records: records, Columns: len(x.table.Columns),
		CiphertextBytes: x.request.Key.Public.CiphertextSize(), MaxAdds: x.request.MaxAdds, BlockRecords: int64(x.plan.Records), Unlisted: x.unlisted,
	}
	s.Filled, s.Preparation = x.src.Filled(), x.table.Preparation
	if x.src.Vcf.Tally.Records > 0 {
		s.Variants = &x.src.Vcf.Tally
	}
	for _, m := range x.request.Measures {
		s.Measures, s.Bounds = append(s.Measures, m.Name), append(s.Bounds, m.Bound)
	}
	return s, nil
}

// survey returns how many records there are, and settles the bounds.
func (x *encryption) survey(ctx context.Context) (int64, error) {
	search := x.request.searchBounds()
	columns := x.request.IDs[:1] // to count rows, any column will do
	check := func(column.Batch) error { return nil }
	finish := func() error { return nil }
	listed := int64(-1)
	switch {
	case len(x.request.Universe) > 0:
		u, err := x.openUniverse(ctx, engine.NewBudget(x.request.Memory))
		if err != nil {
			return 0, err
		}
		defer u.ids.Free()
		listed = int64(u.ids.Len())
		columns = x.request.IDs
		check = func(b column.Batch) error {
			if err := ids.CheckPresent(b, len(x.request.IDs)); err != nil {
				return err
			}
			for i := range int(b.NumRows()) {
				if at, err := u.place(b, i); err != nil {
					return err
				} else if at < 0 {
					x.unlisted++
				}
			}
			return nil
		}
	case x.onceOnly():
		f := &sourceFeed{e: &x.request, unique: ids.NewDuplicateFinder(x.request.Memory / 8)}
		defer f.unique.Close()
		columns = x.request.IDs
		check, finish = f.note, f.finish
	}
	wanted := append(slices.Clone(columns), search.columns()...)
	have := column.IndexNames(wanted)
	for _, m := range x.request.Measures {
		if _, ok := have[m.Name]; m.Prepare.Missing != "" && !ok { // to count what is filled
			wanted = append(wanted, m.Name)
		}
	}
	r, err := x.src.Open(ctx, wanted)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer x.request.Watch("survey", progress)()
	err = column.Each(ctx, r, func(b column.Batch) error {
		progress.Done.Add(b.NumRows())
		if err := check(b); err != nil {
			return err
		}
		return search.add(b, len(columns))
	})
	if err == nil {
		err = finish()
	}
	if err != nil {
		return 0, err
	}
	search.settle()
	if listed >= 0 {
		return listed, nil
	}
	return progress.Done.Load(), nil
}

// Parts encrypts ranges of the records, in ascending order, each into a table of its own, as the survey says. Ranges
// begin at multiples of BlockRecords. out names the table of a range; done is called as soon as it is committed. All
// tables of one encryption carry the same id, ctfile.IDDigits hex digits. With enctable.JobDigits they are those of an earlier
// version, which did not say in a footer which table it is, nor of what kind its randomizers are. enctable.Join puts them together: the result is
// that of Run, except for the randomness of the ciphertexts.
func Parts(ctx context.Context, e Request, s *SurveyResult, tableID string, parts []job.Range, out func(job.Range) string, done func(job.Range, *job.Report) error) error {
	x, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := x.follow(s); err != nil {
		return err
	}
	x.table.TableID, x.table.JobID = tableID, tableID[:enctable.JobDigits]
	if tableID == x.table.JobID {
		x.table.TableID, x.table.Randomizers = "", ""
	}
	r, err := x.openRecords(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	for _, part := range parts {
		progress.Total.Add(part.To - part.From)
	}
	defer x.request.Watch("encrypt", progress)()
	for _, part := range parts {
		if err := r.Skip(ctx, part.From); err != nil {
			return err
		}
		feed := endFeed{x.feed(r, r.Range(part.To)), func() error { return x.atEnd(ctx, r, part, s) }}
		report, err := x.write(ctx, out(part), feed, progress)
		if err != nil {
			return err
		}
		if err := done(part, report); err != nil {
			return err
		}
	}
	return nil
}

// endFeed is a feed of a part, of which the source must be where the part ends.
type endFeed struct {
	feed
	atEnd func() error
}

func (f endFeed) finish() error {
	if err := f.feed.finish(); err != nil {
		return err
	}
	return f.atEnd()
}

// atEnd refuses a source that has fewer records than the part, or after the last part more than the survey found.
func (x *encryption) atEnd(ctx context.Context, r *records, part job.Range, s *SurveyResult) error {
	if r.Row != part.To {
		return x.changed("it ends after %d records, of %d", r.Row, s.Records)
	}
	if part.To != s.Records {
		return nil
	}
	switch b, err := r.Take(ctx, math.MaxInt64); err {
	case io.EOF:
		return nil
	case nil:
		b.Release()
		return x.changed("it goes on after %d records", s.Records)
	default:
		return err
	}
}

// follow takes over what a survey decided.
func (x *encryption) follow(s *SurveyResult) error {
	if got := x.request.Key.Public.Fingerprint(); got != s.Key.Fingerprint {
		return column.Refuse(x.request.Key.File, "this is key %s, the encryption began under key %s", job.ShortFingerprint(got), job.ShortFingerprint(s.Key.Fingerprint)).
			WithHint("Use the key that it began with, or begin anew.")
	}
	if len(x.request.Measures) != len(s.Measures) || len(s.Bounds) != len(s.Measures) {
		return x.changed("it has %d measures where there were %d", len(x.request.Measures), len(s.Measures))
	}
	for i := range x.request.Measures {
		if x.request.Measures[i].Name != s.Measures[i] {
			return x.changed("measure %d is %s where it was %s", i+1, column.Quote(x.request.Measures[i].Name), column.Quote(s.Measures[i]))
		}
		x.request.Measures[i].Bound = s.Bounds[i]
	}
	if err := x.layOut(); err != nil {
		return err
	}
	if len(x.table.Columns) != s.Columns || int64(x.plan.Records) != s.BlockRecords {
		return fmt.Errorf("the layout has %d columns of %d records, and %d of %d when the encryption began", len(x.table.Columns), x.plan.Records, s.Columns, s.BlockRecords)
	}
	return nil
}

func (x *encryption) changed(format string, args ...any) error {
	return column.Refuse(x.src.Files[0], "the source changed since the encryption began: "+format, args...).
		WithHint("Begin anew with the source as it is.")
}
