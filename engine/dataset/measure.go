package dataset

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// measurePreparer prepares the values of one measure.
type measurePreparer struct {
	slots.Measure
	low, high         int64   // of an exact preparation: the range, times 10^decimals
	clipLow, clipHigh int64   // likewise
	floor, ceiling    float64 // of others: the range
	clipFrom, clipTo  float64
	mean, sd          float64
	unit              float64 // 10^decimals
	levels            map[string]string

	total  float64 // TPM: the sum of the column
	fill   int64   // what stands for missing values
	filled int64   // how many were, in this pass
}

// newMeasurePreparer reads the settings of a measure whose constants are known.
func newMeasurePreparer(m slots.Measure) (*measurePreparer, error) {
	p := &measurePreparer{Measure: m, unit: math.Pow10(m.Decimals)}
	q := &m.Prepare
	wrong := func(setting string, err error) error {
		return job.Misuse(slots.MeasureHint, "measure %s: %s: %v", column.Quote(m.Name), setting, err)
	}
	for _, x := range []struct {
		setting  string
		interval slots.Interval
		l, h     *int64
		f, c     *float64
		exact    bool
	}{
		{"range=" + q.Range.String(), q.Range, &p.low, &p.high, &p.floor, &p.ceiling, q.Exact()},
		{"clip=" + q.Clip.String(), q.Clip, &p.clipLow, &p.clipHigh, &p.clipFrom, &p.clipTo, q.Exact()},
	} {
		*x.l, *x.h, *x.f, *x.c = math.MinInt64, math.MaxInt64, math.Inf(-1), math.Inf(1)
		var err error
		if s := x.interval.Low; s != "" {
			if *x.f, err = slots.ParseFloat(s); err == nil && x.exact {
				*x.l, err = codec.ParseDecimal(s, m.Decimals)
			}
		}
		if s := x.interval.High; s != "" && err == nil {
			if *x.c, err = slots.ParseFloat(s); err == nil && x.exact {
				*x.h, err = codec.ParseDecimal(s, m.Decimals)
			}
		}
		if err != nil {
			return nil, wrong(x.setting, fmt.Errorf("with %s: %w", job.Count(m.Decimals, "decimal"), err))
		}
	}
	if q.Levels != "" {
		p.levels = q.LevelValues()
		for text, number := range p.levels {
			if _, err := codec.ParseDecimal(number, m.Decimals); err != nil && q.Exact() {
				return nil, wrong("levels", fmt.Errorf("%s=%s with %s: %w", text, number, job.Count(m.Decimals, "decimal"), err))
			}
		}
	}
	if q.ZScore != "" {
		mean, sd, _ := strings.Cut(q.ZScore, "/")
		var err error
		if p.mean, err = slots.ParseFloat(mean); err == nil {
			p.sd, err = slots.ParseFloat(sd)
		}
		if err != nil {
			return nil, wrong("zscore="+q.ZScore, err)
		}
	}
	return p, nil
}

// numbers replaces the texts of a column by their numbers. The caller releases the column.
func (p *measurePreparer) numbers(b column.Batch, at int) (arrow.Array, error) {
	arr := b.Column(at)
	if p.levels == nil {
		arr.Retain()
		return arr, nil
	}
	out := array.NewStringBuilder(memory.DefaultAllocator)
	defer out.Release()
	for i := range arr.Len() {
		if arr.IsNull(i) {
			out.AppendNull()
			continue
		}
		number, ok := p.levels[arr.ValueStr(i)]
		if !ok {
			return nil, b.Refuse(i, p.Name, "%s is none of the declared levels", column.Quote(arr.ValueStr(i))).
				WithHint("Add it to levels= for every owner alike, or correct the value.")
		}
		out.Append(number)
	}
	return out.NewArray(), nil
}

// values prepares a column of a batch. Missing values are filled when that was fitted (fill). Otherwise they stay
// missing.
func (p *measurePreparer) values(dst *slots.Scaled, b column.Batch, at int, fill bool) error {
	arr, err := p.numbers(b, at)
	if err != nil {
		return err
	}
	defer arr.Release()
	if p.Prepare.Exact() {
		err = p.exactValues(dst, b, arr)
	} else {
		err = p.roundedValues(dst, b, arr)
	}
	if err != nil || p.Prepare.Missing == "" {
		return err
	}
	for i, ok := range dst.Ok {
		if ok {
			continue
		}
		if p.Prepare.Missing == "refuse" {
			return b.Refuse(i, p.Name, "the value is missing").WithHint("%s was declared with missing=refuse. Complete the data, or let missing values be missing.", p.Name)
		}
		if fill {
			dst.V[i], dst.Ok[i] = p.fill, true
			p.filled++
		}
	}
	return nil
}

func (p *measurePreparer) exactValues(dst *slots.Scaled, b column.Batch, arr arrow.Array) error {
	m := p.Measure
	m.Bound = 0 // it holds for prepared values
	if err := slots.ScaleArray(dst, b, arr, m); err != nil {
		return err
	}
	for i, ok := range dst.Ok {
		if !ok {
			continue
		}
		v := dst.V[i]
		if v < p.low || v > p.high {
			return p.outOfRange(b, i, slots.DecimalText(v, p.Decimals))
		}
		dst.V[i] = max(p.clipLow, min(p.clipHigh, v))
	}
	return nil
}

