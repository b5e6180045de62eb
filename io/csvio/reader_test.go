package csvio

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/klauspost/compress/gzip"
)

var ctx = context.Background()

// checked returns an allocator that the test fails with if anything leaks.
func checked(t *testing.T) *memory.CheckedAllocator {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

func zipped(texts ...string) string {
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		io.WriteString(w, text)
		w.Close()
	}
	return b.String()
}

const null = "<null>"

// read returns the rows of a file with that name and text, and checks that the
// places of rows make sense.
func read(t *testing.T, name, text string, opts column.ReadOptions) (header []string, rows [][]string, lines []int64, err error) {
	t.Helper()
	var fs blobtest.Mem
	fs.Put(name, []byte(text))
	if opts.Mem == nil {
		opts.Mem = checked(t)
	}
	r, err := Open(ctx, &fs, name, opts)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}()
	header = column.Names(r.Schema())
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			if n := r.(*Reader).Rows(); n != int64(len(rows)) {
				t.Errorf("Rows is %d after %d", n, len(rows))
			}
			if _, err := r.Read(ctx); err != io.EOF {
				t.Errorf("read after the end: %v", err)
			}
			return header, rows, lines, nil
		}
		if err != nil {
			return header, rows, lines, err
		}
		if b.NumRows() == 0 || int(b.NumRows()) > opts.WithDefaults().BatchRows || b.File != name || b.Row != int64(len(rows)+1) {
			t.Errorf("batch of %d rows at %s:%d after %d rows", b.NumRows(), b.File, b.Row, len(rows))
		}
		for i := range int(b.NumRows()) {
			row := make([]string, b.NumCols())
			for k := range row {
				col := b.Column(k).(*array.String)
				row[k] = col.Value(i)
				if col.IsNull(i) {
					row[k] = null
				}
			}
			rows = append(rows, row)
			if file, n := b.Place(i); file != name || n != int64(len(rows)) {
				t.Errorf("row %d is at %s:%d", len(rows), file, n)
			}
			lines = append(lines, b.Line(i))
		}
		b.Release()
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		what, name, text string
		opts             column.ReadOptions
		want             string
		lines            string
	}{
		{"plain", "a.csv", "id,n\nx,1\ny,2\n", column.ReadOptions{}, "[id n] [[x 1] [y 2]]", "[2 3]"},
		{"batches of one", "a.csv", "id,n\nx,1\ny,2\n", column.ReadOptions{BatchRows: 1}, "[id n] [[x 1] [y 2]]", "[2 3]"},
		{"header only", "a.csv", "id,n\n", column.ReadOptions{}, "[id n] []", "[]"},
		{"header only, no line end", "a.csv", "id,n", column.ReadOptions{}, "[id n] []", "[]"},
		{"BOM and CRLF", "a.csv", "\ufeffid,n\r\nx,1\r\n", column.ReadOptions{}, "[id n] [[x 1]]", "[2]"},
		{"BOM and quote", "a.csv", "\ufeff\"id\",n\nx,1", column.ReadOptions{}, "[id n] [[x 1]]", "[2]"},
		{"TSV", "a.tsv", "id\tn\n5\" x\t1\n\"a\tb\"\t2\n", column.ReadOptions{}, "[id n] [[5\" x 1] [a\tb 2]]", "[2 3]"},
		{"upper-case name", "A.TSV", "id\tn\nx\t1\n", column.ReadOptions{}, "[id n] [[x 1]]", "[2]"},
		{"gzip", "a.csv.gz", zipped("id,n\nx,1\n"), column.ReadOptions{}, "[id n] [[x 1]]", "[2]"},
		{"gzip of several members", "a.tsv.gz", zipped("id\tn\nx\t", "1\ny", "", "\t2\n", ""), column.ReadOptions{}, "[id n] [[x 1] [y 2]]", "[2 3]"},
		{"projection", "a.csv", "a,b,c\n1,2,3\n4,5,6\n", column.ReadOptions{Columns: []string{"c", "a"}}, "[c a] [[3 1] [6 4]]", "[2 3]"},
		{"nulls", "a.csv", "a,b,c\n,NA,\"\"\nnull,na,\"NA\"\n", column.ReadOptions{}, "[a b c] [[<null> <null> <null>] [null na <null>]]", "[2 3]"},
		{"other nulls", "a.csv", "a,b,c\n,NA,.\n-,n/a,x\n", column.ReadOptions{Nulls: []string{".", "n/a"}}, "[a b c] [[ NA <null>] [- <null> x]]", "[2 3]"},
		{"long nulls", "a.csv", "a,b\n" + strings.Repeat("x", 100) + ",y\n", column.ReadOptions{Nulls: []string{strings.Repeat("x", 100)}}, "[a b] [[<null> y]]", "[2]"},
		{"no nulls", "a.csv", "a,b\n,NA\n", column.ReadOptions{Nulls: []string{}}, "[a b] [[ NA]]", "[2]"},
		{"values over lines", "a.csv", "a,b\n\"1\n2\",x\ny,\"\n\n\"\nz,z\n", column.ReadOptions{}, "[a b] [[1\n2 x] [y \n\n] [z z]]", "[2 4 7]"},
		{"names over lines", "a.csv", "\"a\nb\",c\n1,2\n", column.ReadOptions{}, "[a\nb c] [[1 2]]", "[3]"},
		{"a name of nothing", "a.csv", ",n\n1,2\n", column.ReadOptions{}, "[ n] [[1 2]]", "[2]"},
		{"one column", "a.csv", "id\n\"\"\nx\n\n\n", column.ReadOptions{}, "[id] [[<null>] [x]]", "[2 3]"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			header, rows, lines, err := read(t, tt.name, tt.text, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(header, rows); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if got := fmt.Sprint(lines); got != tt.lines {
				t.Errorf("lines %s, want %s", got, tt.lines)
			}
		})
	}
}

