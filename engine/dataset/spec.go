// Package dataset reads an owner's table: files of any format as one table, long tables turned wide, VCF files as counts of
// alleles, ids and values prepared as declared. It also writes tables in the clear.
//
// Open a Spec to get a Table; every error about the data is a *column.InputError with file, row and column.
package dataset

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Spec says which table an owner has, and how it is prepared.
type Spec struct {
	In         []string // files, globs, directories of part files
	IDs        []string // columns that name a record, kept in the clear: COL[:as=NAME][:ensembl|:variant]
	Tokenize   []string // lists of these, COL[,COL], each replaced by one token
	TokenKey   string   // the file of the key of tokens
	Duplicates string   // what becomes of rows with one id: "" keeps them (in blocks they are refused), or one of the constants
	Pivot      string   // NAME_COLUMN:VALUE_COLUMN of a long table
	Constants  []string // files with the columns measure, mean, sd, low and high, for zscore and clip
	Measures   []slots.Measure
	Squares    []string
	Products   []string // A*B
	Nulls      []string // text that means a missing value; nil is column.NullsDefault
	VCF        VCF      // what to read of VCF files
}

// Needs are the requirements of the verb that opens a table.
type Needs struct {
	Output      func(inputs []string) error // checks the name of the output, given the files that are read
	Lists       []string                    // patterns of reference lists that are read with the table
	MayBeEmpty  bool                        // a table without a row is no mistake
	OnceOnly    bool                        // an id may come only once, unless rows of one id are combined
	NoteSamples bool                        // the preparation says that the result carries tokens of samples
	TokenKey    bool                        // the key of tokens is used for more than ids
}

// Table is an owner's table, opened. IDs are those of the result, measures are all named, and have the bounds that their preparation tells.
type Table struct {
	Spec
	Src      Source
	Tuples   [][]slots.Quantity
	IDFields []arrow.Field
}

// Check refuses what is wrong before any file is opened.
func (e *Spec) Check() error {
	if len(e.IDs) == 0 {
		return job.Misuse("Name the columns that identify a record: ‹id› COL[,COL].", "no id column")
	}
	if len(e.Measures) == 0 {
		return job.Misuse("Name what to encrypt: ‹measure› NAME[:decimals=D][:max=M].", "no measure")
	}
	return nil
}

// OpenFiles lists the files of the table and prepares their ids. Measures are not looked at.
func (e *Spec) OpenFiles(ctx context.Context, o job.Options, n Needs) (Source, error) {
	src, err := List(ctx, o, e.In, e.Nulls)
	if err != nil {
		return src, err
	}
	if err := e.VCF.checkUsed(ctx, o.FS, src.Files, n.Lists); err != nil {
		return src, err
	}
	src.mayBeEmpty = n.MayBeEmpty
	if src.Vcf, err = e.VCF.reading(ctx, o.FS); err != nil {
		return src, err
	}
	if err := n.Output(src.Files); err != nil {
		return src, err
	}
	return src, e.prepare(ctx, o, n, &src)
}

// Open checks everything that can be known without reading the rows.
func (e Spec) Open(ctx context.Context, o job.Options, n Needs) (*Table, error) {
	src, err := e.OpenFiles(ctx, o, n)
	if err != nil {
		return nil, err
	}
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.resolve(src.Files[0], schema); err != nil {
		return nil, src.Vcf.explain(ctx, o.FS, src.Files[0], &e, err)
	}
	if err := e.prepareMeasures(ctx, o, &src); err != nil {
		return nil, err
	}
	var products [][2]string
	for _, spec := range e.Products {
		p, err := slots.ParseProduct(spec, e.Measures)
		if err != nil {
			return nil, err
		}
		products = append(products, p)
	}
	t := &Table{Src: src}
	if t.Tuples, err = slots.Quantities(e.Measures, e.Squares, products); err != nil {
		return nil, err
	}
	if err := slots.CheckResultNames(e.IDs, e.Measures, e.Squares, products); err != nil {
		return nil, err
	}
	if t.IDFields, err = e.idFieldsOf(src.Files[0], schema); err != nil {
		return nil, err
	}
	t.Spec = e
	return t, nil
}