func (p *measurePreparer) outOfRange(b column.Batch, i int, text string) error {
	unit := ""
	if p.Prepare.Unit != "" {
		unit = " " + p.Prepare.Unit
	}
	return b.Refuse(i, p.Name, "%s is outside the declared range %s%s", column.Quote(text), p.Prepare.Range, unit).
		WithHint("Check the unit of the column, and correct the value; or declare another range, for every owner alike.")
}

func (p *measurePreparer) roundedValues(dst *slots.Scaled, b column.Batch, arr arrow.Array) error {
	n := int(b.NumRows())
	dst.Resize(n)
	value, text, err := Floats(arr)
	if err != nil {
		return column.Refuse(slots.FileOf(b), "%w", err).InColumn(p.Name).WithHint("A measure is a column of numbers, or of text that spells numbers.")
	}
	for i := range n {
		dst.V[i], dst.Ok[i] = 0, arr.IsValid(i)
		if !dst.Ok[i] {
			continue
		}
		x, err := p.raw(b, i, value, text)
		if err != nil {
			return err
		}
		if p.Prepare.TPM && p.total > 0 {
			if x = x * 1e6 / p.total; !isFinite(x) {
				return p.tooLarge(b, i, text(i), "tpm")
			}
		}
		if p.Prepare.Log2 {
			if x <= -1 {
				return b.Refuse(i, p.Name, "%s has no log2(x + 1)", column.Quote(text(i))).WithHint("Values from 0 on have. Check the column.")
			}
			x = log2(x + 1)
		}
		if p.Prepare.ZScore != "" {
			if x = (x - p.mean) / p.sd; !isFinite(x) {
				return p.tooLarge(b, i, text(i), "zscore")
			}
		}
		x = math.Max(p.clipFrom, math.Min(p.clipTo, x))
		scaled := math.RoundToEven(x * p.unit)
		if math.Abs(scaled) >= 1<<63 {
			return slots.RefuseValue(b, i, p.Measure, text(i), codec.ErrOverflow)
		}
		dst.V[i] = int64(scaled)
	}
	return nil
}

// tooLarge refuses a value that a step takes out of the range of doubles: no later step could bring it back.
func (p *measurePreparer) tooLarge(b column.Batch, i int, text, step string) error {
	return b.Refuse(i, p.Name, "%s overflows: %s of it is beyond the range of doubles", column.Quote(text), step).
		WithHint("Check the column; or scale it down first, for every owner alike.")
}

// raw reads a value and checks its range.
func (p *measurePreparer) raw(b column.Batch, i int, value func(int) (float64, error), text func(int) string) (float64, error) {
	x, err := value(i)
	if err != nil {
		return 0, slots.RefuseValue(b, i, p.Measure, text(i), err)
	}
	if x < p.floor || x > p.ceiling {
		return 0, p.outOfRange(b, i, text(i))
	}
	if p.Prepare.TPM && x < 0 {
		return 0, b.Refuse(i, p.Name, "%s is negative, where parts of a million are to be made", column.Quote(text(i))).WithHint("Check the column.")
	}
	return x, nil
}

// Floats returns how to read row i of arr as a double, and as text for messages.
func Floats(arr arrow.Array) (value func(i int) (float64, error), text func(i int) string, err error) {
	text = arr.ValueStr
	parse := func(i int) (float64, error) { return slots.ParseFloat(text(i)) }
	switch a := arr.(type) {
	case *array.String:
		text = a.Value
	case *array.LargeString:
		text = a.Value
	case *array.Float64:
		return func(i int) (float64, error) { return finite(a.Value(i)) }, text, nil
	case *array.Float32:
		return func(i int) (float64, error) { return finite(float64(a.Value(i))) }, text, nil
	case *array.Int64, *array.Int32, *array.Int16, *array.Int8, *array.Uint64, *array.Uint32, *array.Uint16, *array.Uint8, *array.Null, *array.Decimal128:
	default:
		return nil, nil, fmt.Errorf("cannot prepare values of type %s", arr.DataType())
	}
	return parse, text, nil
}

