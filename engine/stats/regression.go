package stats

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mathext"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

const regressionHint = "Write Y~X1+X2, or NAME=Y~X1+X2, with measures of the table whose products were all encrypted."

// fit is a linear regression with an intercept. Quantities of the sums are indices into Table.Measures.
type fit struct {
	counts   []int   // that must be equal: then all sums are of the same records
	total    []int   // per variable, y first: the sum
	products [][]int // per two variables: the sum of their product
	decimals []int   // per variable
}

// regression is [NAME=]Y~X1+X2...: NAME_intercept and NAME_X of each X, with _se and _p, NAME_r2 and NAME_n. NAME is Y if
// none is given. Least squares are exact up to the sums of squares about the means, which are doubles from there on.
func (s *sums) regression(spec string) ([]Statistic, error) {
	left, right, ok := strings.Cut(spec, "~")
	if !ok || left == "" || right == "" {
		return nil, job.Misuse(regressionHint, "regression %s is not Y~X1+X2", column.Quote(spec))
	}
	name, y := left, left
	if !s.measure(left) {
		if n, after, ok := strings.Cut(left, "="); ok && n != "" {
			name, y = n, after
		}
	}
	variables := append([]string{y}, strings.Split(right, "+")...)
	for i, v := range variables {
		if !s.measure(v) {
			return nil, s.missing(v)
		}
		if slices.Contains(variables[:i], v) {
			return nil, job.Misuse(regressionHint, "regression %s: %s is in it twice", column.Quote(spec), column.Quote(v))
		}
	}
	f, err := s.fit(variables)
	if err != nil {
		return nil, err
	}
	k := len(variables) - 1
	var out []Statistic
	add := func(name string, of func(r *regressed) float64) {
		out = append(out, double(name, func(sum func(int) codec.Int) (float64, bool) {
			r := f.solve(sum)
			if r == nil {
				return 0, false
			}
			v := of(r)
			return v, !math.IsNaN(v) && !math.IsInf(v, 0)
		}))
	}
	for i := range k + 1 {
		of := name + "_intercept"
		if i > 0 {
			of = name + "_" + variables[i]
		}
		add(of, func(r *regressed) float64 { return r.coefficients[i] })
		add(of+"_se", func(r *regressed) float64 { return r.errors[i] })
		add(of+"_p", func(r *regressed) float64 { return StudentP(r.coefficients[i]/r.errors[i], r.n-float64(k)-1) })
	}
	add(name+"_r2", func(r *regressed) float64 { return r.r2 })
	add(name+"_n", func(r *regressed) float64 { return r.n })
	return restOn(out, f.counts...), nil
}

// fit finds the sums. Of two variables they are of the records that have both. Of more they are those of each variable.
func (s *sums) fit(variables []string) (*fit, error) {
	f := &fit{products: make([][]int, len(variables))}
	for i := range f.products {
		f.products[i] = make([]int, len(variables))
	}
	for i, a := range variables {
		f.counts = append(f.counts, s.count(a))
		f.total = append(f.total, s.of([]string{a}, []string{a}))
		f.decimals = append(f.decimals, s.decimals(a))
		for j, b := range variables[:i] {
			p, ok := s.pair(a, b)
			if !ok {
				return nil, s.noProduct("a regression", a, b)
			}
			f.counts = append(f.counts, p.n)
			f.products[i][j], f.products[j][i] = p.xy, p.xy
			f.products[i][i], f.products[j][j] = p.xx, p.yy
			if len(variables) == 2 {
				f.total, f.counts = []int{p.y, p.x}, []int{p.n}
			}
		}
	}
	return f, nil
}

// regressed is what a fit gives: an intercept and a coefficient of each x, their standard errors, R² and the number of records.
type regressed struct {
	coefficients, errors []float64
	r2, n                float64
}

// dependent is the share of a variable's variance that others must leave over: below it, it is taken for a combination of them.
const dependent = 1e-12

