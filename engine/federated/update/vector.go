package update

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
)

// vector is a member's vector: one column of a table, in the order of its rows.
type vector struct {
	source dataset.Source
	column string
	tensor string // the column with the names of tensors; "" for none
	single bool   // numbers have 32 bits
}

// chunk are some consecutive numbers.
type chunk struct {
	single []float32 // or
	double []float64
}

func (c *chunk) len() int { return len(c.single) + len(c.double) }

// openVector finds the column. name "" means the only column of floating-point numbers.
func openVector(ctx context.Context, o job.Options, in, nulls []string, name, tensor string) (*vector, error) {
	source, err := dataset.List(ctx, o, in, nulls)
	if err != nil {
		return nil, err
	}
	schema, err := source.RawSchema(ctx)
	if err != nil {
		return nil, err
	}
	v := &vector{source: source, column: name, tensor: tensor}
	if name == "" {
		var found []string
		for _, f := range schema.Fields() {
			if arrow.IsFloating(f.Type.ID()) {
				found = append(found, f.Name)
			}
		}
		if len(found) == 0 && schema.NumFields() == 1 {
			found = []string{schema.Field(0).Name}
		}
		if len(found) != 1 {
			return nil, job.Misuse("Name the column of the numbers.", "%s: ‹column› is missing, and there are %d columns of floating-point numbers", source.Files[0], len(found))
		}
		v.column = found[0]
	}
	fields, ok := schema.FieldsByName(v.column)
	if !ok {
		return nil, column.Refuse(source.Files[0], "there is no such column").InColumn(v.column).WithHint("The columns are %s.", strings.Join(column.Names(schema), ", "))
	}
	v.single = fields[0].Type.ID() == arrow.FLOAT32
	return v, nil
}

// typeName is the type as a footer has it.
func (v *vector) typeName() string {
	if v.single {
		return "float"
	}
	return "double"
}

// survey reads the vector once: its length, tensors and L2 norm. Squares are added up as they come.
func (v *vector) survey(ctx context.Context, most int64) (tensors []updatefile.Tensor, norm float64, err error) {
	columns := []string{v.column}
	if v.tensor != "" {
		columns = append(columns, v.tensor)
	}
	r, err := v.source.OpenFiles(ctx, columns)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var squares float64
	var rows int64
	seen := map[string]bool{}
	err = column.Each(ctx, r, func(b column.Batch) error {
		if rows += b.NumRows(); rows > most {
			return v.tooLong(most)
		}
		c, err := v.numbers(b, 0, int(b.NumRows()))
		if err != nil {
			return err
		}
		for _, x := range c.single {
			squares += float64(x) * float64(x)
		}
		for _, x := range c.double {
			squares += x * x
		}
		if v.tensor == "" {
			return nil
		}
		names := b.Column(1)
		for i := range names.Len() {
			if names.IsNull(i) {
				return b.Refuse(i, v.tensor, "the name of the tensor is missing")
			}
			name := names.ValueStr(i)
			if n := len(tensors); n > 0 && tensors[n-1].Name == name {
				tensors[n-1].Length++
				continue
			}
			if seen[name] {
				return b.Refuse(i, v.tensor, "tensor %s goes on here after another one", column.Quote(name)).WithHint("Sort the rows, so that those of a tensor follow each other.")
			}
			if len(tensors) == updatefile.TensorsMax {
				return b.Refuse(i, v.tensor, "more than %d tensors", updatefile.TensorsMax).WithHint("Name another column.")
			}
			seen[strings.Clone(name)] = true
			tensors = append(tensors, updatefile.Tensor{Name: strings.Clone(name), Length: 1})
		}
		return nil
	})
	return tensors, math.Sqrt(squares), err
}

func (v *vector) tooLong(most int64) error {
	return column.Refuse(v.source.Files[0], "the table has more numbers than the %d of the round", most).InColumn(v.column).
		WithHint("All members must have vectors of the same length, in the same order.")
}

