package dataset

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// preparer turns an owner's source, as its files have it, into the table to be encrypted: ids normalised or replaced
// by tokens, values prepared, rows of one id combined. It is between the readers of files and everything else, which
// sees one plain table.
type preparer struct {
	IDs         []ids.Column
	measures    []string                    // all of the table, in order; set when they are known
	prepared    map[string]*measurePreparer // those that are not taken as they are
	ordered     []*measurePreparer
	Key         *ids.TokenKey // nil without tokens
	noteSamples bool          // the table carries tokens of samples
	duplicates  string        // what to do with rows of one id: "" keeps them
	fitted      bool
	gathered    *materialized // the whole table, when it had to be held in memory; made once
}

// materializes says whether all rows must be in memory before the first can be delivered. Tokens are delivered in
// their own order. The source's order would reveal which id is which to anyone with a list of ids in that order.
func (x *preparer) materializes() bool {
	return slices.Contains([]string{slots.DuplicatesSum, slots.DuplicatesMean, slots.DuplicatesFirst}, x.duplicates) || x.tokenises()
}

func (x *preparer) tokenises() bool {
	return slices.ContainsFunc(x.IDs, func(c ids.Column) bool { return c.Token })
}

// names are the id columns of the table.
func (x *preparer) names() []string {
	var out []string
	for _, c := range x.IDs {
		out = append(out, c.Name)
	}
	return out
}

// Sources are the columns of the source that ids are made of.
func (x *preparer) Sources() []string {
	var out []string
	for _, c := range x.IDs {
		for _, f := range c.Fields {
			if !slices.Contains(out, f.Column) {
				out = append(out, f.Column)
			}
		}
	}
	return out
}

// Schema is that of the table, given the source's: the ids, and then every other column as it is in the source.
func (x *preparer) Schema(file string, source *arrow.Schema) (*arrow.Schema, error) {
	have := column.Names(source)
	if err := column.CheckNames(file, have); err != nil {
		return nil, err
	}
	used, names := map[string]bool{}, map[string]bool{}
	for _, name := range x.Sources() {
		used[name] = true
	}
	for _, name := range x.names() {
		names[name] = true
	}
	var fields []arrow.Field
	for _, c := range x.IDs {
		var from []arrow.Field
		for _, f := range c.Fields {
			i := slices.Index(have, f.Column)
			if i < 0 {
				return nil, column.MissingColumn(file, f.Column, have)
			}
			if err := ids.CheckType(file, source.Field(i)); err != nil {
				return nil, err
			}
			from = append(from, source.Field(i))
		}
		fields = append(fields, c.Field(from))
	}
	for _, f := range source.Fields() {
		if used[f.Name] {
			continue
		}
		if names[f.Name] {
			return nil, job.Misuse("Give the id another name by :as=NAME.", "%s has a column %s already, which is no id", file, column.Quote(f.Name))
		}
		fields = append(fields, f)
	}
	return arrow.NewSchema(fields, nil), nil
}

// measure takes the measures of the table.
func (x *preparer) measure(list []slots.Measure) error {
	x.measures, x.prepared, x.ordered = nil, map[string]*measurePreparer{}, nil
	for _, m := range list {
		x.measures = append(x.measures, m.Name)
		if m.Prepare == (slots.Preparation{}) && !x.materializes() {
			continue
		}
		p, err := newMeasurePreparer(m)
		if err != nil {
			return err
		}
		x.prepared[m.Name], x.ordered = p, append(x.ordered, p)
	}
	return nil
}

// steps is the preparation as the footer has it.
func (x *preparer) steps(measures []slots.Measure) []ctfile.Step {
	check := ""
	if x.Key != nil {
		check = x.Key.Check()
	}
	var out []ctfile.Step
	for _, c := range x.IDs {
		out = append(out, c.Steps(check)...)
	}
	for _, m := range measures {
		out = append(out, m.Prepare.Steps(m.Name)...)
	}
	if x.duplicates != "" && x.duplicates != slots.DuplicatesRefuse {
		out = append(out, ctfile.Step{Step: "duplicates", Value: x.duplicates})
	}
	if x.noteSamples {
		out = append(out, ctfile.Step{Step: ids.SampleStep, Value: check})
	}
	return out
}

// filled returns how many missing values were filled, by measure.
func (x *preparer) filled() map[string]int64 {
	out := map[string]int64{}
	for _, p := range x.ordered {
		if p.filled > 0 {
			out[p.Name] = p.filled
		}
	}
	return out
}

// open reads columns of the table.
func (x *preparer) open(ctx context.Context, s Source, columns []string) (column.Reader, error) {
	if err := x.fit(ctx, s); err != nil {
		return nil, err
	}
	if !x.materializes() {
		return x.stream(ctx, s, columns)
	}
	if x.gathered == nil {
		g, err := x.materialize(ctx, s)
		if err != nil {
			return nil, err
		}
		x.gathered = g
	}
	return x.gathered.reader(columns), nil
}

