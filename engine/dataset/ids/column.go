package ids

import (
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// Column is an id column of the table and its sources.
type Column struct {
	Name   string
	Fields []Field // one, or with a token any number
	Token  bool
}

// Field is a column of the source and how its values are normalised.
type Field struct {
	Column    string // of the source
	Name      string // by which the table would have it
	normalise string // "", "ensembl" or "variant"
}

// Ways to normalise an id.
const (
	ensembl = "ensembl" // ENSG00000141510.11 becomes ENSG00000141510
	variant = "variant" // chr17:7676154:GG:GC becomes 17:7676155:G:C
)

// Parse reads the SPECs of ids, COL[:as=NAME][:ensembl|:variant], and lists of columns to be replaced by one token
// each. A list's token takes the place of its first column.
func Parse(specs, tokenize []string) ([]Column, error) {
	const hint = "Write COL, COL:ensembl, COL:variant or COL:as=NAME."
	var out []Column
	for _, spec := range specs {
		f := Field{Column: spec}
		for {
			i := strings.LastIndexByte(f.Column, ':')
			if i < 0 {
				break
			}
			setting := f.Column[i+1:]
			if name, ok := strings.CutPrefix(setting, "as="); ok && f.Name == "" && name != "" {
				f.Name = name
			} else if f.normalise == "" && (setting == ensembl || setting == variant) {
				f.normalise = setting
			} else {
				break // a colon of the name itself
			}
			f.Column = f.Column[:i]
		}
		if f.Column == "" {
			return nil, job.Misuse(hint, "id %s has no name", column.Quote(spec))
		}
		if f.Name == "" {
			f.Name = f.Column
		}
		if slices.ContainsFunc(out, func(c Column) bool { return c.Name == f.Name }) {
			return nil, job.Misuse("Name every id column once.", "id column %s is given twice", column.Quote(f.Name))
		}
		out = append(out, Column{Name: f.Name, Fields: []Field{f}})
	}
	for _, list := range tokenize {
		names := strings.Split(list, ",")
		token := Column{Name: strings.Join(names, "_"), Token: true}
		at := -1
		for _, name := range names {
			i := slices.IndexFunc(out, func(c Column) bool { return c.Name == name })
			if i < 0 {
				return nil, job.Misuse("Name it in ‹id› too.", "‹tokenize› %s, which is no id column", column.Quote(name))
			}
			if out[i].Token {
				return nil, job.Misuse("Name every column once.", "%s is tokenised twice", column.Quote(name))
			}
			token.Fields = append(token.Fields, out[i].Fields...)
			if at < 0 {
				at = i
				out[i].Fields = nil
			} else {
				out = slices.Delete(out, i, i+1)
				if i < at {
					at--
				}
			}
		}
		out[at] = token
	}
	return out, nil
}

// Plain says whether the column is a source's as it is.
func (c *Column) Plain() bool {
	return !c.Token && c.Fields[0].normalise == "" && c.Fields[0].Name == c.Fields[0].Column
}

// Steps is the preparation of the column as the footer has it. check is the check value of the token key.
func (c *Column) Steps(check string) []ctfile.Step {
	var out []ctfile.Step
	for _, f := range c.Fields {
		if f.normalise != "" {
			s := ctfile.Step{On: c.Name, Step: f.normalise}
			if len(c.Fields) > 1 {
				s.Value = f.Name
			}
			out = append(out, s)
		}
	}
	if c.Token {
		out = append(out, ctfile.Step{On: c.Name, Step: "token", Value: check})
	}
	return out
}

// Field is the column of the table, given those of its fields.
func (c *Column) Field(sources []arrow.Field) arrow.Field {
	if c.Token || c.Fields[0].normalise != "" {
		return arrow.Field{Name: c.Name, Type: arrow.BinaryTypes.String, Nullable: sources[0].Nullable}
	}
	f := sources[0]
	f.Name = c.Name
	return f
}

// Values makes the column's values of a batch, in which its fields are the columns from `first` on. The caller releases
// them.
func (c *Column) Values(b column.Batch, first int, key *Tokeniser) (arrow.Array, error) {
	if !c.Token && c.Fields[0].normalise == "" {
		arr := b.Column(first)
		arr.Retain()
		return arr, nil
	}
	out := array.NewStringBuilder(memory.DefaultAllocator)
	defer out.Release()
	for i := range int(b.NumRows()) {
		if c.Token {
			key.begin()
		}
		missing := false
		text := ""
		for k, f := range c.Fields {
			arr := b.Column(first + k)
			if missing = missing || arr.IsNull(i); missing {
				break
			}
			var err error
			if text, err = f.text(b, arr, i); err != nil {
				return nil, err
			}
			if c.Token {
				key.add(text)
			}
		}
		switch {
		case missing:
			out.AppendNull() // refused by those who need an id
		case c.Token:
			out.Append(key.end())
		default:
			out.Append(text)
		}
	}
	return out.NewArray(), nil
}

// ensemblID is a stable identifier with its version; _PAR_Y is how GENCODE tells genes of the pseudo-autosomal regions of Y.
var ensemblID = regexp.MustCompile(`^(ENS[A-Z]{0,6}(?:E|FM|GT|G|P|R|T)[0-9]{11})(?:\.[0-9]+)?(_PAR_Y)?$`)

// text is the normalised value in row i of a batch, not null.
func (f *Field) text(b column.Batch, arr arrow.Array, i int) (string, error) {
	text := arr.ValueStr(i)
	switch f.normalise {
	case ensembl:
		m := ensemblID.FindStringSubmatch(text)
		if m == nil {
			return "", b.Refuse(i, f.Column, "%s is not an Ensembl identifier", column.Quote(text)).
				WithHint("It looks like ENSG00000141510 or ENSG00000141510.11. Leave :ensembl out if the ids are of another kind.")
		}
		return m[1] + m[2], nil
	case variant:
		v, ok := vcfio.NormaliseVariant(text)
		if !ok {
			return "", b.Refuse(i, f.Column, "%s is not a variant", column.Quote(text)).
				WithHint("It looks like 17:7676154:G:C, with a chromosome, a position, the reference allele and the alternative one.")
		}
		return v, nil
	}
	return text, nil
}

// ValuesOf is values of a batch that has the named columns of the source in any order.
func (c *Column) ValuesOf(b column.Batch, columns []string, key *Tokeniser) (arrow.Array, error) {
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, f := range c.Fields {
		i := slices.Index(columns, f.Column)
		fields, arrays = append(fields, b.Schema().Field(i)), append(arrays, b.Column(i))
	}
	part := b
	part.Record = array.NewRecord(arrow.NewSchema(fields, nil), arrays, b.NumRows())
	defer part.Release()
	return c.Values(part, 0, key)
}
