package column

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func samePath(file string) string { return file }

func TestFindPartitions(t *testing.T) {
	for _, tt := range []struct {
		files string
		want  string // columns and, per file, values
	}{
		{"a.csv b.csv", ""},
		{"x=1.csv", ""},
		{"d/=1/x.csv", ""},
		{"d/site=A/x.csv d/site=B/x.csv", "site:utf8 A B"},
		{"d/site=A/year=2026/x.csv d/site=B/year=2025/x.csv", "site:utf8,year:int64 A,2026 B,2025"},
		{"y=01/x.csv y=-2/x.csv y=9223372036854775807/x", "y:int64 1 -2 9223372036854775807"},
		{"y=1/x y=9223372036854775808/x", "y:utf8 1 9223372036854775808"},
		{"y=1/x y=+2/x", "y:utf8 1 +2"},
		{"y=1/x y=/x", "y:utf8 1 "},
		{"y=1/x y=1.5/x", "y:utf8 1 1.5"},
		{"y=1/x y=__HIVE_DEFAULT_PARTITION__/x", "y:int64? 1 null"},
		{"y=__HIVE_DEFAULT_PARTITION__/x", "y:utf8? null"},
		{"a%20b=%41%2f%zz%4/x", "a b:utf8 A/%zz%4"},
		{"s=a=b/x", "s:utf8 a=b"},
		{"/root=1/d/x /root=1/e/x", "root:int64 1 1"},
	} {
		files := strings.Split(tt.files, " ")
		p, err := FindPartitions(files, samePath)
		if err != nil {
			t.Errorf("%s: %v", tt.files, err)
			continue
		}
		got := ""
		if p != nil {
			var fields []string
			for _, f := range p.Fields() {
				text := f.Name + ":" + f.Type.String()
				if f.Nullable {
					text += "?"
				}
				if !IsPartition(f) {
					t.Errorf("%s: %s is no partition column", tt.files, f.Name)
				}
				fields = append(fields, text)
			}
			got = strings.Join(fields, ",")
			for _, file := range files {
				got += " " + strings.Join(rowsOf(t, p, file, Names(arrow.NewSchema(p.Fields(), nil)))[:1], "")
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.files, got, tt.want)
		}
	}
	for _, tt := range []struct{ files, about, cause string }{
		{"a=1/x b=1/x", "b=1/x", "its folders have the keys b, those of a=1/x the keys a"},
		{"a=1/x a=1/b=2/x", "a=1/b=2/x", "its folders have the keys a, b, those of a=1/x the keys a"},
		{"a=1/b=2/x b=2/a=1/x", "b=2/a=1/x", "the keys b, a"},
		{"a=1/x x", "x", "its folders have no keys, those of a=1/x the keys a"},
		{"x a=1/x", "a=1/x", "its folders have the keys a, those of x no keys"},
		{"a=1/a=2/x", "a=1/a=2/x", `two of its folders have the key "a"`},
		{"a=%ff/x", "a=%ff/x", "cannot be shown"},
		{"a=%0a/x", "a=%0a/x", "cannot be shown"},
	} {
		_, err := FindPartitions(strings.Split(tt.files, " "), samePath)
		var e *InputError
		if !errors.As(err, &e) || e.File != tt.about || e.Hint == "" || !strings.Contains(e.Error(), tt.cause) {
			t.Errorf("%s: %v, want %q about %s", tt.files, err, tt.cause, tt.about)
		}
	}
}

// threeRows opens a file with the columns id and x of three rows, in batches of two.
func threeRows(_ context.Context, opts ReadOptions) (Reader, error) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "x", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{7, 8, 9}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"p", "q", "r"}, nil)
	rec := b.NewRecord()
	defer rec.Release()
	at, err := Select("f", Names(schema), opts.Columns)
	if err != nil {
		return nil, err
	}
	var columns []arrow.Array
	for _, i := range at {
		columns = append(columns, rec.Column(i))
	}
	chosen := array.NewRecord(ProjectSchema(schema, at), columns, rec.NumRows())
	defer chosen.Release()
	var batches []Batch
	for _, s := range [][2]int64{{0, 2}, {2, 3}} {
		batches = append(batches, Batch{Record: chosen.NewSlice(s[0], s[1]), File: "f", Row: s[0] + 1})
	}
	defer ReleaseAll(batches)
	return fromSlice(chosen.Schema(), batches...), nil
}

// rowsOf reads columns of a file as text, a row each.
func rowsOf(t *testing.T, p *Partitions, file string, columns []string) []string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r, err := p.Open(context.Background(), file, ReadOptions{Columns: columns, Mem: mem}, threeRows)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rows []string
	for {
		b, err := r.Read(context.Background())
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if !b.Schema().Equal(r.Schema()) || b.Row != int64(len(rows))+1 || FileOf(r) != file {
			t.Errorf("batch of schema %v at row %d of %s", b.Schema(), b.Row, FileOf(r))
		}
		for i := range int(b.NumRows()) {
			var cells []string
			for _, col := range b.Columns() {
				cell := col.ValueStr(i)
				if col.IsNull(i) {
					cell = "null"
				}
				cells = append(cells, cell)
			}
			rows = append(rows, strings.Join(cells, ","))
		}
		b.Release()
	}
}

func TestPartitionColumns(t *testing.T) {
	p, err := FindPartitions([]string{"site=A/year=2026/f", "site=B/year=__HIVE_DEFAULT_PARTITION__/f"}, samePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file    string
		columns []string
		want    []string
	}{
		{"site=A/year=2026/f", nil, []string{"7,p,A,2026", "8,q,A,2026", "9,r,A,2026"}},
		{"site=B/year=__HIVE_DEFAULT_PARTITION__/f", nil, []string{"7,p,B,null", "8,q,B,null", "9,r,B,null"}},
		{"site=A/year=2026/f", []string{"year", "x"}, []string{"2026,p", "2026,q", "2026,r"}},
		{"site=A/year=2026/f", []string{"site"}, []string{"A", "A", "A"}},
		{"site=B/year=__HIVE_DEFAULT_PARTITION__/f", []string{"year", "site"}, []string{"null,B", "null,B", "null,B"}},
		{"site=A/year=2026/f", []string{"x", "id"}, []string{"p,7", "q,8", "r,9"}},
	} {
		if got := rowsOf(t, p, tt.file, tt.columns); !slices.Equal(got, tt.want) {
			t.Errorf("%s, columns %q: %q, want %q", tt.file, tt.columns, got, tt.want)
		}
	}
	_, err = p.Open(context.Background(), "site=A/year=2026/f", ReadOptions{Columns: []string{"nil", "site"}}, threeRows)
	if !errors.Is(err, ErrMissingColumn) {
		t.Errorf("a column that is nowhere: %v", err)
	}
	both, err := FindPartitions([]string{"x=1/f"}, samePath)
	if err != nil {
		t.Fatal(err)
	}
	_, err = both.Open(context.Background(), "x=1/f", ReadOptions{}, threeRows)
	var e *InputError
	if !errors.As(err, &e) || e.Column != "x" || e.File != "x=1/f" || e.Hint == "" {
		t.Errorf("a column in file and folder: %v", err)
	}
}
