package column

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
)

// Candidate is a column that a file has, whether or not its reader can deliver it.
type Candidate struct {
	Field  arrow.Field // as it is delivered; of one that cannot be, its name counts
	Nested bool        // it is a field of a structure, called by its path: a.b
	Type   string      // of one that cannot be delivered: what it is, as the format calls it
	Err    error       // not nil: it cannot be delivered, and why
	Hint   string      // and what to do about it
}

// Keys of the metadata of a field that stands for a column that cannot be delivered.
const (
	unreadableMark = "cipherfold.unreadable"
	unreadableHint = "cipherfold.unreadable.hint"
	unreadableType = "cipherfold.unreadable.type"
)

const hintOtherColumn = "Choose other columns, or convert this one."

// unreadable is the field of a candidate that cannot be delivered.
func (c *Candidate) unreadable() arrow.Field {
	hint := c.Hint
	if hint == "" {
		hint = hintOtherColumn
	}
	return arrow.Field{Name: c.Field.Name, Type: arrow.Null, Nullable: true,
		Metadata: arrow.NewMetadata([]string{unreadableMark, unreadableHint, unreadableType}, []string{c.Err.Error(), hint, c.Type})}
}

// refuse is the error of who asks for it.
func (c *Candidate) refuse(file string) *InputError {
	hint := c.Hint
	if hint == "" {
		hint = hintOtherColumn
	}
	return Refuse(file, "%w", c.Err).InColumn(c.Field.Name).WithHint("%s", hint)
}

// CheckReadable returns an InputError when a field of a reader's schema stands for a column that the reader cannot deliver: such
// a field is there when all columns of a file are asked for, and reading them is refused.
func CheckReadable(file string, f arrow.Field) error {
	at := f.Metadata.FindKey(unreadableMark)
	if at < 0 {
		return nil
	}
	values := f.Metadata.Values()
	return Refuse(file, "%s", values[at]).InColumn(f.Name).WithHint("%s", values[f.Metadata.FindKey(unreadableHint)])
}

// TypeName is the type of a column as Arrow names it, or as its format does when the column cannot be delivered.
func TypeName(f arrow.Field) string {
	if at := f.Metadata.FindKey(unreadableType); at >= 0 {
		if name := f.Metadata.Values()[at]; name != "" {
			return name
		}
		return "unreadable"
	}
	return f.Type.String()
}

// Chosen is what was chosen of a file's columns.
type Chosen struct {
	At     []int         // of the candidates, in the order of the schema
	Schema *arrow.Schema // of these
	Err    error         // not nil: all columns were asked for, and this one of them cannot be delivered
}