func TestReadRefusals(t *testing.T) {
	good := zipped(strings.Repeat("id,n\n", 1) + strings.Repeat("x,1\n", 5000))
	damaged := []byte(zipped("id,n\nx,1\n"))
	damaged[len(damaged)-5] ^= 1 // in the checksum
	garbled := []byte(good)
	for i := 20; i < 40; i++ {
		garbled[i] ^= 0x55
	}
	for _, tt := range []struct {
		what, name, text string
		columns          []string
		want             string // the error
		is               error
	}{
		{"empty", "a.csv", "", nil, "a.csv: the file is empty", column.ErrEmptyFile},
		{"empty gzip", "a.csv.gz", "", nil, "a.csv.gz: the file is empty", column.ErrEmptyFile},
		{"gzip of nothing", "a.csv.gz", zipped(""), nil, "a.csv.gz: the file is empty: no header row", column.ErrEmptyFile},
		{"only blank lines", "a.csv", "\n\r\n\n", nil, "a.csv: the file is empty: no header row", column.ErrEmptyFile},
		{"only a BOM", "a.csv", "\ufeff", nil, "a.csv: the file is empty: no header row", column.ErrEmptyFile},
		{"short row", "a.csv", "a,b\n1,2\n3\n", nil, "a.csv: row 2 (line 3): 1 field, but the header has 2", nil},
		{"long row", "a.csv", "a,b\n1,2\n3,4,5,6\n", nil, "a.csv: row 2 (line 3): 4 fields, but the header has 2", nil},
		{"short row after values over lines", "a.csv", "a,b\n\"1\n\",2\n\"3\n\"\n", nil, "a.csv: row 2 (line 4): 1 field, but the header has 2", nil},
		{"cut in a value", "a.csv", "a,b\n1,2\n3,\"4", nil, "a.csv: row 2 (line 3): the file ends too early: a quote that is opened here is never closed", column.ErrTruncated},
		{"blank line", "a.csv", "a,b\n\n1,2\n", nil, "a.csv: row 1 (line 2): a blank line within the table", nil},
		{"blank line before the header", "a.csv", "\na,b\n", nil, "a.csv: line 1: a blank line within the table", nil},
		{"duplicate column", "a.csv", "a,b,a\n1,2,3\n", nil, `a.csv: line 1, column "a": duplicate column name: columns 1 and 3 are both called "a"`, column.ErrDuplicateColumn},
		{"duplicate column, asked for", "a.csv", "a,b,a\n1,2,3\n", []string{"b", "a"}, `a.csv: line 1, column "a": duplicate column name: columns 1 and 3 are both called "a"`, column.ErrDuplicateColumn},
		{"empty header cells", "a.csv", "a,b,,,\n1,2,,,\n", nil, `a.csv: line 1: duplicate column name: columns 3 to 5 have no name`, column.ErrDuplicateColumn},
		{"empty header cells here and there", "a.csv", "a,,b,\n1,,2,\n", nil, `a.csv: line 1: duplicate column name: 2 columns have no name, of which columns 2 and 4`, column.ErrDuplicateColumn},
		{"missing column", "a.csv", "id,tpm\nx,1\n", []string{"TPM"}, `a.csv: line 1: no such column: "TPM"`, column.ErrMissingColumn},
		{"not UTF-8", "a.csv", "id,name\nx,1\ny,M\xfcller\n", nil, `a.csv: row 2 (line 3), column "name": not valid UTF-8 (byte 0xfc)`, nil},
		{"not UTF-8, projected away", "a.csv", "id,name\nx,M\xfcller\n", []string{"id"}, `a.csv: row 1 (line 2), column "name": not valid UTF-8 (byte 0xfc)`, nil},
		{"header not UTF-8", "a.csv", "id,M\xfcller\n", nil, "a.csv: line 1: not valid UTF-8 (byte 0xfc)", nil},
		{"old line ends", "a.csv", "id,n\rx,1\r", nil, "a.csv: line 1: a carriage return within the header", nil},
		{"UTF-16", "a.csv", "\xff\xfei\x00d\x00\n\x00", nil, "a.csv: not delimited text: it is UTF-16 text", nil},
		{"gzip by another name", "a.csv", good, nil, "a.csv: not delimited text: it is compressed with gzip", nil},
		{"spreadsheet", "a.csv", "PK\x03\x04....", nil, "a.csv: not delimited text: it is a zip archive or a spreadsheet", nil},
		{"Parquet", "a.tsv.gz", zipped("PAR1...."), nil, "a.tsv.gz: not delimited text: it is a Parquet file", nil},
		{"text named gzip", "a.csv.gz", "id,n\nx,1\nmore to fill a header", nil, "a.csv.gz: line 1: not gzip data, although its name ends in .gz", nil},
		{"cut in the gzip header", "a.csv.gz", good[:5], nil, "a.csv.gz: line 1: the file ends too early: the compressed data breaks off", column.ErrTruncated},
		{"cut in the gzip trailer", "a.csv.gz", good[:len(good)-3], nil, "a.csv.gz: row 5001 (line 5002): the file ends too early: the compressed data breaks off", column.ErrTruncated},
		{"gzip checksum", "a.csv.gz", string(damaged), nil, "a.csv.gz: row 2 (line 3): the compressed data is damaged: gzip: invalid checksum", nil},
		{"garbage after gzip", "a.csv.gz", zipped("id,n\nx,1\n") + "0123456789", nil, "a.csv.gz: row 2 (line 3): something that is not gzip follows the compressed data", nil},
		{"zeros and garbage after gzip", "a.csv.gz", zipped("id,n\nx,1\n") + "\x00\x00\x001", nil, "a.csv.gz: row 2 (line 3): something that is not gzip follows the compressed data", nil},
		{"short text named gzip", "a.csv.gz", "id\n", nil, "a.csv.gz: line 1: not gzip data, although its name ends in .gz", nil},
		{"garbled gzip", "a.csv.gz", string(garbled), nil, "a.csv.gz: line 1: the compressed data is damaged", nil},
		{"another format", "a.txt", "id\n", nil, "a.txt: not a name of a delimited text file", nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			_, _, _, err := read(t, tt.name, tt.text, column.ReadOptions{Columns: tt.columns})
			var e *column.InputError
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an InputError", err)
			}
			if strings.Contains(e.Error(), "damaged") && strings.HasPrefix(e.Error(), tt.want) {
				return // the decompressor says where
			}
			if e.Error() != tt.want {
				t.Errorf("error %q\nwant  %q", e, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%q is not %q", e, tt.is)
			}
			if e.Hint == "" {
				t.Errorf("%q has no hint", e)
			}
		})
	}
}

