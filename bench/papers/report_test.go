package papers

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// made is a result with points on both axes.
func made(t *testing.T) *Result {
	t.Helper()
	r := &Result{Version: ResultVersion, Paper: 1, Time: "2026-11-22T18:00:00Z", Bits: 3072, Table1: withSums(t)}
	r.Machine.CPU, r.Machine.Cores = "<a> & processor", 2
	r.Table2 = table2(r.Table1)
	r.Table3 = Table3{Bits: 3072, Printed: checkPrintedKey(), Entries: []Entry{{"public key N", strings.Repeat("7", 925)}, {"feature", "10"}}}
	r.Literal = runLiteral(1)
	for _, m := range methods() {
		for i, n := range []int{100, 1000, 10_000, 100_000, 1_000_000} {
			r.Points = append(r.Points, Point{Axis: AxisRecords, Method: m.name, Records: n, Sources: 2, Bits: 3072, Seconds: 0.03 * float64(n) / 100, PeakMiB: 30 + float64(i), Rounds: 3})
		}
		for _, n := range []int{2, 8, 64} {
			r.Points = append(r.Points, Point{Axis: AxisSources, Method: m.name, Records: 20_000, Sources: n, Bits: 3072, Seconds: float64(n), PeakMiB: 80, Rounds: 1, MeanError: 5, Expected: 5.1})
		}
	}
	return r
}

func TestReport(t *testing.T) {
	r := made(t)
	dir := t.TempDir()
	name, err := r.Write(t.Context(), dir, false)
	if err != nil || name != filepath.Join(dir, ReportFile) {
		t.Fatalf("%s, error %v", name, err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{"Table 1. Data fusion", "Table 2. Mean squared error", "Table 3. Encryption", "Figure 2. ", "Figure 3. ", "Figure 4. ", "&lt;a&gt; &amp; processor",
		"12.455011", "32.250000", "0.721018", "1\u00a0000\u00a0000 records of each of 2 sources", "of each of 64 sources", `href="paper1.json"`, `href="paper1-figures.csv"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	// One file, without scripts and without anything from elsewhere.
	for _, bad := range []string{"<script", "<link", "<img", "@import", "@font-face", "ZgotmplZ", "NaN", "Quick run"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	for _, url := range regexp.MustCompile(`(?:src|href|url)[=(]"?[a-z]+:[^" )]{0,40}`).FindAllString(page, -1) {
		if !strings.HasPrefix(url, `href="https://doi.org/`) {
			t.Errorf("the page refers to %s", url)
		}
	}
	for file, rows := range map[string]int{Table1File: 6, Table2File: 7, Table3File: 3, FiguresFile: 1 + len(r.Points)} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(got) != rows {
			t.Errorf("%s: %d rows, error %v", file, len(got), err)
		}
	}
	// The raw results draw the same page again.
	raw, err := os.ReadFile(filepath.Join(dir, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadResult(raw)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := again.page(); err != nil || string(second) != page {
		t.Errorf("another page from the raw results, error %v", err)
	}
	if _, err := r.Write(t.Context(), dir, false); err == nil {
		t.Error("a report is replaced without being asked")
	}
	if _, err := r.Write(t.Context(), dir, true); err != nil {
		t.Error(err)
	}
}

// Every panel is well-formed, has a unit and the key's size on both axes, and a legend entry for each method shown.
func TestPanels(t *testing.T) {
	r := made(t)
	for _, f := range figures() {
		for _, axis := range []string{AxisRecords, AxisSources} {
			svg, err := f.panel(r.Points, axis, r.Bits)
			if err != nil {
				t.Fatal(err)
			}
			d := xml.NewDecoder(strings.NewReader(svg))
			var texts []string
			for {
				token, err := d.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("figure %d: %v", f.number, err)
				}
				if s, ok := token.(xml.StartElement); ok && s.Name.Local == "text" {
					var text string
					if err := d.DecodeElement(&text, &s); err != nil {
						t.Fatal(err)
					}
					texts = append(texts, text)
					if from, to := extent(t, s, text); from < 0 || to > chartWidth {
						t.Errorf("figure %d along %s: %q lies from %.0f to %.0f of %.0f points", f.number, axis, text, from, to, chartWidth)
					}
				}
			}
			captions := 0
			for _, s := range texts {
				if strings.Contains(s, "[") && strings.Contains(s, "3072-bit keys") {
					captions++
				}
			}
			if captions != 2 {
				t.Errorf("figure %d along %s: %d captions with unit and key size in %q", f.number, axis, captions, texts)
			}
			for _, m := range f.methods {
				if !slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, titleOf(m)) }) {
					t.Errorf("figure %d along %s does not name %s", f.number, axis, m)
				}
			}
		}
		if _, err := f.panel(nil, AxisRecords, 3072); err == nil {
			t.Error("a figure without points")
		}
	}
}