// stream reads columns of the table as rows come.
func (x *preparer) stream(ctx context.Context, s Source, columns []string) (column.Reader, error) {
	r := &preparedReader{preparer: x}
	if x.Key != nil {
		r.tokens = x.Key.IDs()
	}
	var wanted []string // of the source
	for _, name := range columns {
		c := preparedColumn{first: len(wanted)}
		if i := slices.IndexFunc(x.IDs, func(c ids.Column) bool { return c.Name == name }); i >= 0 {
			c.id = &x.IDs[i]
			for _, f := range c.id.Fields {
				wanted = append(wanted, f.Column)
			}
		} else {
			if c.measure = x.prepared[name]; c.measure != nil {
				c.measure.filled = 0
			}
			wanted = append(wanted, name)
		}
		r.columns = append(r.columns, c)
	}
	// A source column may be part of several id columns; readers deliver each once.
	distinct := slices.Clone(wanted)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	if len(distinct) != len(wanted) {
		return nil, job.Misuse("Give every column of the source one role.", "a column is used twice: %s", strings.Join(columns, ", "))
	}
	source, err := s.OpenRaw(ctx, wanted)
	if err != nil {
		return nil, err
	}
	r.Reader = source
	var fields []arrow.Field
	for i, c := range r.columns {
		f := source.Schema().Field(c.first)
		switch {
		case c.id != nil:
			f = c.id.Field(source.Schema().Fields()[c.first : c.first+len(c.id.Fields)])
		case c.measure != nil:
			f = arrow.Field{Name: columns[i], Type: preparedType(c.measure.Decimals), Nullable: true}
		}
		fields = append(fields, f)
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r, nil
}

// preparedReader prepares the batches of a source.
type preparedReader struct {
	column.Reader // of the source
	*preparer
	columns []preparedColumn
	schema  *arrow.Schema
	tokens  *ids.Tokeniser
	values  slots.Scaled
}

// preparedColumn is where a column comes from: the source's columns from first on, and what is done with them.
type preparedColumn struct {
	first   int
	id      *ids.Column      // or
	measure *measurePreparer // or, with neither, as it is
}

func (r *preparedReader) File() string          { return column.FileOf(r.Reader) }
func (r *preparedReader) Schema() *arrow.Schema { return r.schema }

func (r *preparedReader) Read(ctx context.Context) (column.Batch, error) {
	b, err := r.Reader.Read(ctx)
	if err != nil {
		return column.Batch{}, err
	}
	defer b.Release()
	var arrays []arrow.Array
	defer func() { ids.Release(arrays) }()
	for _, c := range r.columns {
		var arr arrow.Array
		switch {
		case c.id != nil:
			arr, err = c.id.Values(b, c.first, r.tokens)
		case c.measure != nil:
			if err = c.measure.values(&r.values, b, c.first, true); err == nil {
				arr = decimals(&r.values, c.measure.Decimals)
			}
		default:
			arr = b.Column(c.first)
			arr.Retain()
		}
		if err != nil {
			return column.Batch{}, err
		}
		arrays = append(arrays, arr)
	}
	out := b
	out.Record = array.NewRecord(r.schema, arrays, b.NumRows())
	return out, nil
}

// steps of a source of VCF files.
func (g *variants) steps(files []string) []ctfile.Step {
	if !slices.ContainsFunc(files, vcfio.IsVCF) {
		return nil
	}
	out := []ctfile.Step{{Step: "source", Value: "vcf"}}
	o := g.options
	for _, x := range []struct{ step, value, otherwise string }{
		{"vcf dosage", o.Dosage, vcfio.GT}, {"vcf multiallelic", o.Multiallelic, vcfio.Split}, {"vcf symbolic", o.Symbolic, vcfio.Keep},
		{"vcf alleles", o.Alleles, vcfio.Trim}, {"vcf chrom-prefix", o.ChromPrefix, vcfio.Keep},
		{"vcf filter", strings.Join(o.Filter, ","), ""}, {"vcf af", g.af, ""}, {"vcf region", strings.Join(g.regions, ","), ""},
	} {
		if x.value == "" {
			x.value = x.otherwise
		}
		if x.value != "" {
			out = append(out, ctfile.Step{Step: x.step, Value: x.value})
		}
	}
	return out
}

// ForIDs returns the preparation of a reference list of the ids. They are written in it as in the source, under the
// names that the table has.
func (x *preparer) ForIDs() *preparer {
	y := &preparer{Key: x.Key, duplicates: slots.DuplicatesRefuse}
	for _, c := range x.IDs {
		c.Fields = slices.Clone(c.Fields)
		for i := range c.Fields {
			c.Fields[i].Column = c.Fields[i].Name
		}
		y.IDs = append(y.IDs, c)
	}
	return y
}

// plain says whether nothing is to be done.
func (x *preparer) plain() bool {
	return len(x.ordered) == 0 && !x.materializes() && x.Key == nil && !slices.ContainsFunc(x.IDs, func(c ids.Column) bool { return !c.Plain() })
}

// Steps is the preparation of the whole table, for its footer.
func (s Source) Steps(measures []slots.Measure) []ctfile.Step {
	var out []ctfile.Step
	if s.Prep != nil {
		out = s.Prep.steps(measures)
	}
	return append(out, s.Vcf.steps(s.Files)...)
}

// Filled returns how many missing values were filled in the last pass, by measure.
func (s Source) Filled() map[string]int64 {
	if s.Prep == nil {
		return nil
	}
	return s.Prep.filled()
}
