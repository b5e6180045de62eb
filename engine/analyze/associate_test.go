package analyze_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/analyze"
	"github.com/cipherfold/cipherfold/engine/job"
)

// person is an individual of a made-up study. Oracles see people, the program sums.
type person struct {
	cohort int
	sick   bool
	dose   []int     // per variant: 0, 1 or 2 alleles, -1 missing
	value  []float64 // per variant: a measure, NaN missing
}

const (
	studyVariants = 14
	studyCohorts  = 3
)

// study makes people. The first variant nobody has, the second everybody, the third is rare.
func study(r *rand.Rand) []person {
	frequency := make([]float64, studyVariants)
	effect := make([]float64, studyVariants)
	for v := range frequency {
		frequency[v], effect[v] = 0.1+0.8*r.Float64(), r.NormFloat64()/4
	}
	frequency[0], frequency[1], frequency[2] = 0, 1, 0.02
	people := make([]person, 90+r.IntN(120))
	for i := range people {
		p := person{cohort: r.IntN(studyCohorts), sick: r.IntN(3) == 0}
		for v := range frequency {
			f := frequency[v]
			if p.sick && v > 2 {
				f = min(0.95, max(0.05, f+effect[v]/4))
			}
			dose := 0
			for range 2 {
				if r.Float64() < f {
					dose++
				}
			}
			if r.IntN(12) == 0 {
				dose = -1
			}
			x := math.Round(1000*(r.NormFloat64()+effect[v]*float64(dose))) / 1000
			if r.IntN(9) == 0 {
				x = math.NaN()
			}
			p.dose, p.value = append(p.dose, dose), append(p.value, x)
		}
		people[i] = p
	}
	return people
}

