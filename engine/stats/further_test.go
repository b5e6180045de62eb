package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// data are records with the values of measures, as integers; nil is missing.
type data struct {
	names    []string
	decimals []int
	rows     [][]*int64
}

// randomData makes records of measures a to d, of which some are missing, some depend on each other, and w is positive.
func randomData(r *rand.Rand, missing bool) *data {
	d := &data{names: []string{"a", "b", "c", "d", "w"}, decimals: []int{2, 0, 1, 3, 1}}
	for range 12 + r.IntN(60) {
		a := r.Int64N(2000) - 700
		b := r.Int64N(90) + 10
		row := []int64{a, b, a/20 + r.Int64N(60) - 30, 3*a - 40*b + r.Int64N(9000), 1 + r.Int64N(50)}
		var values []*int64
		for i := range row {
			if missing && r.IntN(7) == 0 {
				values = append(values, nil)
			} else {
				values = append(values, &row[i])
			}
		}
		d.rows = append(d.rows, values)
	}
	return d
}

// table is a footer for the data, with all squares and products.
func (d *data) table(t *testing.T) *ctfile.Table {
	t.Helper()
	var list []slots.Measure
	var products [][2]string
	for i, name := range d.names {
		list = append(list, slots.Measure{Name: name, Decimals: d.decimals[i], Bound: 1 << 20})
		for _, other := range d.names[:i] {
			products = append(products, [2]string{other, name})
		}
	}
	tuples, err := slots.Quantities(list, d.names, products)
	if err != nil {
		t.Fatal(err)
	}
	table := &ctfile.Table{Layout: slots.Records, MaxAdds: 1 << 20, AddsUsed: 1 << 10}
	if err := slots.LayOut(table, 3072, list, tuples, nil); err != nil {
		t.Fatal(err)
	}
	return table
}

// column is a measure of the records that have all of some; records in order, values as decimals.
func (d *data) column(name string, having ...string) (out []float64) {
	at := func(name string) int {
		for i, n := range d.names {
			if n == name {
				return i
			}
		}
		panic(name)
	}
rows:
	for _, row := range d.rows {
		for _, h := range append([]string{name}, having...) {
			if row[at(h)] == nil {
				continue rows
			}
		}
		out = append(out, float64(*row[at(name)])/math.Pow10(d.decimals[at(name)]))
	}
	return out
}

// sumsOf adds the data up as ciphertexts do.
func (d *data) sumsOf(table *ctfile.Table) [][]codec.Int {
	at := map[string]int{}
	for i, name := range d.names {
		at[name] = i
	}
	out := make([][]codec.Int, len(table.Measures))
	for q, m := range table.Measures {
		sum := int64(0)
	rows:
		for _, row := range d.rows {
			x := int64(1)
			for _, name := range m.Given {
				if row[at[name]] == nil {
					continue rows
				}
			}
			for _, name := range m.Terms {
				x *= *row[at[name]]
			}
			sum += x
		}
		out[q] = []codec.Int{codec.FromInt64(sum)}
	}
	return out
}

