package slots

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Scaled is a measure's values as exact integers, value·10^decimals; v[i] is 0 where ok[i] is false (missing).
type Scaled struct {
	V  []int64
	Ok []bool
}

func NewScaled(n int) Scaled { return Scaled{V: make([]int64, n), Ok: make([]bool, n)} }

func (s *Scaled) Resize(n int) {
	if cap(s.V) < n {
		*s = NewScaled(n)
	}
	s.V, s.Ok = s.V[:n], s.Ok[:n]
}

// ScaleColumn converts a column of a batch. Every value that is not a number, has more decimals than declared or
// exceeds the measure's bound (when it has one) is refused with its place.
func ScaleColumn(dst *Scaled, b column.Batch, at int, m Measure) error {
	return ScaleArray(dst, b, b.Column(at), m)
}

// ScaleArray is ScaleColumn for values that belong to the rows of b.
func ScaleArray(dst *Scaled, b column.Batch, arr arrow.Array, m Measure) error {
	n := int(b.NumRows())
	dst.Resize(n)
	convert, text, err := converter(arr, m.Decimals)
	if err != nil {
		return column.Refuse(FileOf(b), "%w", err).InColumn(m.Name).WithHint("A measure is a column of numbers, or of text that spells numbers.")
	}
	for i := range n {
		if arr.IsNull(i) {
			dst.V[i], dst.Ok[i] = 0, false
			continue
		}
		v, err := convert(i)
		if err == nil && m.Bound > 0 && (v > m.Bound || v < -m.Bound) {
			err = errBeyondMax
		}
		if err != nil {
			return RefuseValue(b, i, m, text(i), err)
		}
		dst.V[i], dst.Ok[i] = v, true
	}
	return nil
}

var errBeyondMax = errors.New("beyond max")

// RefuseValue says what is wrong with a value and what to do about it.
func RefuseValue(b column.Batch, i int, m Measure, text string, err error) error {
	refuse := func(cause, hint string, args ...any) error {
		return b.Refuse(i, m.Name, "%s %s", column.Quote(text), cause).WithHint(hint, args...)
	}
	missing := "If it stands for a missing value, make it a null."
	if b.Line(i) > 0 {
		missing = "If it stands for a missing value, name it with ‹null› (default: empty and NA)."
	}
	switch {
	case errors.Is(err, errBeyondMax):
		return refuse("is beyond max="+DecimalText(m.Bound, m.Decimals), "Raise max for every owner alike, or correct the value.")
	case errors.Is(err, codec.ErrDecimals):
		return refuse(fmt.Sprintf("has more than the declared %s", job.Count(m.Decimals, "decimal")), "Declare as many as the data have (%s:decimals=D), or round the data first.", m.Name)
	case errors.Is(err, codec.ErrNotFinite):
		return refuse("is not a finite number", "%s", missing)
	case errors.Is(err, codec.ErrOverflow) && m.Decimals == 0:
		return refuse(fmt.Sprintf("overflows: values go from -%d to %[1]d", int64(math.MaxInt64)), "Scale the column down first.")
	case errors.Is(err, codec.ErrOverflow):
		return refuse(fmt.Sprintf("overflows: times 10^%d it is beyond %d", m.Decimals, int64(math.MaxInt64)), "Declare fewer decimals.")
	}
	return refuse("is not a number", "%s", missing)
}

// DecimalText writes v·10^-decimals.
func DecimalText(v int64, decimals int) string {
	return codec.FromInt64(v).ToString(int32(decimals))
}

