package server_test

import (
	"math/big"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// plain computes the moments of some columns of readings, in plain.
func plain(readings []tryout.Reading, columns []int, keep func(tryout.Reading) bool) *moments.Moments {
	m := moments.New(len(columns))
	for i := range columns {
		for j := range m.Products[i] {
			m.Products[i][j] = new(big.Int)
		}
	}
	for _, r := range readings {
		if !keep(r) {
			continue
		}
		m.Count++
		for i, c := range columns {
			m.Sums[i].Add(m.Sums[i], big.NewInt(r.Values[c]))
			for j := range m.Products[i] {
				m.Products[i][j].Add(m.Products[i][j], big.NewInt(r.Values[c]*r.Values[columns[j]]))
			}
		}
	}
	return m
}

// Each statistic that three servers answer is the plain one.
func TestStatistics(t *testing.T) {
	t.Parallel()
	readings := tryout.MakeVitals(1, 8, 60)
	c := clustertest.New(t, func(s *tryout.Setup) { s.Patients = []string{tryout.PatientName(0), tryout.PatientName(1)} })
	c.Ingest(readings)
	researcher, physician := c.Client(c.ResearcherConfig()), c.Client(c.PhysicianConfig())
	for _, statistic := range []string{access.Mean, access.Variance, access.Covariance, access.Correlation, access.Regression} {
		for _, by := range []string{"", access.ByHour} {
			a, err := researcher.Ask(c.Within(), &client.Question{Statistic: statistic, Attributes: []string{"SysABP", "HR"}, GroupBy: by})
			if err != nil {
				t.Fatalf("%s by %q: %v", statistic, by, err)
			}
			got, err := a.Quantities()
			if err != nil {
				t.Fatal(err)
			}
			want := &client.Answer{Statistic: statistic, Head: a.Head}
			for g := range a.Head.Groups {
				want.Moments = append(want.Moments, plain(readings, []int{1, 0}, func(r tryout.Reading) bool {
					return by == "" || r.Time == readings[0].Time+int64(g)*3_600_000
				}))
			}
			expected, err := want.Quantities()
			if err != nil {
				t.Fatal(err)
			}
			if by != "" && len(a.Head.Groups) != 24 || len(got) != len(expected) {
				t.Fatalf("%s by %q: %d groups, %d numbers and not %d", statistic, by, len(a.Head.Groups), len(got), len(expected))
			}
			for i := range got {
				x, y := got[i], expected[i]
				if x.Name != y.Name || x.Records != y.Records || *x.Value != *y.Value || x.Patients != 8 {
					t.Errorf("%s by %q: %+v, not %+v", statistic, by, x, y)
				}
			}
		}
	}
	patient := tryout.PatientName(1)
	a, err := physician.Ask(c.Within(), &client.Question{Statistic: access.Get, Attributes: []string{"Temp"}, Patients: []string{patient}, KeyBits: 512})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, r := range readings {
		if r.Patient == patient {
			if a.Values[i] != r.Values[2] || a.Head.Times[0].Times[i] != r.Time {
				t.Errorf("value %d is %d at %d, not %d at %d", i, a.Values[i], a.Head.Times[0].Times[i], r.Values[2], r.Time)
			}
			i++
		}
	}
	if len(a.Values) != i {
		t.Errorf("%d values, not %d", len(a.Values), i)
	}
	from := readings[0].Time + 3_600_000
	a, err = physician.Ask(c.Within(), &client.Question{Statistic: access.Average, Attributes: []string{"Temp"}, Patients: []string{patient}, From: &from, KeyBits: 512})
	if err != nil {
		t.Fatal(err)
	}
	want := plain(readings, []int{2}, func(r tryout.Reading) bool { return r.Patient == patient && r.Time >= from })
	if a.Moments[0].Count != want.Count || a.Moments[0].Sums[0].Cmp(want.Sums[0]) != 0 {
		t.Errorf("the average is %s/%d, not %s/%d", a.Moments[0].Sums[0], a.Moments[0].Count, want.Sums[0], want.Count)
	}
}