func finite(x float64) (float64, error) {
	if !isFinite(x) {
		return 0, codec.ErrNotFinite
	}
	return x, nil
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// sum adds up raw values in the order in which they come, and carries the error of every addition along (Neumaier,
// 1974).
type sum struct{ value, carry float64 }

func (s *sum) add(x float64) {
	t := s.value + x
	if math.Abs(s.value) >= math.Abs(x) {
		s.carry += (s.value - t) + x
	} else {
		s.carry += (x - t) + s.value
	}
	s.value = t
}

func (s *sum) total() float64 { return s.value + s.carry }

// fit computes what depends on the whole column, in up to two passes over the source: sums for TPM, then means and
// medians of prepared values.
func (x *preparer) fit(ctx context.Context, s Source) error {
	if x.fitted {
		return nil
	}
	x.fitted = true
	var totals, fills []*measurePreparer
	for _, p := range x.ordered {
		if p.Prepare.TPM {
			totals = append(totals, p)
		}
		if p.Prepare.Missing == "mean" || p.Prepare.Missing == "median" {
			fills = append(fills, p)
		}
	}
	if err := x.fitTotals(ctx, s, totals); err != nil {
		return err
	}
	return x.fitFills(ctx, s, fills)
}

func measureNames(list []*measurePreparer) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

func (x *preparer) fitTotals(ctx context.Context, s Source, list []*measurePreparer) error {
	if len(list) == 0 {
		return nil
	}
	r, err := s.OpenRaw(ctx, measureNames(list))
	if err != nil {
		return err
	}
	defer r.Close()
	sums := make([]sum, len(list))
	err = column.Each(ctx, r, func(b column.Batch) error {
		for c, p := range list {
			if err := p.addRaw(&sums[c], b, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for c, p := range list {
		if p.total = sums[c].total(); p.total <= 0 {
			return column.Refuse(s.Files[0], "the values of %s add up to 0, of which no parts of a million can be made", column.Quote(p.Name)).InColumn(p.Name).
				WithHint("Leave the column out.")
		}
	}
	return nil
}

// addRaw adds the values of a column before they become parts of a million.
func (p *measurePreparer) addRaw(to *sum, b column.Batch, at int) error {
	arr, err := p.numbers(b, at)
	if err != nil {
		return err
	}
	defer arr.Release()
	value, text, err := Floats(arr)
	if err != nil {
		return column.Refuse(slots.FileOf(b), "%w", err).InColumn(p.Name).WithHint("A measure is a column of numbers.")
	}
	for i := range arr.Len() {
		if arr.IsNull(i) {
			continue
		}
		v, err := p.raw(b, i, value, text)
		if err != nil {
			return err
		}
		if to.add(v); !isFinite(to.total()) {
			return b.Refuse(i, p.Name, "the sum of this value and those before overflows: it is beyond the range of doubles").
				WithHint("Check the column; or scale it down first, for every owner alike.")
		}
	}
	return nil
}

func (x *preparer) fitFills(ctx context.Context, s Source, list []*measurePreparer) error {
	if len(list) == 0 {
		return nil
	}
	r, err := s.OpenRaw(ctx, measureNames(list))
	if err != nil {
		return err
	}
	defer r.Close()
	budget := engine.NewBudget(s.Opts.Memory)
	type seen struct {
		sum    codec.Int
		n      int64
		values []int64 // for a median
	}
	all := make([]seen, len(list))
	var one slots.Scaled
	err = column.Each(ctx, r, func(b column.Batch) error {
		for c, p := range list {
			if err := p.values(&one, b, c, false); err != nil {
				return err
			}
			for i, ok := range one.Ok {
				if !ok {
					continue
				}
				a := &all[c]
				a.n++
				if p.Prepare.Missing == "mean" {
					a.sum = a.sum.Add(codec.FromInt64(one.V[i]))
				} else {
					a.values = append(a.values, one.V[i])
				}
			}
			if p.Prepare.Missing == "median" {
				if err := budget.Keep("the values whose median is sought", 8*b.NumRows()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for c, p := range list {
		a := &all[c]
		switch {
		case a.n == 0:
			return column.Refuse(s.Files[0], "every value of %s is missing: there is no %s", column.Quote(p.Name), p.Prepare.Missing).InColumn(p.Name).
				WithHint("Leave the column out, or let missing values be missing.")
		case p.Prepare.Missing == "mean":
			p.fill = roundedQuotient(a.sum, a.n)
		default:
			slices.Sort(a.values)
			k := len(a.values) / 2
			if p.fill = a.values[k]; len(a.values)%2 == 0 {
				p.fill = roundedQuotient(codec.FromInt64(a.values[k-1]).Add(codec.FromInt64(p.fill)), 2)
			}
		}
	}
	return nil
}

// roundedQuotient is sum/n rounded to the nearest integer, ties to even. n is positive, and the quotient fits 64 bits.
func roundedQuotient(sum codec.Int, n int64) int64 {
	negative := sum.Sign() < 0
	if negative {
		sum = sum.Negate()
	}
	quotient, rest := sum.Div(codec.FromInt64(n))
	q := quotient.LowBits()
	if r := rest.LowBits(); r > uint64(n)-r || r == uint64(n)-r && q%2 == 1 {
		q++
	}
	if negative {
		return -int64(q)
	}
	return int64(q)
}

// decimals returns prepared values as a column of decimals.
func decimals(s *slots.Scaled, decimals int) arrow.Array {
	b := array.NewDecimal128Builder(memory.DefaultAllocator, preparedType(decimals))
	defer b.Release()
	b.Reserve(len(s.V))
	for i, v := range s.V {
		if s.Ok[i] {
			b.Append(decimal128.FromI64(v))
		} else {
			b.AppendNull()
		}
	}
	return b.NewArray()
}

func preparedType(decimals int) *arrow.Decimal128Type {
	return &arrow.Decimal128Type{Precision: codec.MaxDigits, Scale: int32(decimals)}
}