// resolve checks that the columns of measures are there. It replaces the measure "*" by all columns of the files,
// except ids, columns named otherwise, and those in which a VCF or BED file says what a row is about.
func (e *Spec) resolve(file string, schema *arrow.Schema) error {
	have := column.Names(schema)
	if err := column.CheckNames(file, have); err != nil {
		return err
	}
	var measures []slots.Measure
	there := column.IndexNames(have)
	named := map[string]bool{} // columns that "*" does not stand for
	for _, names := range [][]string{e.IDs, Formats[blob.Ext(file)].keys, slots.NamesOf(e.Measures)} {
		for _, name := range names {
			named[name] = true
		}
	}
	_, star := there[slots.AllColumns]
	for _, m := range e.Measures {
		if m.Name != slots.AllColumns || star {
			measures = append(measures, m)
			continue
		}
		for i, name := range have {
			if !named[name] && !column.IsPartition(schema.Field(i)) {
				measures = append(measures, slots.Measure{Name: name, Decimals: m.Decimals, Bound: m.Bound, Prepare: m.Prepare})
			}
		}
	}
	if len(measures) == 0 {
		return column.Refuse(file, "%w: all are ids", errNoMeasure).WithHint("Name fewer columns in ‹id›.")
	}
	e.Measures = measures
	seen := map[string]bool{}
	for _, name := range e.IDs {
		if seen[name] {
			return job.Misuse("Name every id column once.", "id column %s is given twice", column.Quote(name))
		}
		seen[name] = true
	}
	for _, m := range e.Measures {
		if seen[m.Name] {
			return job.Misuse("An id is kept in the clear, a measure is encrypted.", "column %s is both an id and a measure", column.Quote(m.Name))
		}
	}
	for _, name := range e.Columns() {
		if _, ok := there[name]; !ok {
			missing := column.MissingColumn(file, name, have)
			if strings.Contains(name, ":") && slots.Has(e.Measures, name) {
				missing.Hint += " What follows a colon is taken for a part of the name unless it is a setting: " + strings.Join(slots.Settings, ", ") + "."
			}
			return missing
		}
	}
	return nil
}

var errNoMeasure = errors.New("no column is left to encrypt")

func (e *Spec) Columns() []string {
	out := slices.Clone(e.IDs)
	for _, m := range e.Measures {
		out = append(out, m.Name)
	}
	return out
}

func (e *Spec) idFieldsOf(file string, schema *arrow.Schema) ([]arrow.Field, error) {
	var fields []arrow.Field
	for _, name := range e.IDs {
		f := schema.Field(schema.FieldIndices(name)[0])
		if err := ids.CheckType(file, f); err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type})
	}
	return fields, nil
}

// prepare puts what the spec declares about ids, duplicates and long tables between the source's files and the rest.
// From then on IDs are the names in the table.
func (e *Spec) prepare(ctx context.Context, o job.Options, n Needs, src *Source) error {
	if !slices.Contains(slots.Duplicates, e.Duplicates) {
		return job.Misuse("Choose "+strings.Join(slots.Duplicates[1:], ", ")+".", "unknown ‹duplicates› %s", e.Duplicates)
	}
	ids, err := ids.Parse(e.IDs, e.Tokenize)
	if err != nil {
		return err
	}
	x := &preparer{IDs: ids, duplicates: e.Duplicates, noteSamples: n.NoteSamples}
	if err := e.readTokenKey(ctx, o, n, x); err != nil {
		return err
	}
	if e.Pivot != "" {
		if src.pivot, err = newPivot(e.Pivot, x.IDs); err != nil {
			return err
		}
	}
	if n.OnceOnly && x.duplicates == "" {
		x.duplicates = slots.DuplicatesRefuse
	}
	e.IDs = x.names()
	src.Prep = x
	return nil
}

// readTokenKey reads the key of tokens when something needs it.
func (e *Spec) readTokenKey(ctx context.Context, o job.Options, n Needs, x *preparer) error {
	needed := x.tokenises() || n.TokenKey
	switch {
	case needed && e.TokenKey == "":
		return job.Misuse("Give the file that «keygen ‹token_key›» wrote: ‹token_key› FILE.", "tokens need a key")
	case !needed && e.TokenKey != "":
		return job.Misuse("Name the id columns to replace: ‹tokenize› COL[,COL].", "‹token_key› without ‹tokenize›")
	case !needed:
		return nil
	}
	var err error
	x.Key, err = ids.ReadTokenKey(ctx, o.FS, e.TokenKey)
	return err
}

// prepareMeasures fills in constants, and bounds that follow from the preparations of measures. It removes the
// preparer when there is nothing to prepare.
func (e *Spec) prepareMeasures(ctx context.Context, o job.Options, src *Source) error {
	constants, err := e.readConstants(ctx, o)
	if err != nil {
		return err
	}
	for i := range e.Measures {
		m := &e.Measures[i]
		if err := constants.fillIn(m); err != nil {
			return err
		}
		if bound, ok := m.Prepare.Bound(m.Decimals); ok && m.Bound == 0 && e.Duplicates != slots.DuplicatesSum {
			m.Bound = bound
		}
	}
	if err := src.Prep.measure(e.Measures); err != nil {
		return err
	}
	if src.Prep.plain() {
		src.Prep = nil
	}
	return nil
}
