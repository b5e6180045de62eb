package report

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
)

// written writes a table, makes its page, and returns that.
func written(t *testing.T, name, text string, r *job.Report) string {
	t.Helper()
	dir := t.TempDir()
	result, out := filepath.Join(dir, name), filepath.Join(dir, "page.html")
	if err := os.WriteFile(result, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), job.Options{}, result, out, r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var loads = regexp.MustCompile(`(?i)\ssrc=|@import|url\(|<link|<iframe|<img`)

// An association has both plots, the records of the smallest P in order, and links of rsIDs; nothing is loaded.
func TestAssociationPage(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 5))
	var s strings.Builder
	s.WriteString("chrom\tpos\tid\tAF_cases\tAF_controls\tOR\tP\n")
	for i := range 3000 {
		p := fmt.Sprintf("%.6g", r.Float64())
		switch i {
		case 1234:
			p = "1e-12"
		case 7:
			p = ""
		case 2000:
			p = "0"
		}
		fmt.Fprintf(&s, "%s\t%d\trs%d\t0.1\t0.2\t0.5\t%s\n", []string{"2", "10", "X", "<b>"}[i/750], 1000+i, i, p)
	}
	page := written(t, "assoc.tsv", s.String(), &job.Report{Records: 3000, Seconds: 1.5, Association: &job.AssociationReport{Test: "allelic", Alternative: "two-sided", Tests: 2999, Lambda: 1.01, Significant: 2}})
	if loads.MatchString(page) {
		t.Errorf("the page loads something: %s", loads.FindString(page))
	}
	if n := strings.Count(page, "<svg"); n != 2 {
		t.Errorf("%d drawings", n)
	}
	if n := strings.Count(page, "<circle"); n < 500 || n > 2*3000 {
		t.Errorf("%d points, of which near ones are one, of 2999 records in two plots", n)
	}
	first, second := strings.Index(page, ">rs2000<"), strings.Index(page, ">rs1234<")
	if first < 0 || second < first || strings.Contains(page, ">rs7<") || !strings.Contains(page, `href="https://www.ncbi.nlm.nih.gov/snp/rs1234"`) {
		t.Error("the smallest P values are not in order, or lack their links")
	}
	if n := strings.Count(page, "\n<tr>"); n != hitsMax {
		t.Errorf("%d hits", n)
	}
	if strings.Contains(page, "<b>") || !strings.Contains(page, "&lt;b&gt;") {
		t.Error("an id is markup")
	}
}

