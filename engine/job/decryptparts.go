package job

import (
	"context"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
)

// DecryptSurvey is what the parts of a decryption must agree on: the table's footer.
type DecryptSurvey struct {
	Key             KeyReport `json:"key"`
	Rows            int64     `json:"rows"`    // of the file: records or blocks
	Records         int64     `json:"records"` // of the result
	Columns         int       `json:"columns"` // of ciphertexts
	CiphertextBytes int       `json:"ciphertext_bytes"`
	Whole           bool      `json:"whole,omitempty"` // it is one part: it adds noise, for which a budget is charged
}

// SurveyDecryption reads the table's footer. It needs no key and looks at none: the key that it tells of is the table's.
func SurveyDecryption(ctx context.Context, d Decryption) (*DecryptSurvey, error) {
	d.Options, d.Key = d.Options.withDefaults(), Key{}
	if err := d.check(); err != nil {
		return nil, err
	}
	in, err := d.table(ctx)
	if err != nil {
		return nil, err
	}
	o, err := newOpening(&d, in)
	if err != nil {
		return nil, err
	}
	t := in.table
	return &DecryptSurvey{Key: keyReport(o.pk), Rows: t.FileRows(), Records: t.Rows, Columns: len(t.Columns), CiphertextBytes: o.pk.CiphertextSize(), Whole: o.noise != nil}, nil
}

// DecryptParts decrypts ranges of the table's rows, in ascending order, each into a Parquet file of its own. out names the
// file of a range; done is called as soon as it is committed. JoinDecrypted puts them together: the result is the one of
// Decrypt. With noise of a release there is one part, of all rows, for which the budget is charged before it appears.
func DecryptParts(ctx context.Context, d Decryption, parts []Range, out func(Range) string, done func(Range, *Report) error) error {
	d.Options = d.Options.withDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return err
	}
	if all := (Range{0, o.table.FileRows()}); o.noise != nil && (len(parts) != 1 || parts[0] != all) {
		return usage("Decrypt all rows as one part.", "noise for which a budget is charged cannot be added in parts")
	}
	if err := o.noise.affordable(ctx); err != nil {
		return err
	}
	in, err := o.openTable(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	progress := &engine.Progress{}
	for _, part := range parts {
		progress.Total.Add((part.To - part.From) * int64(max(1, o.table.BlockRecords)))
	}
	defer d.Watch("decrypt", progress)()
	for _, part := range parts {
		if err := in.skip(ctx, part.From); err != nil {
			return err
		}
		report, err := o.writePart(ctx, in.rows(part.To), out(part), progress)
		if err != nil {
			return err
		}
		if in.row != part.To {
			return column.Refuse(d.In, "the table ends after %d rows, within the part from %d to %d", in.row, part.From, part.To).WithHint("Begin anew with the table as it is.")
		}
		if err := done(part, report); err != nil {
			return err
		}
	}
	return nil
}

// ReportDecryption is the report of a decryption with noise of a release whose output was written before: what the table,
// the key and the budget tell of it. It charges nothing.
func ReportDecryption(ctx context.Context, d Decryption) (*Report, error) {
	d.Options = d.Options.withDefaults()
	o, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Out: d.Out, Kernel: o.pk.Kernel(), Key: keyReport(o.pk), Inputs: []InputReport{{d.In, o.table.Rows}}, Records: o.table.Rows,
		Ciphertexts: o.table.FileRows() * int64(len(o.table.Columns)), Values: o.table.Rows * int64(len(baseMeasures(o.table)))}
	budget, err := ReadBudget(ctx, d.Privacy.Budget)
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

func (o *opening) writePart(ctx context.Context, in column.Reader, name string, progress *engine.Progress) (*Report, error) {
	out, err := createRows(ctx, o.d.Options, name, 0, o.schema)
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