// A file cut anywhere either is one that could have been written so, or is
// refused; it never yields other rows than its first ones.
func TestReadTruncated(t *testing.T) {
	text := "id,n\r\n\"a\"\"1\",1\r\nb,\"2\r\n3\"\r\nc,4\r\n"
	_, whole, _, err := read(t, "a.csv", text, column.ReadOptions{})
	if err != nil || len(whole) != 3 {
		t.Fatal(whole, err)
	}
	for cut := range len(text) {
		_, rows, _, err := read(t, "a.csv", text[:cut], column.ReadOptions{BatchRows: 1})
		if len(rows) > len(whole) {
			t.Fatalf("cut at %d: %d rows", cut, len(rows))
		}
		for i, row := range rows {
			last := err == nil && i == len(rows)-1 // the last value of a file may be cut unseen
			if row[0] != whole[i][0] || !last && row[1] != whole[i][1] {
				t.Errorf("cut at %d: row %d is %q, want %q", cut, i+1, row, whole[i])
			}
		}
	}
	packed := zipped(strings.Repeat(text, 1))
	for cut := range len(packed) {
		if _, _, _, err := read(t, "a.csv.gz", packed[:cut], column.ReadOptions{}); err == nil {
			t.Errorf("gzip cut at %d is accepted", cut)
		} else if e := (*column.InputError)(nil); !errors.As(err, &e) || e.File != "a.csv.gz" {
			t.Errorf("gzip cut at %d: %v", cut, err)
		}
	}
}