// sums writes the decrypted table of the people chosen; by is whether it has a row for each cohort.
func sums(t *testing.T, file string, people []person, by bool, choose func(p *person) bool) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("variant,cohort,AC_sum,AC_count,AC_mean,AN_sum,HET_sum,HOM_sum,x_sum,x_count,x_mean,x_var\n")
	for v := studyVariants - 1; v >= 0; v-- {
		for cohort := range studyCohorts {
			if !by && cohort > 0 {
				break
			}
			var ac, an, het, hom int
			var x []float64
			for i := range people {
				p := &people[i]
				if !choose(p) || by && p.cohort != cohort {
					continue
				}
				if g := p.dose[v]; g >= 0 {
					ac, an = ac+g, an+2
					het, hom = het+g%2, hom+g/2
				}
				if !math.IsNaN(p.value[v]) {
					x = append(x, p.value[v])
				}
			}
			m, s := meanVariance(x)
			fmt.Fprintf(&text, "v%02d,c%d,%d,1,1,%d,%d,%d,0,%d,%v,%v\n", v, cohort, ac, an, het, hom, len(x), m, s)
		}
	}
	out := text.String()
	out = strings.ReplaceAll(out, "NaN", "")
	if !by { // one cohort: no such column
		lines := strings.Split(out, "\n")
		for i := range lines {
			if f := strings.Split(lines[i], ","); len(f) > 2 {
				lines[i] = strings.Join(slices.Delete(f, 1, 2), ",")
			}
		}
		out = strings.Join(lines, "\n")
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func meanVariance(x []float64) (m, v float64) {
	for _, y := range x {
		m += y
	}
	m /= float64(len(x))
	for _, y := range x {
		v += (y - m) * (y - m) / float64(len(x)-1)
	}
	if len(x) < 2 {
		v = math.NaN()
	}
	return m, v
}

// associate runs a test and returns its rows by variant, and the order in which they came.
func associate(t *testing.T, a analyze.Association) (map[string]map[string]float64, []string, *job.Report) {
	t.Helper()
	a.Out = filepath.Join(t.TempDir(), "out.csv")
	report, err := analyze.Associate(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(a.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows, order := map[string]map[string]float64{}, []string{}
	for _, r := range all[1:] {
		row := map[string]float64{}
		for i, name := range all[0][1:] {
			v, err := strconv.ParseFloat(r[i+1], 64)
			if r[i+1] == "" {
				v, err = math.NaN(), nil
			}
			if err != nil {
				t.Fatal(err)
			}
			row[name] = v
		}
		rows[r[0]] = row
		order = append(order, r[0])
	}
	return rows, order, report
}

// Oracles. P values are integrals of densities by Simpson's rule.

func simpson(f func(float64) float64, from, to float64) float64 {
	const n = 4000
	h := (to - from) / n
	s := f(from) + f(to)
	for i := 1; i < n; i++ {
		s += f(from+float64(i)*h) * float64(2+2*(i%2))
	}
	return s * h / 3
}

func normalP(z float64) float64 {
	z = math.Abs(z)
	return 2 * simpson(func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }, z, z+12)
}

// studentP integrates Student's density after t = √ν·tan θ.
func studentP(t, df float64) float64 {
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	return 2 * math.Exp(a-b) / math.Sqrt(math.Pi) * simpson(func(x float64) float64 { return math.Pow(max(0, math.Cos(x)), df-1) }, math.Atan(math.Abs(t)/math.Sqrt(df)), math.Pi/2)
}

// alleles counts other and alternative alleles of controls and of cases.
func alleles(people []person, v int) (n [2][2]int64) {
	for _, p := range people {
		if g := p.dose[v]; g >= 0 {
			sick := 0
			if p.sick {
				sick = 1
			}
			n[sick][1] += int64(g)
			n[sick][0] += int64(2 - g)
		}
	}
	return n
}

// pearson is Σ(observed - expected)²/expected.
func pearson(n [2][2]int64) float64 {
	all := float64(n[0][0] + n[0][1] + n[1][0] + n[1][1])
	x := 0.0
	for i := range 2 {
		for j := range 2 {
			e := float64(n[i][0]+n[i][1]) * float64(n[0][j]+n[1][j]) / all
			x += (float64(n[i][j]) - e) * (float64(n[i][j]) - e) / e
		}
	}
	return x
}

// hypergeometric is the exact probability of each number of alternative alleles among those of cases, and its least number.
func hypergeometric(n [2][2]int64) (p []*big.Rat, low int64) {
	rows, columns := n[1][0]+n[1][1], n[0][1]+n[1][1]
	all := rows + n[0][0] + n[0][1]
	low = max(0, rows+columns-all)
	for k := low; k <= min(rows, columns); k++ {
		x := new(big.Int).Mul(new(big.Int).Binomial(columns, k), new(big.Int).Binomial(all-columns, rows-k))
		p = append(p, new(big.Rat).SetFrac(x, new(big.Int).Binomial(all, rows)))
	}
	return p, low
}

func fisher(n [2][2]int64) (both, greater, less float64) {
	p, low := hypergeometric(n)
	here := n[1][1] - low
	sum := func(in func(k int64, p *big.Rat) bool) float64 {
		s := new(big.Rat)
		for k, x := range p {
			if in(int64(k), x) {
				s.Add(s, x)
			}
		}
		f, _ := s.Float64()
		return f
	}
	return sum(func(_ int64, x *big.Rat) bool { return x.Cmp(p[here]) <= 0 }), sum(func(k int64, _ *big.Rat) bool { return k >= here }), sum(func(k int64, _ *big.Rat) bool { return k <= here })
}

// correlated is N·r², of the correlation of being a case with the number of alleles, and the sign of r.
func correlated(people []person, v int) (chisq, sign float64) {
	var x, y []float64
	for _, p := range people {
		if p.dose[v] >= 0 {
			sick := 0.0
			if p.sick {
				sick = 1
			}
			x, y = append(x, sick), append(y, float64(p.dose[v]))
		}
	}
	mx, vx := meanVariance(x)
	my, vy := meanVariance(y)
	c := 0.0
	for i := range x {
		c += (x[i] - mx) * (y[i] - my) / float64(len(x)-1)
	}
	return float64(len(x)) * c * c / (vx * vy), math.Copysign(1, c)
}

// logit finds the slope by bisection in bisection, and its standard error from the information of all people.
func logit(people []person, v int) (beta, se float64) {
	score := func(alpha, beta float64) (s0, s1 float64) {
		for _, p := range people {
			if p.dose[v] >= 0 {
				x := float64(p.dose[v])
				d := -1 / (1 + math.Exp(-alpha-beta*x))
				if p.sick {
					d++
				}
				s0, s1 = s0+d, s1+d*x
			}
		}
		return s0, s1
	}
	root := func(f func(x float64) float64) float64 { // f falls
		low, high := -30.0, 30.0
		for range 46 {
			if m := (low + high) / 2; f(m) > 0 {
				low = m
			} else {
				high = m
			}
		}
		return (low + high) / 2
	}
	alphaOf := func(beta float64) float64 {
		return root(func(alpha float64) float64 { s, _ := score(alpha, beta); return s })
	}
	beta = root(func(beta float64) float64 { _, s := score(alphaOf(beta), beta); return s })
	alpha := alphaOf(beta)
	var w0, w1, w2 float64
	for _, p := range people {
		if p.dose[v] >= 0 {
			x := float64(p.dose[v])
			q := 1 / (1 + math.Exp(-alpha-beta*x))
			w0, w1, w2 = w0+q*(1-q), w1+q*(1-q)*x, w2+q*(1-q)*x*x
		}
	}
	return beta, 1 / math.Sqrt(w2-w1*w1/w0)
}

// values are those of controls and cases.
func values(people []person, v int) (x [2][]float64) {
	for _, p := range people {
		if !math.IsNaN(p.value[v]) {
			sick := 0
			if p.sick {
				sick = 1
			}
			x[sick] = append(x[sick], p.value[v])
		}
	}
	return x
}

func agree(t *testing.T, where, name string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) && (math.IsNaN(want) || math.IsInf(want, 0)) {
		return
	}
	if !(math.Abs(got-want) <= tolerance*max(math.Abs(want), 1e-9)) {
		t.Errorf("%s: %s is %v, want %v", where, name, got, want)
	}
}

// The tests of one cohort, on ten random data sets with missing values.
func TestAssociationOracles(t *testing.T) {
	t.Parallel()
	for set := range 10 {
		people := study(rand.New(rand.NewPCG(uint64(set), 14)))
		dir := t.TempDir()
		a := analyze.Association{
			Cases:    []string{sums(t, filepath.Join(dir, "cases.csv"), people, false, func(p *person) bool { return p.sick })},
			Controls: []string{sums(t, filepath.Join(dir, "controls.csv"), people, false, func(p *person) bool { return !p.sick })},
		}
		rows, _, _ := associate(t, a)
		a.Alternative = analyze.Greater
		greater, _, _ := associate(t, a)
		a.Alternative = analyze.Less
		less, _, _ := associate(t, a)
		a.Alternative, a.Test = "", analyze.Trend
		trends, _, _ := associate(t, a)
		a.Test = analyze.Logistic
		slopes, _, _ := associate(t, a)
		a.Test, a.Measure = analyze.Welch, "x"
		means, _, _ := associate(t, a)
		a.Alternative = analyze.Greater
		above, _, _ := associate(t, a)
		exact := 0
		for v := range studyVariants {
			name, where := fmt.Sprintf("v%02d", v), fmt.Sprintf("set %d, variant %d", set, v)
			n := alleles(people, v)
			row := rows[name]
			chisq := pearson(n)
			odds := float64(n[1][1]) * float64(n[0][0]) / (float64(n[1][0]) * float64(n[0][1]))
			se := math.Sqrt(1/float64(n[0][0]) + 1/float64(n[0][1]) + 1/float64(n[1][0]) + 1/float64(n[1][1]))
			agree(t, where, "OR", row["OR"], odds, 1e-12)
			agree(t, where, "SE", row["SE"], se, 1e-12)
			if !math.IsInf(se, 0) {
				agree(t, where, "L95", row["L95"], math.Exp(math.Log(odds)-1.959963984540054*se), 1e-12)
			}
			agree(t, where, "CHISQ", row["CHISQ"], chisq, 1e-10)
			agree(t, where, "P", row["P"], normalP(math.Sqrt(chisq)), 1e-9)
			half := normalP(math.Sqrt(chisq)) / 2
			if odds > 1 {
				agree(t, where, "P, greater", greater[name]["P"], half, 1e-9)
				agree(t, where, "P, less", less[name]["P"], 1-half, 1e-9)
			} else {
				agree(t, where, "P, greater", greater[name]["P"], 1-half, 1e-9)
			}
			all := n[0][0] + n[0][1] + n[1][0] + n[1][1]
			expected := float64(min(n[0][0]+n[0][1], n[1][0]+n[1][1])) * float64(min(n[0][0]+n[1][0], n[0][1]+n[1][1])) / float64(all)
			if expected < 5 {
				exact++
				p2, pg, pl := fisher(n)
				agree(t, where, "P_EXACT", row["P_EXACT"], p2, 1e-10)
				agree(t, where, "P_EXACT, greater", greater[name]["P_EXACT"], pg, 1e-10)
				agree(t, where, "P_EXACT, less", less[name]["P_EXACT"], pl, 1e-10)
			} else if !math.IsNaN(row["P_EXACT"]) {
				t.Errorf("%s: exact P where %v are expected", where, expected)
			}
			x, sign := correlated(people, v)
			agree(t, where, "trend", trends[name]["CHISQ"], x, 1e-9)
			agree(t, where, "P of trend", trends[name]["P"], normalP(math.Sqrt(x)), 1e-8)
			beta, s := logit(people, v)
			if v > 2 {
				if sign != math.Copysign(1, beta) {
					t.Fatal("the oracles disagree")
				}
				agree(t, where, "logistic OR", slopes[name]["OR"], math.Exp(beta), 1e-9)
				agree(t, where, "logistic SE", slopes[name]["SE"], s, 1e-9)
				agree(t, where, "logistic P", slopes[name]["P"], normalP(beta/s), 1e-7)
				agree(t, where, "OR of trend", trends[name]["OR"], math.Exp(beta), 1e-9)
			}
			y := values(people, v)
			m0, v0 := meanVariance(y[0])
			m1, v1 := meanVariance(y[1])
			e0, e1 := v0/float64(len(y[0])), v1/float64(len(y[1]))
			tt := (m1 - m0) / math.Sqrt(e0+e1)
			df := (e0 + e1) * (e0 + e1) / (e0*e0/float64(len(y[0])-1) + e1*e1/float64(len(y[1])-1))
			agree(t, where, "T", means[name]["T"], tt, 1e-10)
			agree(t, where, "DF", means[name]["DF"], df, 1e-10)
			agree(t, where, "SE of means", means[name]["SE"], math.Sqrt(e0+e1), 1e-10)
			p := studentP(tt, df)
			agree(t, where, "P of means", means[name]["P"], p, 1e-8)
			if tt < 0 {
				p = 2 - p
			}
			agree(t, where, "P of means, greater", above[name]["P"], p/2, 1e-8)
			// The interval's end is as far away as t can be at 5%.
			agree(t, where, "interval", studentP((means[name]["U95"]-means[name]["DIFF"])/means[name]["SE"], df), 0.05, 1e-7)
		}
		if exact == 0 {
			t.Error("no exact test was tried")
		}
	}
}

// Adjusted P values, by their definitions.
func TestAdjustedP(t *testing.T) {
	t.Parallel()
	for set := range 10 {
		people := study(rand.New(rand.NewPCG(uint64(set), 15)))
		dir := t.TempDir()
		rows, order, report := associate(t, analyze.Association{
			Cases:    []string{sums(t, filepath.Join(dir, "cases.csv"), people, false, func(p *person) bool { return p.sick })},
			Controls: []string{sums(t, filepath.Join(dir, "controls.csv"), people, false, func(p *person) bool { return !p.sick })},
			ByP:      true,
		})
		var p, statistics []float64
		for i, name := range order {
			x := rows[name]["P"]
			if !math.IsNaN(x) {
				p, statistics = append(p, x), append(statistics, rows[name]["CHISQ"])
				if i != len(p)-1 || len(p) > 1 && p[len(p)-2] > x {
					t.Fatalf("set %d: rows are not in the order of P, empty ones last: %v", set, order)
				}
			}
		}
		slices.Sort(statistics)
		n := len(p)
		lambda := (statistics[(n-1)/2] + statistics[n/2]) / 2 / 0.45493642311957
		if report.Association.Tests != int64(n) || n != studyVariants-2 {
			t.Errorf("set %d: %+v of %d", set, report.Association, n)
		}
		agree(t, "all", "lambda", report.Association.Lambda, lambda, 1e-9)
		for _, name := range order[:n] {
			x := rows[name]["P"]
			agree(t, name, "P_BONF", rows[name]["P_BONF"], min(1, x*float64(n)), 1e-14)
			// The least rate of false discoveries at which this one is a discovery.
			least := 1.0
			for _, threshold := range p {
				if threshold >= x {
					found := 0
					for _, y := range p {
						if y <= threshold {
							found++
						}
					}
					least = min(least, threshold*float64(n)/float64(found))
				}
			}
			agree(t, name, "P_BH", rows[name]["P_BH"], least, 1e-14)
			agree(t, name, "P_GC", rows[name]["P_GC"], normalP(math.Sqrt(rows[name]["CHISQ"]/max(1, lambda))), 1e-8)
		}
	}
}

// Several cohorts by fixed effects, and strata as Mantel and Haenszel combine them.
func TestCombinedAssociation(t *testing.T) {
	t.Parallel()
	for set := range 10 {
		people := study(rand.New(rand.NewPCG(uint64(set), 16)))
		dir := t.TempDir()
		var meta analyze.Association
		for cohort := range studyCohorts {
			meta.Cases = append(meta.Cases, sums(t, filepath.Join(dir, fmt.Sprintf("cases%d.csv", cohort)), people, false, func(p *person) bool { return p.sick && p.cohort == cohort }))
			meta.Controls = append(meta.Controls, sums(t, filepath.Join(dir, fmt.Sprintf("controls%d.csv", cohort)), people, false, func(p *person) bool { return !p.sick && p.cohort == cohort }))
		}
		strata := analyze.Association{
			Cases:    []string{sums(t, filepath.Join(dir, "cases.csv"), people, true, func(p *person) bool { return p.sick })},
			Controls: []string{sums(t, filepath.Join(dir, "controls.csv"), people, true, func(p *person) bool { return !p.sick })},
			Strata:   []string{"cohort"},
		}
		fixed, _, _ := associate(t, meta)
		same, _, _ := associate(t, strata)
		strata.Combine = analyze.MantelHaenszel
		mh, _, _ := associate(t, strata)
		strata.Test = analyze.Trend
		mantel, _, _ := associate(t, strata)
		for v := range studyVariants {
			name, where := fmt.Sprintf("v%02d", v), fmt.Sprintf("set %d, variant %d", set, v)
			var w, wb, k, excess, variance, r, s, pr, ps, qs, excessT, varianceT float64
			var effects, weights []float64
			for cohort := range studyCohorts {
				var here []person
				for _, p := range people {
					if p.cohort == cohort {
						here = append(here, p)
					}
				}
				n := alleles(here, v)
				a, b, c, d := float64(n[1][1]), float64(n[1][0]), float64(n[0][1]), float64(n[0][0])
				if weight := 1 / (1/a + 1/b + 1/c + 1/d); weight > 0 {
					effect := math.Log(a * d / b / c)
					w, wb, k = w+weight, wb+weight*effect, k+1
					effects, weights = append(effects, effect), append(weights, weight)
				}
				// The mean and variance of the exact distribution.
				p, low := hypergeometric(n)
				var mean, square float64
				for i, x := range p {
					f, _ := x.Float64()
					mean += f * float64(low+int64(i))
				}
				for i, x := range p {
					f, _ := x.Float64()
					square += f * (float64(low+int64(i)) - mean) * (float64(low+int64(i)) - mean)
				}
				excess, variance = excess+a-mean, variance+square
				all := a + b + c + d
				r, s = r+a*d/all, s+b*c/all
				pr, ps, qs = pr+(a+d)/all*a*d/all, ps+(a+d)/all*b*c/all+(b+c)/all*a*d/all, qs+(b+c)/all*b*c/all
				// Of people: cases drawn without replacement, with the doses that there are.
				var doses, sick []float64
				for _, p := range here {
					if p.dose[v] >= 0 {
						doses = append(doses, float64(p.dose[v]))
						if p.sick {
							sick = append(sick, float64(p.dose[v]))
						}
					}
				}
				m, sample := meanVariance(doses)
				cases, everybody := float64(len(sick)), float64(len(doses))
				for _, x := range sick {
					excessT += x - m
				}
				varianceT += cases * (everybody - cases) / everybody * sample
			}
			q := 0.0
			for i := range effects {
				q += weights[i] * (effects[i] - wb/w) * (effects[i] - wb/w)
			}
			for _, row := range []map[string]float64{fixed[name], same[name]} {
				agree(t, where, "OR", row["OR"], math.Exp(wb/w), 1e-10)
				agree(t, where, "SE", row["SE"], 1/math.Sqrt(w), 1e-10)
				agree(t, where, "P", row["P"], normalP(wb/math.Sqrt(w)), 1e-8)
				agree(t, where, "STRATA", row["STRATA"], k, 0)
				if k == studyCohorts {
					agree(t, where, "Q", row["Q"], q, 1e-7)
					agree(t, where, "P_Q", row["P_Q"], math.Exp(-q/2), 1e-8) // two degrees of freedom
					agree(t, where, "I2", row["I2"], max(0, (q-2)/q), 1e-6)
				}
			}
			agree(t, where, "OR, mh", mh[name]["OR"], r/s, 1e-10)
			agree(t, where, "SE, mh", mh[name]["SE"], math.Sqrt(pr/(2*r*r)+ps/(2*r*s)+qs/(2*s*s)), 1e-10)
			agree(t, where, "CHISQ, mh", mh[name]["CHISQ"], excess*excess/variance, 1e-7)
			agree(t, where, "CHISQ, trend, mh", mantel[name]["CHISQ"], excessT*excessT/varianceT, 1e-7)
		}
	}
}

// A stratum without a value of cases has no mean of them, and takes no other's.
func TestMeansOfEmptyStrata(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte("id,x_sum,x_count,x_mean,x_var\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	rows, _, _ := associate(t, analyze.Association{
		Test: analyze.Welch, Measure: "x",
		Cases:    []string{file("cases1.csv", "a,30,10,3,2\nb,0,0,,\n"), file("cases2.csv", "a,0,0,,\nb,0,0,,\n")},
		Controls: []string{file("controls1.csv", "a,20,10,2,2\nb,20,10,2,2\n"), file("controls2.csv", "a,180,30,6,2\nb,20,10,2,2\n")},
	})
	agree(t, "a", "MEAN_cases", rows["a"]["MEAN_cases"], 3, 0)
	agree(t, "a", "MEAN_controls", rows["a"]["MEAN_controls"], 5, 0)
	agree(t, "a", "DIFF", rows["a"]["DIFF"], 1, 1e-15)
	if !math.IsNaN(rows["b"]["MEAN_cases"]) {
		t.Errorf("the mean of nobody is %v", rows["b"]["MEAN_cases"])
	}
}

