package csvio

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// scanAll returns all records of text, as the scanner splits it.
func scanAll(src io.Reader, d dialect, want int) (records [][]string, lines []int64, err error) {
	s := newScanner(src, d, 8) // so that records straddle the buffer's end
	s.want = want
	for {
		if err := s.next(); err == io.EOF {
			return records, lines, nil
		} else if err != nil {
			return records, lines, err
		}
		rec := make([]string, len(s.fields))
		for i := range rec {
			rec[i] = string(s.field(i))
		}
		records = append(records, rec)
		lines = append(lines, s.recLine)
	}
}

var (
	csvDialect = dialect{delim: ','}
	tsvDialect = dialect{delim: '\t', bareQuotes: true}
)

func TestScanRecords(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		want  string // fields joined by |, records by /
		lines []int64
	}{
		{"empty", "", "", nil},
		{"one field", "a", "a", []int64{1}},
		{"no final line end", "a,b\n1,2", "a|b/1|2", []int64{1, 2}},
		{"CRLF", "a,b\r\n1,2\r\n", "a|b/1|2", []int64{1, 2}},
		{"CR at the end", "a,b\n1,2\r", "a|b/1|2", []int64{1, 2}},
		{"CR within", "a\rb,c\n", "a\rb|c", []int64{1}},
		{"empty fields", ",,\n,x,\n", "||/|x|", []int64{1, 2}},
		{"quotes", "\"a\",\"b,c\"\n\"\",\"d\"\"e\"\n", "a|b,c/|d\"e", []int64{1, 2}},
		{"only escaped quote", "\"\"\"\",x\n", "\"|x", []int64{1}},
		{"several escapes", "\"a\"\"b\"\"\",\"\"\"c\"\n", "a\"b\"|\"c", []int64{1}},
		{"line ends in quotes", "\"a\nb\",c\n\"d\r\ne\",f\ng,h", "a\nb|c/d\r\ne|f/g|h", []int64{1, 3, 5}},
		{"quoted and CRLF", "\"a\",\"b\"\r\nc,\"d\"\r\n", "a|b/c|d", []int64{1, 2}},
		{"quoted and final CR", "a,\"b\"\r", "a|b", []int64{1}},
		{"quoted at the end", "a,\"b\"", "a|b", []int64{1}},
		{"empty field at the end", "a,\"b\",", "a|b|", []int64{1}},
		{"trailing blank lines", "a,b\n1,2\n\n\r\n\n", "a|b/1|2", []int64{1, 2}},
		{"spaces are data", " a , b \n", " a | b ", []int64{1}},
		{"not ASCII", "é,\"ß\"\n", "é|ß", []int64{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, d := range []dialect{csvDialect, tsvDialect} {
				text := strings.ReplaceAll(tt.text, ",", string(d.delim))
				want := strings.ReplaceAll(tt.want, ",", string(d.delim))
				for _, src := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
					records, lines, err := scanAll(src, d, 0)
					if err != nil {
						t.Fatal(err)
					}
					var joined []string
					for _, rec := range records {
						joined = append(joined, strings.Join(rec, "|"))
					}
					if got := strings.Join(joined, "/"); got != want {
						t.Errorf("records %q, want %q", got, want)
					}
					if len(lines) != len(tt.lines) {
						t.Fatalf("lines %v, want %v", lines, tt.lines)
					}
					for i := range lines {
						if lines[i] != tt.lines[i] {
							t.Errorf("lines %v, want %v", lines, tt.lines)
						}
					}
				}
			}
		})
	}
}

func TestScanBareQuotes(t *testing.T) {
	records, _, err := scanAll(strings.NewReader("5\" gun\ta\"b\"\n"), tsvDialect, 0)
	if err != nil || len(records) != 1 || records[0][0] != "5\" gun" || records[0][1] != "a\"b\"" {
		t.Errorf("TSV: %q, %v; want the quotes as data", records, err)
	}
	_, _, err = scanAll(strings.NewReader("a,b\n5\" gun,x\n"), csvDialect, 0)
	checkRefused(t, err, 2, "a quote within a value that is not in quotes")
}

func checkRefused(t *testing.T, err error, line int64, cause string) *column.InputError {
	t.Helper()
	var e *column.InputError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want an InputError", err)
	}
	if e.Line != line || !strings.Contains(e.Cause.Error(), cause) {
		t.Errorf("error %q on line %d, want %q on line %d", e, e.Line, cause, line)
	}
	if e.Hint == "" {
		t.Errorf("error %q has no hint", e)
	}
	return e
}