// Choose finds the wanted columns among those of a file; all of them when none are wanted. Only what is wanted has to be
// readable and to have a name of its own. structs are the names of structures, with those of their fields, for messages.
//
// A column of the file goes before a field of a structure whose path spells the same name.
//
// When none are wanted the schema is of all columns, each under a name, and Err says what a reader of them all must refuse.
func Choose(file string, have []Candidate, structs map[string][]string, wanted []string) (*Chosen, error) {
	at := make(map[string]int, len(have))
	twice := make(map[string]int) // the second one of a name
	for i := range have {
		c := &have[i]
		if _, ok := structs[c.Field.Name]; ok && c.Nested {
			continue // the structure's own name goes before
		}
		j, ok := at[c.Field.Name]
		switch {
		case !ok || have[j].Nested && !c.Nested:
			at[c.Field.Name] = i
			delete(twice, c.Field.Name)
		case have[j].Nested == c.Nested:
			if _, known := twice[c.Field.Name]; !known {
				twice[c.Field.Name] = i
			}
		}
	}
	duplicate := func(name string) *Candidate {
		if second, ok := twice[name]; ok {
			return duplicates(have, at[name], second)
		}
		return nil
	}
	if len(wanted) == 0 {
		return all(file, have, at, duplicate)
	}
	out := &Chosen{At: make([]int, len(wanted))}
	fields := make([]arrow.Field, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for k, name := range wanted {
		i, ok := at[name]
		switch {
		case !ok:
			if inner := structs[name]; len(inner) > 0 {
				return nil, Refuse(file, "%s is a structure of %d fields", Quote(name), len(inner)).InColumn(name).WithHint("Name one of its fields, such as %s.", Quote(inner[0]))
			} else if inner != nil {
				return nil, Refuse(file, "%s is a structure without fields", Quote(name)).InColumn(name).WithHint("%s", hintOtherColumn)
			}
			return nil, MissingColumn(file, name, names(have, at))
		case taken[name]:
			return nil, Refuse(file, "%w: %s is asked for twice", ErrDuplicateColumn, Quote(name)).InColumn(name).
				WithHint("Name each column once.")
		}
		if c := duplicate(name); c != nil {
			return nil, c.refuse(file)
		}
		if have[i].Err != nil {
			return nil, have[i].refuse(file)
		}
		taken[name] = true
		out.At[k], fields[k] = i, have[i].Field
	}
	out.Schema = arrow.NewSchema(fields, nil)
	return out, nil
}

// all chooses every column but for fields of structures whose names others have.
func all(file string, have []Candidate, at map[string]int, duplicate func(string) *Candidate) (*Chosen, error) {
	out := &Chosen{}
	var fields []arrow.Field
	for i := range have {
		c := &have[i]
		if first, ok := at[c.Field.Name]; c.Nested && (!ok || first != i) {
			continue
		}
		if twin := duplicate(c.Field.Name); twin != nil {
			c = twin
		}
		f := c.Field
		if c.Err != nil {
			f = c.unreadable()
			if out.Err == nil {
				out.Err = c.refuse(file)
			}
		}
		out.At = append(out.At, i)
		fields = append(fields, f)
	}
	out.Schema = arrow.NewSchema(fields, nil)
	return out, nil
}

// duplicates is what stands for columns i and j, which have the same name.
func duplicates(have []Candidate, i, j int) *Candidate {
	c := &Candidate{Field: have[i].Field, Hint: "Rename or drop one of them."}
	name := c.Field.Name
	if name != "" {
		c.Err = fmt.Errorf("%w: columns %d and %d are both called %s", ErrDuplicateColumn, i+1, j+1, Quote(name))
		return c
	}
	last := j
	for k := j; k < len(have); k++ {
		if have[k].Field.Name == "" {
			last = k
		}
	}
	c.Err = fmt.Errorf("%w: columns %d to %d have no name", ErrDuplicateColumn, i+1, last+1)
	if last-i+1 > 2 && countEmpty(have[i:last+1]) < last-i+1 {
		c.Err = fmt.Errorf("%w: %d columns have no name, of which columns %d and %d", ErrDuplicateColumn, countEmpty(have), i+1, j+1)
	}
	c.Hint = "Name them; or, if the header only ends in separators, remove these from it and from every row."
	return c
}

func countEmpty(have []Candidate) int {
	n := 0
	for i := range have {
		if have[i].Field.Name == "" {
			n++
		}
	}
	return n
}

// names are the names by which columns can be asked for, in file order.
func names(have []Candidate, at map[string]int) []string {
	var out []string
	for i := range have {
		if at[have[i].Field.Name] == i {
			out = append(out, have[i].Field.Name)
		}
	}
	return out
}

// Refusing returns a reader that tells a schema and refuses to be read: of all columns of a file of which one cannot be
// delivered. Who wants the others asks for them by name.
func Refusing(file string, schema *arrow.Schema, err error) Reader {
	return &refusing{file: file, schema: schema, err: err}
}

type refusing struct {
	file   string
	schema *arrow.Schema
	err    error
}

func (r *refusing) File() string          { return r.file }
func (r *refusing) Schema() *arrow.Schema { return r.schema }

func (r *refusing) Read(ctx context.Context) (Batch, error) {
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	return Batch{}, r.err
}

func (r *refusing) Close() error {
	if !errors.Is(r.err, errClosed) {
		r.err = errClosed
	}
	return nil
}
