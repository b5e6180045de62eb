package papers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Files of a report, in its directory.
const (
	ReportFile  = "paper1.html"
	ResultFile  = "paper1.json"
	Table1File  = "paper1-table1.csv"
	Table2File  = "paper1-table2.csv"
	Table3File  = "paper1-table3.csv"
	FiguresFile = "paper1-figures.csv"
)

//go:embed report.html
var reportHTML string

// Write writes the report, its numbers as CSV and the underlying result into a directory, which must exist. It returns
// the report's path.
func (r *Result) Write(ctx context.Context, dir string, overwrite bool) (string, error) {
	page, err := r.page()
	if err != nil {
		return "", err
	}
	result, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return "", err
	}
	var files []blob.Whole
	add := func(name string, data []byte) {
		files = append(files, blob.Whole{Name: filepath.Join(dir, name), Data: data})
	}
	add(Table1File, r.Table1.csv())
	add(Table2File, r.Table2.csv())
	add(Table3File, r.Table3.csv())
	add(FiguresFile, pointsCSV(r.Points))
	add(ResultFile, append(result, '\n'))
	add(ReportFile, page)
	return filepath.Join(dir, ReportFile), blob.WriteAll(ctx, blob.Local{}, overwrite, files...)
}

// resultMax is far above the size of any result file.
const resultMax = 64 << 20

// ReadFile reads a result file.
func ReadFile(ctx context.Context, name string) (*Result, error) {
	f, err := blob.Local{}.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), resultMax)))
	if err != nil {
		return nil, column.Refuse(name, "cannot read it: %w", err)
	}
	r, err := ReadResult(data)
	if err != nil {
		return nil, column.Refuse(name, "not the raw results of a paper: %w", err).WithHint("Give the %s that bench papers wrote.", ResultFile)
	}
	return r, nil
}

// ReadResult parses a result file.
func ReadResult(data []byte) (*Result, error) {
	r := new(Result)
	if err := strictjson.Decode(data, r); err != nil {
		return nil, err
	}
	if r.Version != ResultVersion || r.Paper != 1 {
		return nil, fmt.Errorf("version %d of paper %d; this program reads version %d of paper 1", r.Version, r.Paper, ResultVersion)
	}
	return r, nil
}

// drawn is a figure ready for the page.
type drawn struct {
	Number int
	Title  string
	Panels []template.HTML
}

func (r *Result) page() ([]byte, error) {
	var list []drawn
	for _, f := range figures() {
		d := drawn{Number: f.number, Title: f.title}
		for _, axis := range []string{AxisRecords, AxisSources} {
			svg, err := f.panel(r.Points, axis, r.Bits)
			if err != nil {
				return nil, err
			}
			d.Panels = append(d.Panels, template.HTML(svg)) // made here, of numbers and our own titles
		}
		list = append(list, d)
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"shortened":   shortened,
		"digits":      func(s string) int { return len(s) },
		"fixed":       func(n int, x float64) string { return strconv.FormatFloat(x, 'f', n, 64) },
		"significant": significant,
		"thousands":   thousands,
		"title":       titleOf,
		"join":        strings.Join,
		"known":       func(x float64) bool { return x != unknown },
		"last":        func(p []Point) Point { return p[len(p)-1] },
	}).Parse(reportHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"R": r, "Figures": list, "PrintedMSEPaillier": printedMSEPaillier, "PrintedMSEDP": printedMSEDP,
		"ReportFile": ReportFile, "ResultFile": ResultFile, "Table1File": Table1File, "Table2File": Table2File, "Table3File": Table3File, "FiguresFile": FiguresFile,
		"SimulatedDraws": simulatedDraws, "Epsilon": figureEpsilon, "ValueMax": valueMax, "Rounds": rounds, "RepeatBelow": repeatBelowSeconds,
		"PrintedBits": printedBits, "Decimals": table1Decimals, "Largest": r.largest(), "Findings": r.findings(),
	})
	return out.Bytes(), err
}

