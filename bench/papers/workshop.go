package papers

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
)

// workshop is a directory with keys in which this program is run as its users run it.
type workshop struct {
	Options
	dir string
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

// run executes a command line of cipherfold and decodes what it reports.
func (w *workshop) run(ctx context.Context, report any, args ...string) (*bench.Process, error) {
	args = append(args, "--json", "--quiet")
	if w.Threads > 0 {
		args = append(args, "--threads", strconv.Itoa(w.Threads))
	}
	return bench.RunProcess(ctx, w.Program, args, report)
}

// These are the keys of the workshop: one for the measured runs, one as textbooks have it for Table 3.
const (
	djnKeys      = "djn"
	textbookKeys = "textbook"
)

func (w *workshop) makeKeys(ctx context.Context) error {
	for _, variant := range []string{djnKeys, textbookKeys} {
		args := []string{"keygen", "--out", w.path(variant), "--variant", variant, "--bits", strconv.Itoa(w.Bits), "--plain"}
		if w.TestKey {
			args = append(args, "--insecure-test-key")
		}
		var report struct{}
		if _, err := w.run(ctx, &report, args...); err != nil {
			return err
		}
	}
	return nil
}

// primes reads the factors of a key's modulus.
func (w *workshop) primes(variant string) (p, q *big.Int, err error) {
	data, err := os.ReadFile(filepath.Join(w.path(variant), "secret.json"))
	if err != nil {
		return nil, nil, err
	}
	var key struct{ P, Q string }
	if err := json.Unmarshal(data, &key); err != nil {
		return nil, nil, err
	}
	p, okP := new(big.Int).SetString(key.P, 16)
	q, okQ := new(big.Int).SetString(key.Q, 16)
	if !okP || !okQ {
		return nil, nil, fmt.Errorf("%s/secret.json: no factors", variant)
	}
	return p, q, nil
}

func (w *workshop) publicKey(variant string) string {
	return filepath.Join(w.path(variant), "public.json")
}
func (w *workshop) secretKey(variant string) string {
	return filepath.Join(w.path(variant), "secret.json")
}

// fuse encrypts tables, fuses them and opens the result, with further flags. All steps are processes, which it returns.
func (w *workshop) fuse(ctx context.Context, in []string, out, measure, layout string, decrypt ...string) ([]*bench.Process, error) {
	var steps []*bench.Process
	step := func(args ...string) error {
		var report job.Report
		p, err := w.run(ctx, &report, append(args, "--overwrite")...)
		steps = append(steps, p)
		return err
	}
	fused := w.path("fused.cf.parquet")
	fuse := []string{"fuse", "--out", fused}
	for i, file := range in {
		sealed := w.path(fmt.Sprintf("sealed%d.cf.parquet", i))
		if err := step("encrypt", "--key", w.publicKey(djnKeys), "--in", file, "--out", sealed, "--id", idColumn, "--measure", measure, "--layout", layout); err != nil {
			return nil, err
		}
		fuse = append(fuse, "--in", sealed)
	}
	if err := step(fuse...); err != nil {
		return nil, err
	}
	open := []string{"decrypt", "--key", w.secretKey(djnKeys), "--in", fused, "--out", out}
	if len(in) == 1 {
		open = append(open, "--unfused")
	}
	return steps, step(append(open, decrypt...)...)
}

// readColumn reads a column of a CSV file.
func readColumn(file, name string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		return nil, err
	}
	for c, header := range rows[0] {
		if header == name {
			var out []string
			for _, row := range rows[1:] {
				out = append(out, row[c])
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s has no column %s", file, name)
}
