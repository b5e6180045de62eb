package job

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// scaled is a measure's values as exact integers, value·10^decimals; v[i] is 0 where ok[i] is false (missing).
type scaled struct {
	v  []int64
	ok []bool
}

func newScaled(n int) scaled { return scaled{v: make([]int64, n), ok: make([]bool, n)} }

func (s *scaled) resize(n int) {
	if cap(s.v) < n {
		*s = newScaled(n)
	}
	s.v, s.ok = s.v[:n], s.ok[:n]
}

// scaleColumn converts a column of a batch. Every value that is no number, has more decimals than declared or exceeds
// the measure's bound (when it has one) is refused with its place.
func scaleColumn(dst *scaled, b column.Batch, at int, m Measure) error {
	return scaleArray(dst, b, b.Column(at), m)
}

// scaleArray is scaleColumn of values that stand for the rows of b.
func scaleArray(dst *scaled, b column.Batch, arr arrow.Array, m Measure) error {
	n := int(b.NumRows())
	dst.resize(n)
	convert, text, err := converter(arr, m.Decimals)
	if err != nil {
		return column.Refuse(fileOf(b), "%w", err).InColumn(m.Name).WithHint("A measure is a column of numbers, or of text that spells numbers.")
	}
	for i := range n {
		if arr.IsNull(i) {
			dst.v[i], dst.ok[i] = 0, false
			continue
		}
		v, err := convert(i)
		if err == nil && m.Bound > 0 && (v > m.Bound || v < -m.Bound) {
			err = errBeyondMax
		}
		if err != nil {
			return refuseValue(b, i, m, text(i), err)
		}
		dst.v[i], dst.ok[i] = v, true
	}
	return nil
}

var errBeyondMax = errors.New("beyond max")

// refuseValue says what is wrong with a value and what to do about it.
func refuseValue(b column.Batch, i int, m Measure, text string, err error) error {
	refuse := func(cause, hint string, args ...any) error {
		return b.Refuse(i, m.Name, "%s %s", column.Quote(text), cause).WithHint(hint, args...)
	}
	missing := "If it stands for a missing value, make it a null."
	if b.Line(i) > 0 {
		missing = "If it stands for a missing value, name it with --null (default: empty and NA)."
	}
	switch {
	case errors.Is(err, errBeyondMax):
		return refuse("is beyond max="+decimalText(m.Bound, m.Decimals), "Raise max for every owner alike, or correct the value.")
	case errors.Is(err, codec.ErrDecimals):
		return refuse(fmt.Sprintf("has more than the declared %s", count(m.Decimals, "decimal")), "Declare as many as the data have (%s:decimals=D), or round the data first.", m.Name)
	case errors.Is(err, codec.ErrNotFinite):
		return refuse("is not a finite number", "%s", missing)
	case errors.Is(err, codec.ErrOverflow) && m.Decimals == 0:
		return refuse("overflows: it does not fit in 64 bits", "Scale the column down first.")
	case errors.Is(err, codec.ErrOverflow):
		return refuse(fmt.Sprintf("overflows: times 10^%d it does not fit in 64 bits", m.Decimals), "Declare fewer decimals.")
	}
	return refuse("is not a number", "%s", missing)
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// decimalText writes v·10^-decimals.
func decimalText(v int64, decimals int) string {
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

// largest returns the largest magnitude among the values.
func (s *scaled) largest() int64 {
	var most int64
	for _, v := range s.v {
		most = max(most, v, -v)
	}
	return most
}

func fileOf(b column.Batch) string {
	if b.NumRows() == 0 {
		return b.File
	}
	file, _ := b.Place(0)
	return file
}

// packRows packs `rows` table rows of one ciphertext column into m, rows × limbs words. Record i of the batch is in
// table row i/p.records; where the last block is short, its remaining slots are 0. noise, unless nil, is applied to every value of a record.
func (p *plan) packRows(m []uint64, c int, rows int, measures []scaled, quantities []quantity, noise func(quantity int, v codec.Int) (codec.Int, error), values []codec.Int) error {
	col := &p.columns[c]
	limbs := col.packer.Limbs()
	records := len(measures[0].v)
	for row := range rows {
		for i, cell := range col.cells {
			record := row*p.records + cell.record
			values[i] = codec.Int{}
			if record < records {
				values[i] = quantities[cell.quantity].of(measures, record)
				if noise != nil {
					var err error
					if values[i], err = noise(cell.quantity, values[i]); err != nil {
						return err
					}
				}
			}
		}
		if err := col.packer.Pack(m[row*limbs:(row+1)*limbs], values[:len(col.cells)]); err != nil {
			return err
		}
	}
	return nil
}

// of evaluates a quantity for one record.
func (q quantity) of(measures []scaled, record int) codec.Int {
	for _, g := range q.given {
		if !measures[g].ok[record] {
			return codec.Int{}
		}
	}
	switch len(q.terms) {
	case 0:
		return codec.FromInt64(1)
	case 1:
		return codec.FromInt64(measures[q.terms[0]].v[record])
	}
	return codec.Product(measures[q.terms[0]].v[record], measures[q.terms[1]].v[record])
}