// Requests and tables that do not go together.
func TestAssociationRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	x, y := write("x.csv", "id,sex,AC_sum,AN_sum\na,f,1,2\na,m,1,4\n"), write("y.csv", "id,sex,AC_sum,AN_sum\na,f,2,4\n")
	z := write("z.csv", "id,AC_sum,AN_sum\na,1,2\n")
	means := write("m.csv", "id,x_sum,x_count,x_mean\na,1,2,0.5\n")
	both := func(a, b string) analyze.Association {
		return analyze.Association{Cases: []string{a}, Controls: []string{b}}
	}
	with := func(a analyze.Association, f func(a *analyze.Association)) analyze.Association { f(&a); return a }
	for cause, a := range map[string]analyze.Association{
		"‹cases› has 2 tables and ‹controls› 1 table": with(both(x, y), func(a *analyze.Association) { a.Cases = append(a.Cases, z) }),
		"unknown ‹combine› fixed":                     with(both(x, y), func(a *analyze.Association) { a.Combine = "fixed" }),
		"‹combine› mh with ‹test› logistic":           with(both(x, y), func(a *analyze.Association) { a.Combine, a.Test = "mh", "logistic" }),
		"unknown ‹alternative› more":                  with(both(x, y), func(a *analyze.Association) { a.Alternative = "more" }),
		"all ids are ‹strata›":                        with(both(x, y), func(a *analyze.Association) { a.Strata = []string{"sex", "id"} }),
		`no such column: "age"`:                       with(both(x, y), func(a *analyze.Association) { a.Strata = []string{"age"} }),
		`no such column: "HET_sum"`:                   with(both(x, y), func(a *analyze.Association) { a.Test = "trend" }),
		`no such column: "x_var"`:                     with(both(means, write("m2.csv", "id,x_sum,x_count,x_mean\na,1,2,0.5\n")), func(a *analyze.Association) { a.Test, a.Measure = "welch", "x" }),
		"is given twice":                              with(both(x, y), func(a *analyze.Association) { a.Cases, a.Controls = append(a.Cases, x), append(a.Controls, z) }),
		"id columns [\"id\"], but": with(both(x, y), func(a *analyze.Association) {
			a.Cases, a.Controls = append(a.Cases, z), append(a.Controls, write("z2.csv", "id,AC_sum,AN_sum\na,1,2\n"))
		}),
		`duplicate id "a"`: with(both(write("twice.csv", "id,AC_sum,AN_sum\na,1,2\na,1,2\n"), z), func(*analyze.Association) {}),
	} {
		a.Out = filepath.Join(dir, "out.csv")
		if _, err := analyze.Associate(t.Context(), a); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%v, want %q", err, cause)
		}
		if _, err := os.Stat(a.Out); err == nil {
			t.Errorf("%s: there is an output", cause)
		}
	}
	a := with(both(x, y), func(a *analyze.Association) { a.Strata = []string{"sex"} })
	rows, _, report := associate(t, a)
	if len(rows) != 1 || *report.Unmatched != 1 || rows["a"]["STRATA"] != 1 {
		t.Errorf("%v, %d", rows, *report.Unmatched)
	}
}