// largest returns the largest run of this program on each axis.
func (r *Result) largest() (out struct{ Records, Sources Point }) {
	for _, p := range r.Points {
		if p.Method != methodBlocks {
			continue
		}
		if p.Axis == AxisRecords && p.Records >= out.Records.Records {
			out.Records = p
		}
		if p.Axis == AxisSources && p.Sources >= out.Sources.Sources {
			out.Sources = p
		}
	}
	return out
}

// A finding compares two methods at the largest setting that both were measured at.
type finding struct {
	Slow, Fast string
	Records    int
	Sources    int
	Ratio      float64
}

func (r *Result) findings() []finding {
	var out []finding
	for _, pair := range [][2]string{{methodTextbook, methodBlocks}, {methodRecords, methodBlocks}, {methodBlocks, methodFeature}, {methodBlocks, methodCurator}} {
		var best *finding
		for _, a := range r.Points {
			for _, b := range r.Points {
				same := a.Axis == AxisRecords && b.Axis == AxisRecords && a.Records == b.Records && a.Sources == b.Sources
				if same && a.Method == pair[0] && b.Method == pair[1] && (best == nil || a.Records > best.Records) {
					best = &finding{Slow: titleOf(pair[0]), Fast: titleOf(pair[1]), Records: a.Records, Sources: a.Sources, Ratio: a.Seconds / b.Seconds}
				}
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	return out
}

func titleOf(name string) string {
	for _, m := range methods() {
		if m.name == name {
			return m.title
		}
	}
	return name
}

// significant writes a measured number with three digits, or whole from 1000 on.
func significant(x float64) string {
	if x >= 999.5 {
		return thousands(int(x + 0.5))
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func writeCSV(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(rows) // a bytes.Buffer takes everything
	return out.Bytes()
}

func (t Table1) csv() []byte {
	header := []string{"source1", "source2", "paillier_printed", "paillier_measured", "differential_privacy_printed"}
	for _, m := range t.Mechanisms {
		header = append(header, m.Name+", "+m.Guarantee)
	}
	rows := [][]string{header}
	for _, r := range t.Rows {
		rows = append(rows, append([]string{strconv.FormatInt(r.Source1, 10), strconv.FormatInt(r.Source2, 10), strconv.FormatInt(r.Printed, 10), r.Paillier, r.DP}, r.Noisy...))
	}
	return writeCSV(rows)
}

func (t Table2) csv() []byte {
	rows := [][]string{{"method", "mse_against_true_sum", "mse_against_feature_level_mean", "mean_abs_error_against_true_sum", "theoretical_mse_against_true_sum"}}
	for _, r := range t.Rows {
		expected := ""
		if r.Expected != unknown {
			expected = float(r.Expected)
		}
		rows = append(rows, []string{r.Method, float(r.OfSum), float(r.OfMean), float(r.MeanAbs), expected})
	}
	return writeCSV(rows)
}

func (t Table3) csv() []byte {
	rows := [][]string{{"parameter", "value"}}
	for _, e := range t.Entries {
		rows = append(rows, []string{e.Parameter, e.Value})
	}
	return writeCSV(rows)
}

func pointsCSV(points []Point) []byte {
	rows := [][]string{{"axis", "method", "records_per_source", "sources", "key_bits", "seconds", "cpu_seconds", "peak_memory_mib", "rounds", "mean_abs_error", "expected_mean_abs_error"}}
	for _, p := range points {
		rows = append(rows, []string{p.Axis, p.Method, strconv.Itoa(p.Records), strconv.Itoa(p.Sources), strconv.Itoa(p.Bits),
			float(p.Seconds), float(p.CPU), float(p.PeakMiB), strconv.Itoa(p.Rounds), float(p.MeanError), float(p.Expected)})
	}
	return writeCSV(rows)
}

func float(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