func TestReadBoundsBatches(t *testing.T) {
	value := strings.Repeat("v", 1000)
	text := "id,n\n" + strings.Repeat("x,"+value+"\n", 10)
	var fs blobtest.Mem
	fs.Put("a.csv", []byte(text))
	mem := checked(t)
	r, err := Open(ctx, &fs, "a.csv", column.ReadOptions{Mem: mem, BatchBytes: 8000})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	batches, err := column.Collect(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer column.ReleaseAll(batches)
	if len(batches) != 2 || batches[0].NumRows() != 8 || batches[1].Row != 9 {
		t.Errorf("%d batches, the first of %d rows", len(batches), batches[0].NumRows())
	}
}

func TestReadCancelled(t *testing.T) {
	var fs blobtest.Mem
	fs.Put("a.csv", []byte("a,b\n1,2\n"))
	r, err := Open(ctx, &fs, "a.csv", column.ReadOptions{Mem: checked(t)})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.Read(cancelled); err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(ctx); err == nil || err == io.EOF {
		t.Errorf("read after Close: %v", err)
	}
}

func TestReadSurvivesFailures(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("id,n\n")
	for i := range 200000 {
		fmt.Fprintf(&b, "r%d,%d\n", i, i%7)
	}
	for _, name := range []string{"a.csv", "a.csv.gz"} {
		text := b.String()
		if name == "a.csv.gz" {
			text = zipped(text)
		}
		for at := int64(1); ; at++ {
			var mem blobtest.Mem
			mem.Put(name, []byte(text))
			fs := &blobtest.Faulty{FS: &mem, FailAt: at}
			rows, err := countRows(fs, name, checked(t))
			if !fs.Failed() {
				if err != nil || rows != 200000 || at < 4 {
					t.Errorf("%s: %d rows with %d operations, %v", name, rows, at-1, err)
				}
				break
			}
			if !errors.Is(err, blobtest.ErrInjected) {
				t.Errorf("%s: failure %d: %v", name, at, err)
			}
			if e := (*column.InputError)(nil); errors.As(err, &e) {
				t.Errorf("%s: a failing disk is called bad input: %v", name, err)
			}
		}
	}
}

func countRows(fs blob.FS, name string, mem memory.Allocator) (rows int64, err error) {
	r, err := Open(ctx, fs, name, column.ReadOptions{Mem: mem})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows += b.NumRows()
		b.Release()
	}
}

// shrinking is a file that ends before its size says.
type shrinking struct{ blob.FS }

func (s shrinking) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := s.FS.Open(ctx, name)
	return shrunk{f}, err
}

type shrunk struct{ blob.File }

func (s shrunk) Size() int64 { return s.File.Size() + 100 }

func TestReadShrinkingFile(t *testing.T) {
	var mem blobtest.Mem
	mem.Put("a.csv", []byte("id,n\nx,1\n"))
	_, err := countRows(shrinking{&mem}, "a.csv", checked(t))
	if !errors.Is(err, column.ErrTruncated) {
		t.Errorf("error %v", err)
	}
}