// numbers returns numbers from row `from` to before row `to` of a batch, all finite. They are valid while the batch is, and
// must not be changed.
func (v *vector) numbers(b column.Batch, from, to int) (chunk, error) {
	arr := b.Column(0)
	if arr.NullN() > 0 {
		for i := from; i < to; i++ {
			if arr.IsNull(i) {
				return chunk{}, b.Refuse(i, v.column, "the number is missing").WithHint("A vector has a number in every row; write 0 for none.")
			}
		}
	}
	var c chunk
	// Infinite numbers and those that are none have all bits of the exponent set. Only that there is one is told early.
	var bad uint64
	switch a := arr.(type) {
	case *array.Float32:
		c.single = a.Float32Values()[from:to]
		for _, x := range c.single {
			bad |= uint64(math.Float32bits(x)&(0xff<<23)) + 1<<23
		}
		bad >>= 31
	case *array.Float64:
		c.double = a.Float64Values()[from:to]
		for _, x := range c.double {
			bad |= math.Float64bits(x)&(0x7ff<<52) + 1<<52
		}
		bad >>= 63
	default:
		value, text, err := dataset.Floats(arr)
		if err != nil {
			return chunk{}, b.Refuse(from, v.column, "%w", err).WithHint("Name a column of numbers.")
		}
		c.double = make([]float64, 0, to-from)
		for i := from; i < to; i++ {
			x, err := value(i)
			if err != nil {
				return chunk{}, b.Refuse(i, v.column, "%s: %w", column.Quote(text(i)), err).WithHint("Write a finite number.")
			}
			c.double = append(c.double, x)
		}
		return c, nil
	}
	if bad != 0 {
		for i := from; i < to; i++ {
			x := 0.0
			if c.single != nil {
				x = float64(c.single[i-from])
			} else {
				x = c.double[i-from]
			}
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return chunk{}, b.Refuse(i, v.column, "%g is no finite number", x).WithHint("Training has diverged: a vector has finite numbers only.")
			}
		}
	}
	return c, nil
}

// chunks delivers a vector of exactly `length` numbers, `most` of them at a time.
type chunks struct {
	v      *vector
	r      column.Reader
	most   int
	left   int64 // numbers to come
	length int64
	batch  column.Batch
	at     int // in batch
	open   bool
}

// next returns the next numbers, or io.EOF. They are put into the memory of c.
func (s *chunks) next(ctx context.Context, c chunk) (chunk, error) {
	want := int(min(int64(s.most), s.left))
	c.single, c.double = c.single[:0], c.double[:0]
	if s.v.single {
		c.single = slices.Grow(c.single, want)
	} else {
		c.double = slices.Grow(c.double, want)
	}
	if s.left == 0 && s.open {
		return chunk{}, s.v.tooLong(s.length)
	}
	for c.len() < want || s.left == 0 {
		if !s.open {
			b, err := s.r.Read(ctx)
			if err == io.EOF {
				if s.left > 0 {
					return chunk{}, column.Refuse(s.v.source.Files[0], "the table has %d numbers, and vectors of the round have %d", s.length-s.left+int64(c.len()), s.length).
						InColumn(s.v.column).WithHint("All members must have vectors of the same length, in the same order.")
				}
				return chunk{}, io.EOF
			}
			if err != nil {
				return chunk{}, err
			}
			if s.left == 0 {
				b.Release()
				return chunk{}, s.v.tooLong(s.length)
			}
			s.batch, s.at, s.open = b, 0, true
		}
		to := min(int(s.batch.NumRows()), s.at+want-c.len())
		part, err := s.v.numbers(s.batch, s.at, to)
		if err != nil {
			return chunk{}, err
		}
		c.single, c.double = append(c.single, part.single...), append(c.double, part.double...)
		if s.at = to; s.at == int(s.batch.NumRows()) {
			s.release()
		}
	}
	s.left -= int64(c.len())
	return c, nil
}

func (s *chunks) release() {
	if s.open {
		s.batch.Release()
		s.open = false
	}
}

func (s *chunks) close() error {
	s.release()
	return s.r.Close()
}