// extent is where a text of a panel begins and ends, if letters are as wide as those of Arial on average.
func extent(t *testing.T, element xml.StartElement, text string) (from, to float64) {
	attr := make(map[string]string)
	for _, a := range element.Attr {
		attr[a.Name.Local] = a.Value
	}
	if attr["transform"] != "" {
		attr["x"] = fmt.Sprint(axesHeight / 2) // turned: from the bottom upwards
	}
	number := func(name string) float64 {
		x, err := strconv.ParseFloat(attr[name], 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x, width := number("x"), 0.51*number("font-size")*float64(utf8.RuneCountInString(text))
	switch attr["text-anchor"] {
	case "start":
		return x, x + width
	case "middle":
		return x - width/2, x + width/2
	}
	return x - width, x
}

func TestTicks(t *testing.T) {
	labels := func(lo, hi float64) (out []string) {
		for _, tick := range decades(lo, hi) {
			if tick.label != "" {
				out = append(out, tick.label)
			}
		}
		return out
	}
	if got := labels(-2.1, 1.5); !slices.Equal(got, []string{"0.01", "0.1", "1", "10"}) {
		t.Errorf("%q", got)
	}
	if got := labels(1.2, 2.9); !slices.Equal(got, []string{"20", "50", "100", "200", "500"}) {
		t.Errorf("%q", got)
	}
	if got := labels(5.5, 6.1); !slices.Equal(got, []string{"500\u00a0000", "1\u00a0000\u00a0000"}) {
		t.Errorf("%q", got)
	}
	if got := doublings(0.2, 2); len(got) != 6 || got[0].label != "2" || got[5].label != "64" {
		t.Errorf("%v", got)
	}
	for x, want := range map[float64]string{0.0012345: "0.00123", 1: "1", 12.345: "12.3", 999.6: "1\u00a0000", 0.000012345: "0.0000123", 1234.6: "1\u00a0235"} {
		if got := significant(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
	if got := counts(100, 10, 50_000); !slices.Equal(got, []int{100, 1000, 10_000, 50_000}) {
		t.Errorf("%v", got)
	}
}

func TestReadResult(t *testing.T) {
	good, err := json.Marshal(made(t))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"nothing": "", "another version": strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"another paper": strings.Replace(string(good), `"paper":1`, `"paper":2`, 1), "an unknown field": strings.Replace(string(good), `"paper":1`, `"paper":1,"x":1`, 1),
	} {
		if _, err := ReadResult([]byte(text)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
}

// Steps, in this process: noise has its variance, and the textbook's sums are right.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	x := setting{records: 4000, sources: 2}
	for s := range x.sources {
		x.in = append(x.in, filepath.Join(dir, string(rune('a'+s))+".parquet"))
		if err := writeSource(t.Context(), x.in[s], s, x.records); err != nil {
			t.Fatal(err)
		}
	}
	do := func(s step) any {
		t.Helper()
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Step(t.Context(), string(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	out := filepath.Join(dir, "out.parquet")
	variance, d, err := figureNoise()
	if err != nil {
		t.Fatal(err)
	}
	var r run
	do(step{Kind: stepSum, In: x.in, Out: out, Records: x.records})
	if err := r.compare(t.Context(), out, valueColumn, x, 0); err != nil || r.meanError != 0 {
		t.Errorf("plain sums: %v, error %v", r, err)
	}
	do(step{Kind: stepSum, In: x.in, Out: out, Records: x.records, Variance: variance})
	if err := r.compare(t.Context(), out, valueColumn, x, d.MeanAbs(1)); err != nil || r.meanError == 0 {
		t.Errorf("noisy sums: %v, error %v", r, err)
	}
	if err := r.compare(t.Context(), out, valueColumn, x, 0); err == nil {
		t.Error("noisy sums are exact")
	}
	if err := r.compare(t.Context(), out, valueColumn, x, 2*d.MeanAbs(1)); err == nil {
		t.Error("twice the error is expected and not missed")
	}
	parts := []summary{do(step{Kind: stepSummary, In: x.in[:1]}).(summary), do(step{Kind: stepSummary, In: x.in[1:]}).(summary)}
	if all := combine(parts); all.Count != 8000 || all.Mean < 30_000 || all.Mean > 35_000 || parts[0].Variance < 3e8 || parts[0].Variance > 4e8 {
		t.Errorf("%+v of %+v", all, parts)
	}
	few := setting{records: 20, sources: 2, in: x.in}
	for s := range few.sources {
		if err := writeSource(t.Context(), few.in[s], s, few.records); err != nil {
			t.Fatal(err)
		}
	}
	do(step{Kind: stepTextbook, In: few.in, Out: out, Records: few.records, Bits: printedBits})
	if err := r.compare(t.Context(), out, valueColumn, few, 0); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", `{"kind":"lunch"}`, `{"kind":"sum","in":["none.parquet"]}`} {
		if _, err := Step(t.Context(), bad); err == nil {
			t.Errorf("%q is done", bad)
		}
	}
}
