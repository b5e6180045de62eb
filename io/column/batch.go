package column

import (
	"fmt"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
)

// Batch is some rows of a table: an Arrow record, and the place each row came
// from. The record's Retain and Release are the batch's.
type Batch struct {
	arrow.Record

	// File and Row are the place of the first row: the file's name as the user gave it, and the row's 1-based number
	// among the data rows of that file.
	File string
	Row  int64

	// Spans are the places of all rows, in order; their Lens add up to NumRows. Nil means that every row is from File,
	// consecutively from Row, and that line numbers are unknown.
	Spans []Span
}

// Span is a run of consecutive rows of one file.
type Span struct {
	File string
	Row  int64 // 1-based number of the run's first row within File
	Line int64 // 1-based physical line where that row starts; each later row of the run is one line further. 0 in formats without lines
	Len  int   // rows, at least 1
}

// joins says whether next continues s without a gap, so that both are one run.
func (s Span) joins(next Span) bool {
	if s.File != next.File || s.Row+int64(s.Len) != next.Row {
		return false
	}
	if s.Line == 0 || next.Line == 0 {
		return s.Line == next.Line
	}
	return s.Line+int64(s.Len) == next.Line
}

// AppendSpan appends s to spans, extending the last of them when s continues
// it. A span of no rows is dropped.
func AppendSpan(spans []Span, s Span) []Span {
	if s.Len == 0 {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].joins(s) {
		spans[n-1].Len += s.Len
		return spans
	}
	return append(spans, s)
}

// spans returns the places of all rows, also when b.Spans is nil.
func (b Batch) spans() []Span {
	if b.Spans != nil || b.NumRows() == 0 {
		return b.Spans
	}
	return []Span{{File: b.File, Row: b.Row, Len: int(b.NumRows())}}
}

// at returns the file, row number and line (0: unknown) of row i.
func (b Batch) at(i int) (file string, row, line int64) {
	if i < 0 || int64(i) >= b.NumRows() {
		panic(fmt.Sprintf("column: row %d of a batch of %d", i, b.NumRows()))
	}
	if b.Spans == nil {
		return b.File, b.Row + int64(i), 0
	}
	for _, s := range b.Spans {
		if i < s.Len {
			if s.Line > 0 {
				line = s.Line + int64(i)
			}
			return s.File, s.Row + int64(i), line
		}
		i -= s.Len
	}
	panic("column: the spans of a batch cover fewer rows than it has")
}

// Place returns the file and the 1-based row number within it of the batch's
// row i, 0 <= i < NumRows.
func (b Batch) Place(i int) (file string, row int64) {
	file, row, _ = b.at(i)
	return file, row
}

// Line returns the physical line on which row i starts, or 0 when the format
// has no lines.
func (b Batch) Line(i int) int64 {
	_, _, line := b.at(i)
	return line
}

// Refuse returns an InputError at row i of the batch, in the named column (""
// for the whole row), with a cause formatted as by fmt.Errorf.
func (b Batch) Refuse(i int, column, format string, args ...any) *InputError {
	file, row, line := b.at(i)
	return Refuse(file, format, args...).AtRow(row).AtLine(line).InColumn(column)
}

// ColumnIndex returns the index of the column called name, or -1.
func (b Batch) ColumnIndex(name string) int {
	if at := b.Schema().FieldIndices(name); len(at) > 0 {
		return at[0]
	}
	return -1
}

// Slice returns rows i to j (exclusive) as a batch that shares b's memory and
// is released separately. 0 <= i <= j <= NumRows.
func (b Batch) Slice(i, j int) Batch {
	out := Batch{Record: b.NewSlice(int64(i), int64(j)), File: b.File, Row: b.Row + int64(i)}
	if b.Spans == nil {
		return out
	}
	// The spans that end after i and start before j, cut to size.
	ends := make([]int, len(b.Spans))
	end := 0
	for k, s := range b.Spans {
		end += s.Len
		ends[k] = end
	}
	for k := sort.SearchInts(ends, i+1); k < len(b.Spans) && i < j; k++ {
		s := b.Spans[k]
		skip := i - (ends[k] - s.Len)
		s.Row += int64(skip)
		if s.Line > 0 {
			s.Line += int64(skip)
		}
		s.Len = min(ends[k], j) - i
		out.Spans = append(out.Spans, s)
		i += s.Len
	}
	if len(out.Spans) > 0 {
		out.File, out.Row = out.Spans[0].File, out.Spans[0].Row
	}
	return out
}
