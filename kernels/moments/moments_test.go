package moments

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// of sums columns of plain values.
func of(columns ...[]int64) *Moments {
	m := New(len(columns))
	if len(columns) > 0 {
		m.Count = int64(len(columns[0]))
	}
	for i, c := range columns {
		for j := range i + 1 {
			m.Products[i][j] = new(big.Int)
			for r, x := range c {
				m.Products[i][j].Add(m.Products[i][j], new(big.Int).Mul(big.NewInt(x), big.NewInt(columns[j][r])))
			}
		}
		for _, x := range c {
			m.Sums[i].Add(m.Sums[i], big.NewInt(x))
		}
	}
	return m
}

func rat(a, b int64) *big.Rat { return big.NewRat(a, b) }

// Statistics of the transcript of known answers, whose program is independent of this one.
func TestKnown(t *testing.T) {
	m := &Moments{Count: 7, Sums: []*big.Int{big.NewInt(6541), big.NewInt(13499)},
		Products: [][]*big.Int{{big.NewInt(44954197)}, {big.NewInt(93069824), big.NewInt(193444335)}}}
	mean, err1 := m.Mean(1)
	variance, err2 := m.Covariance(1, 1)
	covariance, err3 := m.Covariance(0, 1)
	sign, square, err4 := m.Correlation(0, 1)
	line, err5 := m.Regress(1, []int{0})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want *big.Rat }{
		{mean, rat(13499, 7)}, {variance, rat(585943672, 21)}, {covariance, rat(187730603, 14)}, {square, rat(35242779302743609, 35403328387433568)},
		{line.Coefficients[1], rat(187730603, 90631566)}, {line.Coefficients[0], rat(-644337827, 90631566)}, {line.R2, square},
	} {
		if c.got.Cmp(c.want) != 0 {
			t.Errorf("%s, not %s", c.got, c.want)
		}
	}
	if sign != 1 {
		t.Error("sign", sign)
	}
}

// The paper's variance, as printed, is not the variance: it is s² - mean².
func TestNotThePrintedVariance(t *testing.T) {
	m := of([]int64{100, 101, 99, 103})
	v, err := m.Covariance(0, 0)
	if err != nil || v.Cmp(rat(35, 12)) != 0 {
		t.Errorf("%v, %v", v, err)
	}
}

// A regression agrees with the definition: residuals are orthogonal to the columns, and their squares add up.
func TestRegress(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range []struct{ n, k int }{{2, 1}, {3, 1}, {3, 2}, {20, 1}, {20, 4}, {50, 6}} {
		columns := make([][]int64, shape.k+1)
		for c := range columns {
			columns[c] = make([]int64, shape.n)
			for i := range columns[c] {
				columns[c][i] = r.Int64N(2001) - 1000
			}
		}
		xs := make([]int, shape.k)
		for i := range xs {
			xs[i] = i + 1
		}
		m := of(columns...)
		fit, err := m.Regress(0, xs)
		if err != nil {
			t.Fatal(err)
		}
		residuals, squares := make([]*big.Rat, shape.n), new(big.Rat)
		for i := range residuals {
			e := new(big.Rat).Sub(rat(columns[0][i], 1), fit.Coefficients[0])
			for c := range shape.k {
				e.Sub(e, new(big.Rat).Mul(fit.Coefficients[c+1], rat(columns[c+1][i], 1)))
			}
			residuals[i] = e
			squares.Add(squares, new(big.Rat).Mul(e, e))
		}
		for c := range shape.k + 1 {
			dot := new(big.Rat)
			for i, e := range residuals {
				x := int64(1)
				if c > 0 {
					x = columns[c][i]
				}
				dot.Add(dot, new(big.Rat).Mul(e, rat(x, 1)))
			}
			if dot.Sign() != 0 {
				t.Errorf("%+v: residuals are not orthogonal to column %d: %s", shape, c, dot)
			}
		}
		if squares.Cmp(fit.Residuals) != 0 {
			t.Errorf("%+v: the residuals' squares are %s, not %s", shape, squares, fit.Residuals)
		}
		if (fit.Variances == nil) != (shape.n == shape.k+1) || fit.Freedom != int64(shape.n-shape.k-1) {
			t.Errorf("%+v: %d degrees of freedom, variances %v", shape, fit.Freedom, fit.Variances)
		}
	}
}