func TestScanRefusals(t *testing.T) {
	tests := []struct {
		name, text string
		want       int
		line       int64
		cause      string
	}{
		{"blank line", "a,b\n\n1,2\n", 0, 2, "a blank line within the table"},
		{"blank lines", "a,b\n1,2\n\r\n\n\n3,4\n", 0, 3, "a blank line within the table"},
		{"blank line first", "\na,b\n", 0, 1, "a blank line within the table"},
		{"open quote", "a,b\n1,\"2\n3,4\n", 0, 2, "never closed"},
		{"open quote later", "a,b\n\"x\ny\",\"2\n3,4\n", 0, 3, "never closed"},
		{"text after quote", "a,b\n\"x\n\"y,2\n", 0, 3, "goes on after its closing quote"},
		{"CR after quote", "\"x\"\ry\n", 0, 1, "goes on after its closing quote"},
		{"bare quote on a later line", "\"x\ny\",a\"\n", 0, 2, "a quote within a value"},
		{"too many fields", "1,2,3\n", 2, 1, "3 fields, but the header has 2"},
		{"too many quoted fields", "\"1\",2,3\n", 2, 1, "more than 2 fields, but the header has 2"},
		{"latin1", "a,b\nM\xfcller,1\n", 0, 2, "not valid UTF-8 (byte 0xfc)"},
		{"latin1 in quotes", "a,b\n\"x\nM\xfcller\",1\n", 0, 3, "not valid UTF-8 (byte 0xfc)"},
		{"too many columns", strings.Repeat(",", recordFieldsMax) + "\n", 0, 1, "more than 1048576 columns"},
		{"too many quoted columns", "\"\"" + strings.Repeat(",", recordFieldsMax) + "\n", 0, 1, "more than 1048576 columns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := scanAll(strings.NewReader(tt.text), csvDialect, tt.want)
			checkRefused(t, err, tt.line, tt.cause)
		})
	}
}

func TestScanInvalidUTF8Field(t *testing.T) {
	for _, text := range []string{"a,\xff,b", "\"a\",\xff,b", "\"a\"\"\",\"\xff\"\"\",b", "a,\"\n\xff\",b"} {
		_, _, err := scanAll(strings.NewReader(text), csvDialect, 0)
		if i, ok := fieldOf(err); !ok || i != 1 {
			t.Errorf("%q: field %d, %v; want field 1", text, i, err)
		}
	}
}

// endless is a text that never ends.
type endless struct{ pattern string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.pattern)
	}
	return n, nil
}

func TestScanBoundsRecords(t *testing.T) {
	for _, src := range []io.Reader{endless{"x"}, io.MultiReader(strings.NewReader("\""), endless{"x\n"}), io.MultiReader(strings.NewReader("\""), endless{"\"\""})} {
		s := newScanner(src, csvDialect, bufferBytes)
		checkRefused(t, s.next(), 1, "longer than 16 MiB")
		if len(s.buf) > 2*recordBytesMax {
			t.Errorf("buffer of %d bytes", len(s.buf))
		}
	}
}

func TestScanLongRecord(t *testing.T) {
	long := strings.Repeat("0123456789", bufferBytes/4)
	records, lines, err := scanAll(strings.NewReader("a,b\n"+long+",\""+long+"\"\"\n\"\nx,y\n"), csvDialect, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 3 || records[1][0] != long || records[1][1] != long+"\"\n" || records[2][1] != "y" || lines[2] != 4 {
		t.Errorf("%d records, lines %v", len(records), lines)
	}
}

func TestScanNoProgress(t *testing.T) {
	s := newScanner(stuck{}, csvDialect, 8)
	if err := s.next(); err != io.ErrNoProgress {
		t.Errorf("error %v, want %v", err, io.ErrNoProgress)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// compareWithStdlib checks the scanner against encoding/csv: what both accept
// they split alike, and what only one accepts is one of the known differences.
func compareWithStdlib(t *testing.T, text []byte, d dialect) {
	t.Helper()
	got, _, err := scanAll(bytes.NewReader(text), d, 0)
	std := csv.NewReader(bytes.NewReader(text))
	std.Comma = rune(d.delim)
	std.FieldsPerRecord = -1
	std.LazyQuotes = d.bareQuotes
	want, stdErr := std.ReadAll()
	if err != nil {
		cause := err.Error()
		switch {
		case stdErr != nil:
		case strings.Contains(cause, "blank line"), strings.Contains(cause, "UTF-8"): // encoding/csv passes over both
		case d.bareQuotes: // LazyQuotes also allows quotes in quoted fields, and none that closes
		default:
			t.Fatalf("%q refused (%v); encoding/csv reads %q", text, err, want)
		}
		return
	}
	if stdErr != nil {
		t.Fatalf("%q read as %q; encoding/csv: %v", text, got, stdErr)
	}
	if len(got) != len(want) {
		t.Fatalf("%q read as %q; encoding/csv: %q", text, got, want)
	}
	for i := range got {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%q read as %q; encoding/csv: %q", text, got, want)
		}
		for j := range got[i] {
			// encoding/csv turns CRLF within quotes into LF; we keep it.
			if strings.ReplaceAll(got[i][j], "\r\n", "\n") != want[i][j] {
				t.Fatalf("%q read as %q; encoding/csv: %q", text, got, want)
			}
		}
	}
}

func TestScanAgainstStdlib(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "b", ",", ",", "\t", "\"", "\"", "\n", "\n", "\r", "\r\n", "é", " ", "\"\"", "\",\"", "\xff"}
	for range thoroughtest.Pick(3000, 20_000) {
		var text []byte
		for range rng.IntN(24) {
			text = append(text, alphabet[rng.IntN(len(alphabet))]...)
		}
		compareWithStdlib(t, text, csvDialect)
		compareWithStdlib(t, text, tsvDialect)
	}
}

func FuzzScanAgainstStdlib(f *testing.F) {
	for _, seed := range []string{"", "a,b\n1,2\n", "\"a\"\"b\",c\r\n\"d\ne\",f", "a\tb\n\"c\t\"\td", "\n\na", "a\"b", "\"a\"b", "\"a", "a\r", "\xff,x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compareWithStdlib(t, text, csvDialect)
		compareWithStdlib(t, text, tsvDialect)
	})
}