// computed are the further statistics of data, NaN for null.
func computed(t *testing.T, d *data, f Further) map[string]float64 {
	t.Helper()
	table := d.table(t)
	list, err := f.Columns("f", table, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for i, c := range Columns(list, d.sumsOf(table), nil, 1) {
		out[list[i].name] = math.NaN()
		if x := c.(*array.Float64); x.IsValid(0) {
			out[list[i].name] = x.Value(0)
		}
		c.Release()
	}
	return out
}

func close(t *testing.T, set int, name string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(math.Abs(want), 1e-3)) {
		t.Errorf("set %d: %s is %v, want %v", set, name, got, want)
	}
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// covariance of a sample, by its definition.
func covariance(x, y []float64) float64 {
	mx, my, s := mean(x), mean(y), 0.0
	for i := range x {
		s += (x[i] - mx) * (y[i] - my)
	}
	return s / float64(len(x)-1)
}

// Standard deviations and errors, weighted means and ratios with intervals, of ten random data sets with missing values.
func TestFurtherOracles(t *testing.T) {
	for set := range 10 {
		r := rand.New(rand.NewPCG(uint64(set), 14))
		d := randomData(r, true)
		f := Further{Errors: true, Intervals: true, Ratios: []string{"r=a/b", "p=w/b"}, Weighted: []string{"m=a*w", "n=w*c"}}
		got := computed(t, d, f)
		for _, name := range d.names {
			x := d.column(name)
			sd := math.Sqrt(covariance(x, x))
			close(t, set, name+"_sd", got[name+"_sd"], sd, 1e-12)
			close(t, set, name+"_se", got[name+"_se"], sd/math.Sqrt(float64(len(x))), 1e-12)
		}
		for name, of := range map[string][2]string{"m": {"a", "w"}, "n": {"w", "c"}} {
			x, w := d.column(of[0], of[1]), d.column(of[1], of[0])
			up, down := 0.0, 0.0
			for i := range x {
				up, down = up+x[i]*w[i], down+w[i]
			}
			if down > 0 {
				close(t, set, name, got[name], up/down, 1e-12)
			} else if !math.IsNaN(got[name]) {
				t.Errorf("set %d: %s is %v, of weights %v", set, name, got[name], down)
			}
		}
		a, b := d.column("a"), d.column("b")
		close(t, set, "r", got["r"], mean(a)*float64(len(a))/(mean(b)*float64(len(b))), 1e-12)
		if !math.IsNaN(got["r_low"]) {
			t.Errorf("set %d: an interval of a ratio where some have one measure only", set)
		}
		// Without missing values: r ± z·sd(a - r·b)/(√m·mean b).
		d = randomData(r, false)
		got = computed(t, d, f)
		a, b = d.column("a"), d.column("b")
		ratio := mean(a) / mean(b)
		residual := make([]float64, len(a))
		for i := range a {
			residual[i] = a[i] - ratio*b[i]
		}
		half := 1.959963984540054 * math.Sqrt(covariance(residual, residual)/float64(len(a))) / mean(b)
		close(t, set, "r_low", got["r_low"], ratio-half, 1e-10)
		close(t, set, "r_high", got["r_high"], ratio+half, 1e-10)
	}
}

// Wilson's limits are where a true share is as far from what was seen as 95% allow: (p̂ - p)² = z²·p·(1 - p)/n.
func TestProportion(t *testing.T) {
	list := []slots.Measure{{Name: "AC", Bound: 1 << 20}, {Name: "AN", Bound: 1 << 20}}
	tuples, err := slots.Quantities(list, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	table := &ctfile.Table{Layout: slots.Records, MaxAdds: 1 << 20, AddsUsed: 1}
	if err := slots.LayOut(table, 2048, list, tuples, nil); err != nil {
		t.Fatal(err)
	}
	stats, err := Further{Ratios: []string{"AF=AC/AN"}, Intervals: true}.Columns("f", table, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]int64{{0, 10}, {1, 10}, {5, 10}, {10, 10}, {3, 5008}, {2504, 5008}, {0, 0}, {11, 10}, {-1, 10}} {
		sums := make([][]codec.Int, len(table.Measures))
		for q, m := range table.Measures {
			sums[q] = []codec.Int{codec.FromInt64(map[string]int64{"AC": c[0], "AN": c[1]}[m.Name])}
		}
		columns := Columns(stats, sums, nil, 1)
		low, high := columns[1].(*array.Float64), columns[2].(*array.Float64)
		if undefined := c[1] == 0 || c[0] > c[1] || c[0] < 0; undefined || low.IsNull(0) {
			if !undefined || low.IsValid(0) {
				t.Errorf("%v: %v", c, low)
			}
			continue
		}
		n, p := float64(c[1]), float64(c[0])/float64(c[1])
		for i, limit := range []float64{low.Value(0), high.Value(0)} {
			if i == 0 && c[0] == 0 && limit == 0 || i == 1 && c[0] == c[1] && limit == 1 {
				continue
			}
			if x, y := (p-limit)*(p-limit), z95*z95*limit*(1-limit)/n; math.Abs(x-y) > 1e-12*y || (limit > p) != (i == 1) {
				t.Errorf("%v: %v is no limit: %v, %v", c, limit, x, y)
			}
		}
	}
}

// solveExactly is the least-squares fit of integers by Cramer's rule, in fractions: coefficients and the inverse of XᵀX.
func solveExactly(y []float64, xs [][]float64) (b []float64, inverse [][]float64) {
	n, k := len(y), len(xs)+1
	value := func(i, row int) *big.Rat {
		if i == 0 {
			return big.NewRat(1, 1)
		}
		return new(big.Rat).SetFloat64(xs[i-1][row])
	}
	matrix := make([][]*big.Rat, k)
	right := make([]*big.Rat, k)
	for i := range k {
		right[i] = new(big.Rat)
		for row := range n {
			right[i].Add(right[i], new(big.Rat).Mul(value(i, row), new(big.Rat).SetFloat64(y[row])))
		}
		for j := range k {
			s := new(big.Rat)
			for row := range n {
				s.Add(s, new(big.Rat).Mul(value(i, row), value(j, row)))
			}
			matrix[i] = append(matrix[i], s)
		}
	}
	det := determinant(matrix)
	with := func(column int, right []*big.Rat) float64 {
		m := make([][]*big.Rat, k)
		for i := range m {
			m[i] = append([]*big.Rat{}, matrix[i]...)
			m[i][column] = right[i]
		}
		f, _ := new(big.Rat).Quo(determinant(m), det).Float64()
		return f
	}
	inverse = make([][]float64, k)
	for i := range k {
		b = append(b, with(i, right))
		for j := range k {
			unit := make([]*big.Rat, k)
			for m := range unit {
				unit[m] = new(big.Rat)
			}
			unit[j].SetInt64(1)
			inverse[i] = append(inverse[i], with(i, unit))
		}
	}
	return b, inverse
}

// determinant by Laplace's expansion.
func determinant(m [][]*big.Rat) *big.Rat {
	if len(m) == 1 {
		return m[0][0]
	}
	d := new(big.Rat)
	for c := range m {
		var minor [][]*big.Rat
		for _, row := range m[1:] {
			minor = append(minor, append(append([]*big.Rat{}, row[:c]...), row[c+1:]...))
		}
		x := new(big.Rat).Mul(m[0][c], determinant(minor))
		if c%2 == 1 {
			x.Neg(x)
		}
		d.Add(d, x)
	}
	return d
}

// studentTail integrates Student's density by Simpson's rule, after t = √ν·tan θ.
func studentTail(t, df float64) float64 {
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	const n = 4000
	from, to := math.Atan(math.Abs(t)/math.Sqrt(df)), math.Pi/2
	h, s := (to-from)/n, 0.0
	for i := range n + 1 {
		weight := float64(2 + 2*(i%2))
		if i == 0 || i == n {
			weight = 1
		}
		s += weight * math.Pow(math.Max(0, math.Cos(from+float64(i)*h)), df-1)
	}
	return 2 * math.Exp(a-b) / math.Sqrt(math.Pi) * s * h / 3
}

// Regressions agree with the fit of the records themselves: residuals are those of records. With one x, records that lack one of
// the two are left out; with more x, nothing may be missing.
func TestRegressionOracle(t *testing.T) {
	for set := range 10 {
		r := rand.New(rand.NewPCG(uint64(set), 17))
		for _, c := range []struct {
			missing bool
			y       string
			xs      []string
		}{{true, "d", []string{"a"}}, {true, "a", []string{"d"}}, {false, "d", []string{"a", "b"}}, {false, "c", []string{"d", "a", "w"}}} {
			d := randomData(r, c.missing)
			got := computed(t, d, Further{Regressions: []string{"fit=" + c.y + "~" + strings.Join(c.xs, "+")}})
			y := d.column(c.y, c.xs...)
			var xs [][]float64
			for _, x := range c.xs {
				xs = append(xs, d.column(x, append(c.xs, c.y)...))
			}
			b, inverse := solveExactly(y, xs)
			residuals, all := 0.0, covariance(y, y)*float64(len(y)-1)
			for i := range y {
				e := y[i] - b[0]
				for j := range xs {
					e -= b[j+1] * xs[j][i]
				}
				residuals += e * e
			}
			df := float64(len(y) - len(b))
			for j, name := range append([]string{"intercept"}, c.xs...) {
				se := math.Sqrt(residuals / df * inverse[j][j])
				close(t, set, name, got["fit_"+name], b[j], 1e-9)
				close(t, set, name+"_se", got["fit_"+name+"_se"], se, 1e-9)
				close(t, set, name+"_p", got["fit_"+name+"_p"], studentTail(b[j]/se, df), 1e-6)
			}
			close(t, set, "r2", got["fit_r2"], 1-residuals/all, 1e-10)
			close(t, set, "n", got["fit_n"], float64(len(y)), 0)
		}
		d := randomData(r, true)
		if got := computed(t, d, Further{Regressions: []string{"d~a+b"}}); !math.IsNaN(got["d_intercept"]) || !math.IsNaN(got["d_n"]) {
			t.Errorf("set %d: a regression on two columns, of which records lack one: %v", set, got)
		}
	}
}

// What depends on the rest, or is constant, has no coefficient.
func TestRegressionUndefined(t *testing.T) {
	value := func(x int64) *int64 { return &x }
	d := &data{names: []string{"y", "a", "b"}, decimals: []int{0, 0, 0}}
	for i := range int64(9) {
		d.rows = append(d.rows, []*int64{value(i * i), value(i), value(3*i + 1)})
	}
	if got := computed(t, d, Further{Regressions: []string{"y~a+b"}}); !math.IsNaN(got["y_a"]) {
		t.Error(got)
	}
	d.rows = d.rows[:2]
	got := computed(t, d, Further{Regressions: []string{"y~a"}})
	if math.Abs(got["y_a"]-1) > 1e-15 || math.Abs(got["y_intercept"]) > 1e-15 || !math.IsNaN(got["y_a_se"]) || !math.IsNaN(got["y_a_p"]) {
		t.Error(got)
	}
}

func TestFurtherRefusals(t *testing.T) {
	d := randomData(rand.New(rand.NewPCG(1, 1)), false)
	table := d.table(t)
	bare := tableOf(t, []string{"a", "b"}, nil)
	for cause, c := range map[string]struct {
		table *ctfile.Table
		f     Further
	}{
		"is not NAME=A/B":                   {table, Further{Ratios: []string{"a/b"}}},
		`no such column: "x"`:               {table, Further{Ratios: []string{"r=a/x"}}},
		"‹ratio_interval› without":          {table, Further{Intervals: true}},
		"is not NAME=X*W":                   {table, Further{Weighted: []string{"m=a*a"}}},
		`no such column: "y"`:               {table, Further{Weighted: []string{"m=y*a"}}},
		"a weighted mean needs the product": {bare, Further{Weighted: []string{"m=a*b"}}},
		"is not Y~X1+X2":                    {table, Further{Regressions: []string{"a"}}},
		`no such column: "z"`:               {table, Further{Regressions: []string{"a~b+z"}}},
		`"b" is in it twice`:                {table, Further{Regressions: []string{"a~b+b"}}},
		"a regression needs the product":    {bare, Further{Regressions: []string{"a~b"}}},
		`the name "m" already`:              {table, Further{Weighted: []string{"m=a*b", "m=a*c"}}},
		`the name "a_intercept" already`:    {table, Further{Regressions: []string{"a~b", "a~c"}}},
	} {
		if _, err := c.f.Columns("f", c.table, nil); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%v, want %q", err, cause)
		}
	}
}
