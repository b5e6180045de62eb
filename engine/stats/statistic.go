// Package stats turns the exact sums of a table into the columns of a result: sums, counts, means, variances, covariances,
// correlations and ratios, each rounded once.
package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// A statistic is one column of a decrypted table, computed from the exact sums of each record.
type Statistic struct {
	name string
	typ  arrow.DataType
	// from are the quantities that count the values it rests on: of its measure, or of its two measures and their pairs.
	from []int
	// append adds the statistic of one record, whose sums are sum[quantity], to the column.
	append func(b array.Builder, sum func(quantity int) codec.Int)
}

// ForTable derives the columns of a result from the sums of a table. A table that lacks a sum which another one needs
// was not made by this program.
func ForTable(t *ctfile.Table) ([]Statistic, error) {
	at := make(map[string]int, len(t.Measures)) // the first of them, by terms and given
	for q, m := range t.Measures {
		key := slots.KeyOf(m.Terms, m.Given)
		if _, ok := at[key]; !ok {
			at[key] = q
		}
	}
	find := func(terms, given []string) int {
		if q, ok := at[slots.KeyOf(terms, given)]; ok {
			return q
		}
		return -1
	}
	var err error
	need := func(terms, given []string) int {
		q := find(terms, given)
		if q < 0 && err == nil {
			err = fmt.Errorf("no sum of %s", column.Quote(slots.QuantityName(terms, given)))
		}
		return q
	}
	var measures, products []Statistic
	for q, m := range t.Measures {
		count := need(nil, m.Given)
		switch {
		case len(m.Given) == 1 && len(m.Terms) == 1:
			square := find([]string{m.Name, m.Name}, m.Given)
			of := []Statistic{sumOf(t, q), countOf(t, m.Name, count), meanOf(m, q, count)}
			if square >= 0 {
				of = append(of, varianceOf(m, q, square, count))
			}
			measures = append(measures, restOn(of, count)...)
		case len(m.Given) == 2 && slices.Equal(m.Terms, m.Given):
			a, b := m.Given[0], m.Given[1]
			p := moments{
				x: need([]string{a}, m.Given), y: need([]string{b}, m.Given), xy: q,
				xx: need([]string{a, a}, m.Given), yy: need([]string{b, b}, m.Given), n: count,
			}
			of := []Statistic{covarianceOf(a+"_"+b, m.Decimals, p), correlationOf(a+"_"+b, p)}
			products = append(products, restOn(of, count, need(nil, m.Given[:1]), need(nil, m.Given[1:]))...)
		}
	}
	return append(measures, products...), err
}

// restOn notes what statistics rest on.
func restOn(of []Statistic, counts ...int) []Statistic {
	for i := range of {
		of[i].from = counts
	}
	return of
}

// sumOf is the exact sum.
func sumOf(t *ctfile.Table, q int) Statistic {
	return exact(t, t.Measures[q].Name+"_sum", q)
}

// countOf is the exact count. With noise it can be as far from any number of records as its bound says.
func countOf(t *ctfile.Table, name string, count int) Statistic {
	return exact(t, name+"_count", max(count, 0))
}

// exact is a sum as it is: INT64 where it cannot overflow, else DECIMAL(38, decimals).
func exact(t *ctfile.Table, name string, q int) Statistic {
	m := t.Measures[q]
	bound, err := codec.ParseBound(m.Bound)
	if err == nil && m.Decimals == 0 && bound.Times(codec.BoundOf(uint64(max(t.AddsUsed, 1)))).BitLen() < 64 {
		return Statistic{name: name, typ: arrow.PrimitiveTypes.Int64, append: func(b array.Builder, sum func(int) codec.Int) {
			b.(*array.Int64Builder).Append(int64(sum(q).LowBits()))
		}}
	}
	return Statistic{name: name, typ: &arrow.Decimal128Type{Precision: codec.MaxDigits, Scale: int32(m.Decimals)}, append: func(b array.Builder, sum func(int) codec.Int) {
		b.(*array.Decimal128Builder).Append(sum(q))
	}}
}