// converter returns how to read row i of arr as an integer scaled by 10^decimals, and as text for messages.
func converter(arr arrow.Array, decimals int) (convert func(i int) (int64, error), text func(i int) string, err error) {
	text = arr.ValueStr
	switch a := arr.(type) {
	case *array.String:
		text = a.Value
		convert = func(i int) (int64, error) { return codec.ParseDecimal(a.Value(i), decimals) }
	case *array.LargeString:
		text = a.Value
		convert = func(i int) (int64, error) { return codec.ParseDecimal(a.Value(i), decimals) }
	case *array.Float64:
		convert = func(i int) (int64, error) { return codec.ScaleFloat(a.Value(i), decimals) }
	case *array.Float32:
		convert = func(i int) (int64, error) { return codec.ScaleFloat32(a.Value(i), decimals) }
	case *array.Int64:
		convert = func(i int) (int64, error) { return codec.ScaleInt(a.Value(i), decimals) }
	case *array.Int32:
		convert = func(i int) (int64, error) { return codec.ScaleInt(int64(a.Value(i)), decimals) }
	case *array.Int16:
		convert = func(i int) (int64, error) { return codec.ScaleInt(int64(a.Value(i)), decimals) }
	case *array.Int8:
		convert = func(i int) (int64, error) { return codec.ScaleInt(int64(a.Value(i)), decimals) }
	case *array.Uint64:
		convert = func(i int) (int64, error) { return codec.ScaleUint(a.Value(i), decimals) }
	case *array.Uint32:
		convert = func(i int) (int64, error) { return codec.ScaleUint(uint64(a.Value(i)), decimals) }
	case *array.Uint16:
		convert = func(i int) (int64, error) { return codec.ScaleUint(uint64(a.Value(i)), decimals) }
	case *array.Uint8:
		convert = func(i int) (int64, error) { return codec.ScaleUint(uint64(a.Value(i)), decimals) }
	case *array.Boolean:
		convert = func(i int) (int64, error) {
			if a.Value(i) {
				return codec.ScaleInt(1, decimals)
			}
			return 0, nil
		}
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		convert = func(i int) (int64, error) { return codec.ScaleDecimal(a.Value(i), scale, int32(decimals)) }
	case *array.Null:
		convert = func(int) (int64, error) { return 0, nil } // never called: every row is null
	default:
		return nil, nil, fmt.Errorf("cannot sum values of type %s", arr.DataType())
	}
	return convert, text, nil
}

// Largest returns the largest magnitude among the values.
func (s *Scaled) Largest() int64 {
	var most int64
	for _, v := range s.V {
		most = max(most, v, -v)
	}
	return most
}

func FileOf(b column.Batch) string {
	if b.NumRows() == 0 {
		return b.File
	}
	file, _ := b.Place(0)
	return file
}

// PackRows packs `rows` table rows of one ciphertext column into m, rows × limbs words. Record i of the batch is in
// table row i/p.records; where the last block is short, its remaining slots are 0. noise, unless nil, is applied to every value of a record.
func (p *Plan) PackRows(m []uint64, c int, rows int, measures []Scaled, quantities []Quantity, noise func(quantity int, v codec.Int) (codec.Int, error), values []codec.Int) error {
	col := &p.Columns[c]
	limbs := col.Packer.Limbs()
	records := len(measures[0].V)
	for row := range rows {
		for i, cell := range col.Cells {
			record := row*p.Records + cell.Record
			values[i] = codec.Int{}
			if record < records {
				values[i] = quantities[cell.Quantity].Of(measures, record)
				if noise != nil {
					var err error
					if values[i], err = noise(cell.Quantity, values[i]); err != nil {
						return err
					}
				}
			}
		}
		if err := col.Packer.Pack(m[row*limbs:(row+1)*limbs], values[:len(col.Cells)]); err != nil {
			return err
		}
	}
	return nil
}

// Of evaluates a quantity for one record.
func (q Quantity) Of(measures []Scaled, record int) codec.Int {
	for _, g := range q.Given {
		if !measures[g].Ok[record] {
			return codec.Int{}
		}
	}
	switch len(q.Terms) {
	case 0:
		return codec.FromInt64(1)
	case 1:
		return codec.FromInt64(measures[q.Terms[0]].V[record])
	}
	return codec.Product(measures[q.Terms[0]].V[record], measures[q.Terms[1]].V[record])
}
