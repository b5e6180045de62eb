package decrypt

import (
	"context"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

// SurveyResult is what the parts of a decryption must agree on: the table's footer.
type SurveyResult struct {
	Key             job.KeyReport `json:"key"`
	Rows            int64         `json:"rows"`    // of the file: records or blocks
	Records         int64         `json:"records"` // of the result
	Columns         int           `json:"columns"` // of ciphertexts
	CiphertextBytes int           `json:"ciphertext_bytes"`
	Whole           bool          `json:"whole,omitempty"`    // it is one part: it adds noise, for which a budget is charged
	OnePart         bool          `json:"one_part,omitempty"` // it is one part: what is suppressed depends on all records
}

// Survey reads the table's footer. It needs and reads no key: the key that it reports is the table's.
func Survey(ctx context.Context, d Request) (*SurveyResult, error) {
	d.Options, d.Key = d.Options.WithDefaults(), keys.Key{}
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	in, err := d.table(ctx)
	if err != nil {
		return nil, err
	}
	o, err := newDecryption(&d, in)
	if err != nil {
		return nil, err
	}
	t := in.Table
	return &SurveyResult{Key: job.DescribeKey(o.pk), Rows: t.FileRows(), Records: t.Rows, Columns: len(t.Columns), CiphertextBytes: o.pk.CiphertextSize(), Whole: o.noise != nil, OnePart: d.MinCount > 0}, nil
}

// Parts decrypts ranges of the table's rows, in ascending order, each into a Parquet file of its own. out names the
// file of a range; done is called as soon as it is committed. JoinDecrypted puts them together: the result is the one of
// Decrypt. With noise of a release there is one part, of all rows, for which the budget is charged before it appears. With
// MinCount there is one part as well.
func Parts(ctx context.Context, d Request, parts []job.Range, out func(job.Range) string, done func(job.Range, *job.Report) error) error {
	d.Options = d.Options.WithDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return err
	}
	all := job.Range{From: 0, To: o.table.FileRows()}
	switch {
	case len(parts) == 1 && parts[0] == all:
	case o.noise != nil:
		return job.Misuse("Decrypt all rows as one part.", "noise for which a budget is charged cannot be added in parts")
	case d.MinCount > 0:
		return job.Misuse("Decrypt all rows as one part.", "what is suppressed depends on all records and cannot be decided in parts")
	}
	if err := o.noise.Affordable(ctx); err != nil {
		return err
	}
	progress := &engine.Progress{}
	for _, part := range parts {
		progress.Total.Add((part.To - part.From) * int64(max(1, o.table.BlockRecords)))
	}
	defer d.Watch("decrypt", progress)()
	if d.MinCount > 0 {
		report, w, err := o.writeAll(ctx, out(parts[0]), 0, progress)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.Commit(ctx); err != nil {
			return err
		}
		report.Out = out(parts[0])
		return done(parts[0], report)
	}
	in, err := o.openTable(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	single := int64(0)
	for _, part := range parts {
		if err := in.Skip(ctx, part.From); err != nil {
			return err
		}
		report, err := o.writePart(ctx, in.Range(part.To), out(part), progress)
		if err != nil {
			return err
		}
		if in.Row != part.To {
			return column.Refuse(d.In, "the table ends after %d rows, within the part from %d to %d", in.Row, part.From, part.To).WithHint("Begin anew with the table as it is.")
		}
		single += report.Single
		if err := done(part, report); err != nil {
			return err
		}
	}
	o.warnOfSingle(single)
	return nil
}

// ReportWritten is the report of a decryption with noise of a release whose output was written before. It uses the
// table, the key and the budget. It charges nothing.
func ReportWritten(ctx context.Context, d Request) (*job.Report, error) {
	d.Options = d.Options.WithDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	r := &job.Report{Out: d.Out, Kernel: o.pk.Kernel(), Key: job.DescribeKey(o.pk), Inputs: []job.InputReport{{File: d.In, Rows: o.table.Rows}}, Records: o.table.Rows,
		Ciphertexts: o.table.FileRows() * int64(len(o.table.Columns)), Values: o.table.Rows * int64(len(slots.BaseMeasures(o.table))), Originals: enctable.DescribeOriginals(o.table)}
	budget, err := privacy.ReadBudget(ctx, d.Privacy.Budget)
	if err != nil {
		return nil, err
	}
	state, err := budget.State()
	if err != nil {
		return nil, err
	}
	privacy := *o.privacy
	r.Privacy, privacy.Budget = &privacy, &state
	return r, nil
}

func (o *decryption) writePart(ctx context.Context, in column.Reader, name string, progress *engine.Progress) (*job.Report, error) {
	out, err := dataset.CreateClear(ctx, o.d.Options, name, 0, o.schema)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	report, err := o.write(ctx, in, out, progress)
	if err != nil {
		return nil, err
	}
	if report.Privacy, err = o.charge(ctx); err != nil {
		return nil, err
	}
	report.Out = name
	return report, out.Commit(ctx)
}

// Join writes the rows of the parts of one decrypted table, in their order, into d.Out. It needs no key.
func Join(ctx context.Context, d Request, parts []string) (records int64, err error) {
	d.Options = d.Options.WithDefaults()
	in, err := d.table(ctx)
	if err != nil {
		return 0, err
	}
	o, err := newDecryption(&d, in)
	if err != nil {
		return 0, err
	}
	w, err := dataset.CreateClear(ctx, d.Options, d.Out, d.RowsPerFile, o.schema)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	progress := &engine.Progress{}
	progress.Total.Store(in.Table.Rows)
	defer d.Watch("join", progress)()
	r, err := column.OpenParts(ctx, parts, func(ctx context.Context, part string) (column.Reader, error) {
		return parquetio.Open(ctx, d.FS, part, column.ReadOptions{Threads: d.Threads})
	})
	if err != nil {
		return 0, err
	}
	if !column.SameColumns(r.Schema(), o.schema) {
		r.Close()
		return 0, column.Refuse(parts[0], "not a part of this table").WithHint("Begin anew.")
	}
	r = column.Rechunk(r, o.batchRows()*o.plan.Records) // the batches of Decrypt, as which some formats keep them
	defer r.Close()
	err = column.Each(ctx, r, func(b column.Batch) error {
		records += b.NumRows()
		progress.Done.Add(b.NumRows())
		return w.Write(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	if records != in.Table.Rows {
		return 0, column.Refuse(d.In, "the parts have %d records, the table has %d", records, in.Table.Rows).WithHint("Begin anew.")
	}
	return records, w.Commit(ctx)
}