// A decrypted table has a table of its measures, histograms, the largest groups, noise, and what was left out.
func TestResultPage(t *testing.T) {
	t.Parallel()
	var s strings.Builder
	s.WriteString("ward,HR_sum,HR_count,HR_mean,HR_var,AF\n")
	for i := range 40 {
		if i == 3 {
			s.WriteString("w3,,,,,\n")
			continue
		}
		fmt.Fprintf(&s, "w%d,%d,%d,%d,1.5,%g\n", i, 70*(i+1), i+1, 70, float64(i)/100)
	}
	page := written(t, "sums.csv", s.String(), &job.Report{
		Records: 40, Key: job.KeyReport{Fingerprint: strings.Repeat("ab", 32), Scheme: "paillier", Variant: "djn", Bits: 3072},
		Suppressed: &job.Suppressed{Least: 3, Small: 1}, Originals: &job.OriginalsReport{Tables: 2},
		Privacy: &job.PrivacyReport{Mechanism: "discrete Laplace", Place: "release", Guarantee: "g", Columns: []job.NoisyColumn{{Name: "HR_sum", MeanError: 1.9}}},
	})
	if loads.MatchString(page) {
		t.Error("the page loads something")
	}
	for _, want := range []string{"<dt>Key</dt><dd>paillier, djn, 3072 bits, abababababababab</dd>", "1 result, of fewer than 3 values", ">HR_mean</figcaption>", ">AF</figcaption>", "<h2>Noise</h2>",
		`<td>HR</td><td class="n">39</td><td class="n">816</td><td class="n">57120</td><td class="n">70</td>`, `<td>w39</td><td class="n">40</td>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if n := strings.Count(page, "<svg"); n != 3 {
		t.Errorf("%d drawings", n)
	}
}

// Values that differ by what doubles just hold have axes, too.
func TestTicksOfAlmostEqualValues(t *testing.T) {
	t.Parallel()
	for _, s := range []scale{{0.9999999999999999, 1}, {-1, -0.9999999999999999}, {4e15, 4e15 + 1}, {0, 5e-324}, {1e300, 1.0000000000000002e300}, {0, 1}, {-3, 1e6}, {2, 2}} {
		ticks := s.ticks(6)
		if len(ticks) < 1 || len(ticks) > 8 {
			t.Errorf("%v has %d ticks", s, len(ticks))
		}
		for _, x := range ticks {
			if margin := 1e-6 * (s.to - s.from); x.at < s.from-margin || x.at > s.to+margin {
				t.Errorf("%v has a tick at %v", s, x.at)
			}
		}
	}
	written(t, "near.csv", "id,HR_sum,HR_count,HR_mean\na,1,1,1\nb,1,1,0.9999999999999999\n", &job.Report{})
	written(t, "far.csv", "id,HR_sum,HR_count,HR_mean\na,1e17,1,1e17\nb,1e17,1,1e17\n", &job.Report{})
	written(t, "assoc.csv", "chrom,pos,AF_cases,AF_controls,P\n1,4000000000000000,0.1,0.2,0.5\n1,4000000000000001,0.1,0.2,0.4\n", &job.Report{Association: &job.AssociationReport{Tests: 2}})
}

var hitID = regexp.MustCompile(`/snp/(rs[0-9]+)"`)

// The records of the smallest P are those of a plain sort, wherever they are.
func TestSmallestP(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 15))
		type record struct {
			id string
			p  float64
		}
		var list []record
		var s strings.Builder
		s.WriteString("id,AF_cases,AF_controls,P\n")
		for i := range 3000 {
			x := record{fmt.Sprintf("rs%d", i+1), r.Float64()}
			if seed == 0 && i == hitsMax-1 {
				x.p = 1e-9
			}
			list = append(list, x)
			fmt.Fprintf(&s, "%s,0.1,0.2,%g\n", x.id, x.p)
		}
		slices.SortStableFunc(list, func(a, b record) int { return cmp.Compare(a.p, b.p) })
		page := written(t, "assoc.csv", s.String(), &job.Report{Association: &job.AssociationReport{Tests: 3000}})
		got := hitID.FindAllStringSubmatch(page, -1)
		if len(got) != hitsMax {
			t.Fatalf("%d hits", len(got))
		}
		for i, m := range got {
			if m[1] != list[i].id {
				t.Fatalf("seed %d: hit %d is %s, not %s", seed, i, m[1], list[i].id)
			}
		}
	}
}

// A histogram of the first records only says so.
func TestHistogramOfSome(t *testing.T) {
	t.Parallel()
	var s strings.Builder
	s.WriteString("id,HR_sum,HR_count,HR_mean\n")
	for i := range valuesMax + 1 {
		mean := "2"
		if i == 0 {
			mean = ""
		}
		fmt.Fprintf(&s, "%d,2,%d,%s\n", i, 1+i%3, mean)
	}
	const note = "Of the first 131 072 records that have a value."
	if page := written(t, "sums.csv", s.String(), &job.Report{}); strings.Count(page, note) != 1 {
		t.Errorf("%d notes, and only counts are too many", strings.Count(page, note))
	}
}

// Tables of one record, or without ids, have a page, too.
func TestSmallPages(t *testing.T) {
	t.Parallel()
	written(t, "total.csv", "HR_sum,HR_count,HR_mean\n7,2,3.5\n", &job.Report{})
	written(t, "none.csv", "id,HR_sum,HR_count,HR_mean\na,,,\n", &job.Report{})
	written(t, "assoc.csv", "id,AF_cases,AF_controls,P\na,0.1,0.2,\n", &job.Report{Association: &job.AssociationReport{}})
	written(t, "one.csv", "chrom,pos,AF_cases,AF_controls,P\n1,5,0.1,0.2,0.5\n", &job.Report{Association: &job.AssociationReport{Tests: 1}})
}
