package arrowio

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

var ctx = context.Background()

// checked returns an allocator that the test fails with if anything leaks.
func checked(t testing.TB) *memory.CheckedAllocator {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// text reads a file and returns its values, columns by line.
func text(fs blob.FS, name string, opts column.ReadOptions) (string, error) {
	r, err := Open(ctx, fs, name, opts)
	if err != nil {
		return "", err
	}
	defer r.Close()
	lines := make([]strings.Builder, r.Schema().NumFields())
	for i, f := range r.Schema().Fields() {
		fmt.Fprintf(&lines[i], "%s %s:", f.Name, f.Type)
	}
	row := int64(1)
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		if b.Row != row || b.File != name || !b.Schema().Equal(r.Schema()) || b.NumRows() == 0 || int(b.NumRows()) > opts.WithDefaults().BatchRows {
			return "", fmt.Errorf("batch of %d rows at %s:%d, want row %d", b.NumRows(), b.File, b.Row, row)
		}
		for k := range lines {
			for i := range int(b.NumRows()) {
				lines[k].WriteString(" " + b.Column(k).ValueStr(i))
			}
		}
		row += b.NumRows()
		b.Release()
	}
	if n := r.(*Reader).Rows(); n != row-1 {
		return "", fmt.Errorf("Rows is %d after %d rows", n, row-1)
	}
	var out strings.Builder
	for i := range lines {
		out.WriteString(lines[i].String() + "\n")
	}
	return out.String(), nil
}

// The files of testdata were written by other implementations, see make.mjs.
func TestGolden(t *testing.T) {
	const polars = `id utf8: a b (null) a string longer than twelve bytes ü
n int64: 1 2 3 (null) 5
i int32: -1 2 -3 4 -5
x float64: 0.5 (null) 2.5 -1 1e+300
ok bool: true false (null) true true
kind utf8: case control case case (null)
`
	for name, want := range map[string]string{
		"polars_uncompressed": polars,
		"polars_lz4":          polars,
		"polars_zstd":         polars,
		"js_dictionary":       "id utf8: a b (null) a string longer than twelve bytes ü\nkind utf8: case control case (null) control\nday date32: 1970-01-01 1970-01-02 1970-01-03 1970-01-04 1970-01-05\n",
		"js_delta":            "kind utf8: x y x z (null) y\n",
		"js_batches":          "n int32: 0 1 2 3 4 5 6\nx float64: 0 0.5 1 1.5 2 2.5 3\n",
	} {
		for _, rows := range []int{0, 1, 2} {
			got, err := text(blob.Local{}, "testdata/"+name+".arrow", column.ReadOptions{Mem: checked(t), BatchRows: rows})
			if err != nil || got != want {
				t.Errorf("%s: %v\n%swant\n%s", name, err, got, want)
			}
		}
	}
	got, err := text(blob.Local{}, "testdata/polars_lz4.arrow", column.ReadOptions{Mem: checked(t), Columns: []string{"kind", "n"}})
	if want := "kind utf8: case control case case (null)\nn int64: 1 2 3 (null) 5\n"; err != nil || got != want {
		t.Errorf("projected: %v\n%swant\n%s", err, got, want)
	}
}
