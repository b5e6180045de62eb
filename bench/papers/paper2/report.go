package paper2

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

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Files of a report, in its directory.
const (
	ReportFile  = "paper2.html"
	ResultFile  = "paper2.json"
	TableFile   = "paper2-table1.csv"
	AttacksFile = "paper2-attacks.csv"
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
	add(TableFile, writeCSV(costsCSV(r.Costs)))
	add(AttacksFile, writeCSV(attacksCSV(r.Attacks)))
	add(ResultFile, append(result, '\n'))
	add(ReportFile, page)
	return filepath.Join(dir, ReportFile), blob.WriteAll(ctx, blob.Local{}, overwrite, files...)
}

func writeCSV(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(rows) // a bytes.Buffer takes everything
	return out.Bytes()
}

// resultMax is far above the size of any result file.
const resultMax = 16 << 20

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
	r := new(Result)
	if err = strictjson.Decode(data, r); err == nil && (r.Version != ResultVersion || r.Paper != 2) {
		err = fmt.Errorf("version %d of paper %d; this program reads version %d of paper 2", r.Version, r.Paper, ResultVersion)
	}
	if err != nil {
		return nil, column.Refuse(name, "not the raw results of a paper: %w", err).WithHint("Give the %s that bench papers wrote.", ResultFile)
	}
	return r, nil
}

func (r *Result) page() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"number":    func(n int) string { return number(float64(n)) },
		"seconds":   Seconds,
		"perRecord": func(s float64, n int) string { return Seconds(s / bench.ServersCount / float64(n)) },
		"bytes":     func(b int64, n int) string { return number(float64(b) / float64(n)) },
	}).Parse(reportHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"R": r, "Lines": Lines(r.Costs), "Growth": Growth(r.Costs), "TableFile": TableFile, "AttacksFile": AttacksFile, "ResultFile": ResultFile})
	return out.Bytes(), err
}