// TestReadSharedData reads the real tables next to the repository, where they
// are, as encoding/csv does.
func TestReadSharedData(t *testing.T) {
	for _, name := range []string{
		"hpa_rna_celline_tissue_extended.tsv.gz", "hpa_rna_labels_extended.tsv", "hpa_subcellular_location.tsv",
		"clinvar_750_b38.tsv", "mitbih_100_ecg.csv.gz", "physionet2012_setA_600_vitals_long.csv.gz",
	} {
		path := filepath.Join("..", "..", "..", "shared", "data", name)
		f, err := os.Open(path)
		if err != nil {
			t.Logf("NOT CHECKED: %v", err)
			continue
		}
		defer f.Close()
		var src io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			if src, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		std := csv.NewReader(src)
		std.ReuseRecord = true
		std.LazyQuotes = true
		if blob.Ext(name) != ".csv.gz" {
			std.Comma = '\t'
		}
		if _, err := std.Read(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(ctx, blob.Local{}, path, column.ReadOptions{Mem: checked(t), Nulls: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			b, err := r.Read(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(b.NumRows()) {
				want, err := std.Read()
				if err != nil {
					t.Fatal(err)
				}
				for k := range want {
					if got := b.Column(k).(*array.String).Value(i); got != want[k] {
						t.Fatalf("%s line %d: %q, want %q", name, b.Line(i), got, want[k])
					}
				}
				if line, _ := std.FieldPos(0); int64(line) != b.Line(i) {
					t.Fatalf("%s: row %d on line %d, want %d", name, b.Row+int64(i), b.Line(i), line)
				}
			}
			b.Release()
		}
		if _, err := std.Read(); err != io.EOF {
			t.Errorf("%s: rows are missing (%v)", name, err)
		}
		t.Logf("%s: %d rows", name, r.(*Reader).Rows())
	}
}

// The first four columns of a BED file have fixed names, whatever the header calls them.
func TestBED(t *testing.T) {
	const text = "#Chr\tstart\tend\tTargetID\tHG1\tHG2\n22\t1\t2\tENSG1.4\t-0.5\tNA\n"
	for name, content := range map[string]string{"a.bed": text, "a.bed.gz": zipped(text)} {
		header, rows, _, err := read(t, name, content, column.ReadOptions{})
		if err != nil || strings.Join(header, " ") != "chrom start end id HG1 HG2" || len(rows) != 1 || strings.Join(rows[0], " ") != "22 1 2 ENSG1.4 -0.5 "+null {
			t.Errorf("%s: %v, %v, %v", name, header, rows, err)
		}
	}
	for _, bad := range []string{"22\t1\t2\tENSG1\t0.5\n", "#chr\tstart\tend\n", "#chr start end id s\n"} {
		_, _, _, err := read(t, "a.bed", bad, column.ReadOptions{})
		if err == nil || !strings.Contains(err.Error(), "a.bed: line 1: not a BED file of expression values") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Create(ctx, &blobtest.Mem{}, "a.bed", arrow.NewSchema(nil, nil), column.WriteOptions{}); err == nil {
		t.Error("a BED file can be written")
	}
}

// TestOnlyWhatIsAskedFor: columns without a name of their own, and zeros that some archives leave after the data, do not stand
// in the way.
func TestOnlyWhatIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		columns    []string
	}{
		"two of one name":      {"a.csv", "a,x,b,x\n1,2,3,4\n", []string{"b", "a"}},
		"empty header cells":   {"a.csv", "a,b,,,,\n1,3,,,,\n", []string{"b", "a"}},
		"cells without a name": {"a.tsv", "\t\ta\tb\n0\t0\t1\t3\n", []string{"b", "a"}},
		"zeros after":          {"a.csv.gz", zipped("a,b\n1,3\n") + strings.Repeat("\x00", 3000), []string{"b", "a"}},
		"one zero after":       {"a.csv.gz", zipped("a,b\n1,3\n") + "\x00", []string{"b", "a"}},
		"two members, zeros":   {"a.csv.gz", zipped("a,b\n") + zipped("1,3\n") + "\x00\x00", []string{"b", "a"}},
	} {
		var fs blobtest.Mem
		fs.Put(c.file, []byte(c.text))
		r, err := Open(ctx, &fs, c.file, column.ReadOptions{Columns: c.columns})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		batches, err := column.Collect(ctx, r)
		if err != nil || len(batches) != 1 || batches[0].NumRows() != 1 || batches[0].Column(0).ValueStr(0) != "3" || batches[0].Column(1).ValueStr(0) != "1" {
			t.Errorf("%s: %v, %v", name, batches, err)
		}
		r.Close()
	}
}