// Standard errors and R² of the first ten rows of the data set cars of R, dist ~ speed, and of a fit with two columns.
// Both were computed apart by the closed formulas for one and two columns.
func TestStandardErrors(t *testing.T) {
	dist := []int64{2, 10, 4, 22, 16, 10, 18, 26, 34, 17}
	speed := []int64{4, 4, 7, 7, 8, 9, 10, 10, 10, 11}
	other := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}
	m := of(dist, speed, other)
	for _, c := range []struct {
		xs           []int
		coefficients []float64
		errors       []float64
		r2           float64
	}{
		{[]int{1}, want1.coefficients, want1.errors, want1.r2},
		{[]int{1, 2}, want2.coefficients, want2.errors, want2.r2},
	} {
		fit, err := m.Regress(0, c.xs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.coefficients {
			if b, _ := fit.Coefficients[i].Float64(); !near(b, c.coefficients[i]) {
				t.Errorf("%v: coefficient %d is %v, not %v", c.xs, i, b, c.coefficients[i])
			}
			if e := Root(fit.Variances[i]); !near(e, c.errors[i]) {
				t.Errorf("%v: standard error %d is %v, not %v", c.xs, i, e, c.errors[i])
			}
		}
		if r2, _ := fit.R2.Float64(); !near(r2, c.r2) {
			t.Errorf("%v: R² is %v, not %v", c.xs, r2, c.r2)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// Statistics that do not exist are errors, and so are columns that depend on each other.
func TestUndefined(t *testing.T) {
	one, none, constant := of([]int64{5}, []int64{6}), of([]int64{}, []int64{}), of([]int64{5, 5, 5}, []int64{1, 2, 4})
	for name, err := range map[string]error{
		"mean of none":            second(none.Mean(0)),
		"variance of one":         second(one.Covariance(0, 0)),
		"correlation, constant":   third(constant.Correlation(0, 1)),
		"regression of none":      second(none.Regress(0, nil)),
		"more coefficients":       second(one.Regress(0, []int{1})),
		"correlation of a record": third(one.Correlation(0, 1)),
	} {
		if !errors.Is(err, ErrUndefined) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dependent := of([]int64{1, 4, 2, 8}, []int64{1, 2, 3, 4}, []int64{3, 5, 7, 9})
	var bad *DependentError
	if _, err := dependent.Regress(0, []int{1, 2}); !errors.As(err, &bad) || bad.Column != 2 {
		t.Errorf("2x+1: %v", err)
	}
	if _, err := constant.Regress(1, []int{0}); !errors.As(err, &bad) || bad.Column != 0 || bad.Error() == "" {
		t.Errorf("a constant column: %v", err)
	}
	fit, err := constant.Regress(0, []int{1})
	if err != nil || fit.R2 != nil || fit.Coefficients[0].Cmp(rat(5, 1)) != 0 || fit.Coefficients[1].Sign() != 0 || fit.Variances[0].Sign() != 0 {
		t.Errorf("a constant fitted: %+v, %v", fit, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a product that was not asked for: no panic")
		}
	}()
	New(2).Product(0, 1)
}

func second[T any](_ T, err error) error      { return err }
func third[T, U any](_ T, _ U, e error) error { return e }

func TestRoot(t *testing.T) {
	for _, x := range []float64{0, 1, 2, 0.25, 1e-300, 1e300, 152415787532388367504953515625666819450083828733760097552251169} {
		if got := Root(new(big.Rat).SetFloat64(x)); got != math.Sqrt(x) {
			t.Errorf("the root of %v is %v", x, got)
		}
	}
}

type fitted struct {
	coefficients, errors []float64
	r2                   float64
}

var (
	want1 = fitted{[]float64{-4.5285714285714285, 2.5535714285714284}, []float64{8.91640921651348, 1.068772750086065}, 0.41642229933369174}
	want2 = fitted{[]float64{-3.9632277834525027, 2.9315628192032688, -0.9203268641470889}, []float64{9.197037677036475, 1.2075354071572837, 1.2195727590626388}, 0.4603261023400406}
)