// solve is nil where there are too few records, some lack a variable, or one is a combination of the others.
func (f *fit) solve(sum func(int) codec.Int) *regressed {
	k := len(f.total) - 1
	count := sum(f.counts[0])
	if slices.ContainsFunc(f.counts, func(c int) bool { return sum(c) != count }) || count.Cmp(codec.FromInt64(int64(k)+1)) < 0 {
		return nil
	}
	n := codec.ExactOf(count)
	r := &regressed{n: n.Float64(), coefficients: make([]float64, k+1), errors: make([]float64, k+1)}
	// Sums of products about the means, S_ij - S_i·S_j/n, and means.
	about := func(i, j int) float64 {
		return codec.Ratio(deviation(sum, n, f.products[i][j], f.total[i], f.total[j]), n.Mul(codec.ExactPowerOfTen(f.decimals[i]+f.decimals[j])))
	}
	mean := make([]float64, k+1)
	for i := range mean {
		mean[i] = codec.Ratio(codec.ExactOf(sum(f.total[i])), n.Mul(codec.ExactPowerOfTen(f.decimals[i])))
	}
	scale := make([]float64, k) // so that all variances are 1
	right := make([]float64, k)
	matrix := make([][]float64, k)
	for i := range k {
		v := about(i+1, i+1)
		if v <= 0 {
			return nil
		}
		scale[i] = math.Sqrt(v)
	}
	for i := range k {
		matrix[i] = make([]float64, k)
		for j := range k {
			matrix[i][j] = about(i+1, j+1) / (scale[i] * scale[j])
		}
		right[i] = about(i+1, 0) / scale[i]
	}
	inverse := invert(matrix)
	if inverse == nil {
		return nil
	}
	all := about(0, 0)
	residual := all
	for i := range k {
		b := 0.0
		for j := range k {
			b += inverse[i][j] * right[j]
		}
		residual -= b * right[i]
		r.coefficients[i+1] = b / scale[i]
	}
	residual = max(0, residual)
	variance := residual / (r.n - float64(k) - 1)
	r.coefficients[0] = mean[0]
	leverage := 1 / r.n
	for i := range k {
		r.coefficients[0] -= r.coefficients[i+1] * mean[i+1]
		r.errors[i+1] = math.Sqrt(variance*inverse[i][i]) / scale[i]
		for j := range k {
			leverage += mean[i+1] / scale[i] * inverse[i][j] * mean[j+1] / scale[j]
		}
	}
	r.errors[0] = math.Sqrt(variance * leverage)
	r.r2 = 1 - residual/all
	return r
}

// invert inverts a correlation matrix by Cholesky's decomposition; nil where it has no inverse.
func invert(a [][]float64) [][]float64 {
	k := len(a)
	l := make([][]float64, k)
	for i := range l {
		l[i] = make([]float64, k)
		for j := range i + 1 {
			x := a[i][j]
			for m := range j {
				x -= l[i][m] * l[j][m]
			}
			switch {
			case i != j:
				l[i][j] = x / l[j][j]
			case x < dependent:
				return nil
			default:
				l[i][i] = math.Sqrt(x)
			}
		}
	}
	out := make([][]float64, k)
	for c := range k {
		x := make([]float64, k) // L·Lᵀ·x is column c of the identity
		x[c] = 1
		for i := range k {
			for m := range i {
				x[i] -= l[i][m] * x[m]
			}
			x[i] /= l[i][i]
		}
		for i := k - 1; i >= 0; i-- {
			for m := i + 1; m < k; m++ {
				x[i] -= l[m][i] * x[m]
			}
			x[i] /= l[i][i]
		}
		out[c] = x
	}
	return out
}

// StudentP is the probability of |T| >= |t| under Student's distribution: the regularized incomplete beta function
// I(df/(df+t²); df/2, 1/2). It is NaN where t or df is undefined.
func StudentP(t, df float64) float64 {
	if math.IsNaN(t) || math.IsNaN(df) || math.IsInf(t, 0) || df <= 0 {
		return math.NaN()
	}
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}