// double is a statistic that is one quotient, null where it is undefined.
func double(name string, value func(sum func(int) codec.Int) (float64, bool)) Statistic {
	return Statistic{name: name, typ: arrow.PrimitiveTypes.Float64, append: func(b array.Builder, sum func(int) codec.Int) {
		if v, ok := value(sum); ok {
			b.(*array.Float64Builder).Append(v)
		} else {
			b.AppendNull()
		}
	}}
}

func meanOf(m ctfile.Measure, q, count int) Statistic {
	unit := codec.ExactPowerOfTen(m.Decimals)
	return double(m.Name+"_mean", func(sum func(int) codec.Int) (float64, bool) {
		n := codec.ExactOf(sum(count))
		if n.Sign() <= 0 { // nothing there, or more taken away by negative weights than added
			return 0, false
		}
		return codec.Ratio(codec.ExactOf(sum(q)), n.Mul(unit)), true
	})
}

// moments are quantities over the records that have both x and y.
type moments struct{ x, y, xy, xx, yy, n int }

// varianceOf is the unbiased sample variance (n·Sxx - Sx²) / (n·(n-1)).
func varianceOf(m ctfile.Measure, q, square, count int) Statistic {
	return spread(m.Name+"_var", 2*m.Decimals, moments{x: q, y: q, xy: square, n: count})
}

// covarianceOf is the unbiased sample covariance (n·Sxy - Sx·Sy) / (n·(n-1)).
func covarianceOf(name string, decimals int, p moments) Statistic {
	return spread(name+"_cov", decimals, p)
}

func spread(name string, decimals int, p moments) Statistic {
	unit := codec.ExactPowerOfTen(decimals)
	return double(name, func(sum func(int) codec.Int) (float64, bool) {
		if sum(p.n).Cmp(codec.FromInt64(2)) < 0 {
			return 0, false
		}
		n := codec.ExactOf(sum(p.n))
		return codec.Ratio(deviation(sum, n, p.xy, p.x, p.y), n.Mul(n.Sub(one)).Mul(unit)), true
	})
}

// deviation is n·Sxy - Sx·Sy.
func deviation(sum func(int) codec.Int, n codec.Exact, xy, x, y int) codec.Exact {
	return n.Mul(codec.ExactOf(sum(xy))).Sub(codec.ExactOf(sum(x)).Mul(codec.ExactOf(sum(y))))
}

// correlationOf is Pearson's coefficient, undefined for fewer than two records or a constant.
func correlationOf(name string, p moments) Statistic {
	return double(name+"_cor", func(sum func(int) codec.Int) (float64, bool) {
		if sum(p.n).Cmp(codec.FromInt64(2)) < 0 {
			return 0, false
		}
		n := codec.ExactOf(sum(p.n))
		x, y := deviation(sum, n, p.xx, p.x, p.x), deviation(sum, n, p.yy, p.y, p.y)
		if x.Sign() <= 0 || y.Sign() <= 0 {
			return 0, false
		}
		r := deviation(sum, n, p.xy, p.x, p.y).Float64() / math.Sqrt(x.Mul(y).Float64())
		return max(-1, min(1, r)), true
	})
}

// Schema is the schema of a decrypted table. With suppression every statistic can be null.
func Schema(ids []arrow.Field, stats []Statistic, suppressed bool) *arrow.Schema {
	fields := slices.Clone(ids)
	for _, s := range stats {
		fields = append(fields, arrow.Field{Name: s.name, Type: s.typ, Nullable: suppressed || s.typ.ID() == arrow.FLOAT64})
	}
	return arrow.NewSchema(fields, nil)
}

// Columns computes all statistics of n records; sums[quantity][record]. What rests on a hidden[count quantity][record] is
// null; hidden is nil when nothing is.
func Columns(stats []Statistic, sums [][]codec.Int, hidden [][]bool, n int) []arrow.Array {
	var columns []arrow.Array
	for _, s := range stats {
		b := array.NewBuilder(memory.DefaultAllocator, s.typ)
		b.Reserve(n)
		record := 0
		sum := func(q int) codec.Int { return sums[q][record] }
		for ; record < n; record++ {
			if hidden != nil && slices.ContainsFunc(s.from, func(count int) bool { return hidden[count][record] }) {
				b.AppendNull()
			} else {
				s.append(b, sum)
			}
		}
		columns = append(columns, b.NewArray())
		b.Release()
	}
	return columns
}
