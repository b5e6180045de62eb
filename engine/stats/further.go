package stats

import (
	"math"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Further are columns of a result that are made when they are asked for.
type Further struct {
	Ratios      []string // NAME=A/B: the sum of A divided by the sum of B
	Intervals   bool     // of ratios: NAME_low and NAME_high, of 95%
	Errors      bool     // NAME_sd and NAME_se of each measure with a square
	Weighted    []string // NAME=X*W: the mean of X weighted by W
	Regressions []string // [NAME=]Y~X1+X2...: least squares
}

// Columns makes these columns of a table, whose others there are already.
func (f Further) Columns(file string, t *ctfile.Table, others []Statistic) ([]Statistic, error) {
	if f.Intervals && len(f.Ratios) == 0 {
		return nil, job.Misuse("Give ‹ratio› NAME=A/B, or leave it out.", "‹ratio_interval› without ‹ratio›")
	}
	s := newSums(file, t)
	var out []Statistic
	if f.Errors {
		out = append(out, s.errors()...)
	}
	for _, kind := range []struct {
		what  string
		specs []string
		of    func(spec string) ([]Statistic, error)
	}{
		{"ratio", f.Ratios, func(spec string) ([]Statistic, error) { return s.ratio(spec, f.Intervals) }},
		{"weighted mean", f.Weighted, s.weighted},
		{"regression", f.Regressions, s.regression},
	} {
		for _, spec := range kind.specs {
			more, err := kind.of(spec)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			if name := repeated(t.IDs, others, out); name != "" {
				return nil, job.Misuse("Choose another name.", "%s %s: the result has a column of the name %s already", kind.what, column.Quote(spec), column.Quote(name))
			}
		}
	}
	if name := repeated(t.IDs, others, out); name != "" {
		return nil, job.Misuse("Leave out ‹errors›, or rename the measure.", "two columns of the result would both be called %s", column.Quote(name))
	}
	return out, nil
}

// repeated is a name that comes twice; "" when there is none.
func repeated(ids []string, lists ...[]Statistic) string {
	seen := map[string]bool{}
	for _, name := range ids {
		seen[name] = true
	}
	for _, list := range lists {
		for _, s := range list {
			if seen[s.name] {
				return s.name
			}
			seen[s.name] = true
		}
	}
	return ""
}

// sums finds the quantities of a table.
type sums struct {
	file string
	t    *ctfile.Table
	at   map[string]int // by terms and given
}

func newSums(file string, t *ctfile.Table) *sums {
	s := &sums{file, t, map[string]int{}}
	for q, m := range t.Measures {
		key := slots.KeyOf(m.Terms, m.Given)
		if _, ok := s.at[key]; !ok {
			s.at[key] = q
		}
	}
	return s
}

// of is the sum of the product of terms over the records that have given; -1 when the table has none.
func (s *sums) of(terms, given []string) int {
	if q, ok := s.at[slots.KeyOf(terms, given)]; ok {
		return q
	}
	return -1
}

// measure reports whether there is a measure of this name.
func (s *sums) measure(name string) bool { return s.of([]string{name}, []string{name}) >= 0 }

// pair are the sums of two measures over the records that have both. ok is false when their product was not encrypted.
func (s *sums) pair(a, b string) (p moments, ok bool) {
	given := []string{a, b}
	if s.of(given, given) < 0 {
		given = []string{b, a}
	}
	p = moments{
		x: s.of([]string{a}, given), y: s.of([]string{b}, given), xy: s.of(given, given),
		xx: s.of([]string{a, a}, given), yy: s.of([]string{b, b}, given), n: s.of(nil, given),
	}
	return p, min(p.x, p.y, p.xy, p.xx, p.yy, p.n) >= 0
}

// count is the quantity that counts a measure's values.
func (s *sums) count(name string) int { return s.of(nil, []string{name}) }

// decimals are those of the measure.
func (s *sums) decimals(name string) int {
	return s.t.Measures[s.of([]string{name}, []string{name})].Decimals
}

// missing refuses a measure that is not there.
func (s *sums) missing(name string) error {
	var have []string
	for _, m := range slots.BaseMeasures(s.t) {
		have = append(have, m.Name)
	}
	return column.MissingColumn(s.file, name, have)
}

// noProduct refuses a pair whose product was not encrypted.
func (s *sums) noProduct(what, a, b string) error {
	return column.Refuse(s.file, "%s needs the product of %s and %s, which was not encrypted", what, column.Quote(a), column.Quote(b)).
		WithHint("Encrypt with ‹product› %s*%s, for all owners alike.", a, b)
}

// errors are standard deviations √variance and standard errors √(variance/n), null for fewer than two values.
func (s *sums) errors() (out []Statistic) {
	for _, m := range slots.BaseMeasures(s.t) {
		q, square, n := s.of([]string{m.Name}, m.Given), s.of([]string{m.Name, m.Name}, m.Given), s.count(m.Name)
		if square < 0 || n < 0 {
			continue
		}
		unit := codec.ExactPowerOfTen(2 * m.Decimals)
		root := func(name string, of func(n codec.Exact) codec.Exact) Statistic {
			return double(name, func(sum func(int) codec.Int) (float64, bool) {
				if sum(n).Cmp(codec.FromInt64(2)) < 0 {
					return 0, false
				}
				n := codec.ExactOf(sum(n))
				d := deviation(sum, n, square, q, q)
				return math.Sqrt(codec.Ratio(d, of(n).Mul(n.Sub(one)).Mul(unit))), d.Sign() >= 0 // it can be less with noise
			})
		}
		sd := root(m.Name+"_sd", func(n codec.Exact) codec.Exact { return n })
		se := root(m.Name+"_se", func(n codec.Exact) codec.Exact { return n.Mul(n) })
		out = append(out, restOn([]Statistic{sd, se}, n)...)
	}
	return out
}

var one = codec.ExactOf(codec.FromInt64(1))

const weightedHint = "Write NAME=X*W with two measures whose product was encrypted."

// weighted is NAME=X*W: Σxw/Σw over the records that have both; null where Σw is not positive.
func (s *sums) weighted(spec string) ([]Statistic, error) {
	name, product, ok := strings.Cut(spec, "=")
	if !ok || name == "" {
		return nil, job.Misuse(weightedHint, "weighted mean %s is not NAME=X*W", column.Quote(spec))
	}
	x, w, err := s.split(product, '*')
	if err != nil {
		return nil, err
	}
	if x == "" || x == w {
		return nil, job.Misuse(weightedHint, "weighted mean %s is not NAME=X*W", column.Quote(spec))
	}
	p, ok := s.pair(x, w)
	if !ok {
		return nil, s.noProduct("a weighted mean", x, w)
	}
	unit := codec.ExactPowerOfTen(s.decimals(x))
	return restOn([]Statistic{double(name, func(sum func(int) codec.Int) (float64, bool) {
		weight := codec.ExactOf(sum(p.y))
		if weight.Sign() <= 0 {
			return 0, false
		}
		return codec.Ratio(codec.ExactOf(sum(p.xy)), weight.Mul(unit)), true
	})}, p.n, s.count(x), s.count(w)), nil
}

// split finds the two measures between which a separator is. Names may have it, too. Both are "" where there is none.
func (s *sums) split(text string, separator byte) (a, b string, err error) {
	var found [][2]string
	for i := range len(text) {
		if text[i] == separator && s.measure(text[:i]) && s.measure(text[i+1:]) {
			found = append(found, [2]string{text[:i], text[i+1:]})
		}
	}
	switch {
	case len(found) > 1:
		return "", "", job.Misuse("Rename a measure.", "%s can be read in two ways", column.Quote(text))
	case len(found) == 1:
		return found[0][0], found[0][1], nil
	}
	a, b, ok := strings.Cut(text, string(separator))
	if !ok {
		return "", "", nil
	}
	if s.measure(a) {
		a = b
	}
	return "", "", s.missing(a)
}

const ratioHint = "Write NAME=A/B with two measures of the table, such as AF=AC/AN."

// ratio is NAME=A/B: the sum of A divided by the sum of B, null where that of B is 0. Frequencies of alleles are such.
func (s *sums) ratio(spec string, interval bool) ([]Statistic, error) {
	name, quotient, ok := strings.Cut(spec, "=")
	if !ok || name == "" {
		return nil, job.Misuse(ratioHint, "ratio %s is not NAME=A/B", column.Quote(spec))
	}
	a, b, err := s.split(quotient, '/')
	if err != nil {
		return nil, err
	}
	if a == "" {
		return nil, job.Misuse(ratioHint, "ratio %s is not NAME=A/B", column.Quote(spec))
	}
	x, y := s.of([]string{a}, []string{a}), s.of([]string{b}, []string{b})
	dx, dy := s.decimals(a), s.decimals(b)
	up, down := codec.ExactPowerOfTen(max(0, dy-dx)), codec.ExactPowerOfTen(max(0, dx-dy))
	value := func(sum func(int) codec.Int) (float64, bool) {
		divisor := codec.ExactOf(sum(y))
		if divisor.Sign() == 0 {
			return 0, false
		}
		return codec.Ratio(codec.ExactOf(sum(x)).Mul(up), divisor.Mul(down)), true
	}
	out := []Statistic{double(name, value)}
	from := []int{s.count(a), s.count(b)}
	if interval {
		ends := s.proportion(x, y, dx, dy)
		if p, ok := s.pair(a, b); ok && a != b {
			ends = s.linearised(p, dx, dy, from, value)
			from = append(from, p.n)
		}
		for i, end := range []string{"_low", "_high"} {
			out = append(out, double(name+end, func(sum func(int) codec.Int) (float64, bool) {
				low, high, ok := ends(sum)
				return []float64{low, high}[i], ok
			}))
		}
	}
	return restOn(out, from...), nil
}

// z95 is the normal quantile of 0.975.
const z95 = 1.959963984540054

// proportion is Wilson's interval (1927) of A of B trials that succeeded; undefined unless both are whole numbers, A at most B.
func (s *sums) proportion(x, y, dx, dy int) func(func(int) codec.Int) (float64, float64, bool) {
	return func(sum func(int) codec.Int) (low, high float64, ok bool) {
		if dx != 0 || dy != 0 || sum(x).Sign() < 0 || sum(y).Sign() <= 0 || sum(x).Cmp(sum(y)) > 0 {
			return 0, 0, false
		}
		n, successes := codec.ExactOf(sum(y)).Float64(), codec.ExactOf(sum(x)).Float64()
		p := successes / n
		middle := (p + z95*z95/(2*n)) / (1 + z95*z95/n)
		half := z95 / (1 + z95*z95/n) * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
		low, high = max(0, middle-half), min(1, middle+half)
		if successes == 0 {
			low = 0
		}
		if successes == n {
			high = 1
		}
		return low, high, true
	}
}

// linearised is the interval r ± 1.96·√((s_aa - 2·r·s_ab + r²·s_bb)/m)/b̄ of a ratio r of the sums of m records, by the method
// of linearisation (Taylor). Where some have one measure only, it is undefined.
func (s *sums) linearised(p moments, dx, dy int, counts []int, value func(func(int) codec.Int) (float64, bool)) func(func(int) codec.Int) (float64, float64, bool) {
	return func(sum func(int) codec.Int) (low, high float64, ok bool) {
		r, ok := value(sum)
		if !ok || sum(p.n).Cmp(codec.FromInt64(2)) < 0 || slices.ContainsFunc(counts, func(c int) bool { return sum(c) != sum(p.n) }) {
			return 0, 0, false
		}
		n := codec.ExactOf(sum(p.n))
		spread := func(xy, x, y, decimals int) float64 {
			return codec.Ratio(deviation(sum, n, xy, x, y), n.Mul(n.Sub(one)).Mul(codec.ExactPowerOfTen(decimals)))
		}
		v := spread(p.xx, p.x, p.x, 2*dx) - 2*r*spread(p.xy, p.x, p.y, dx+dy) + r*r*spread(p.yy, p.y, p.y, 2*dy)
		mean := codec.Ratio(codec.ExactOf(sum(p.y)), n.Mul(codec.ExactPowerOfTen(dy)))
		half := z95 * math.Sqrt(max(0, v)/n.Float64()) / math.Abs(mean)
		return r - half, r + half, true
	}
}
