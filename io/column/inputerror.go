package column

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/internal/printable"
)

// Causes that an InputError may wrap, for errors.Is.
var (
	ErrNoRows          = errors.New("no rows")           // a table with columns but without a row, where one is needed
	ErrEmptyFile       = errors.New("the file is empty") // not a byte, so not even columns
	ErrTruncated       = errors.New("the file ends too early")
	ErrMissingColumn   = errors.New("no such column")
	ErrDuplicateColumn = errors.New("duplicate column name")
	ErrSchemaMismatch  = errors.New("part files differ")
)

// InputError says that input was refused: which file, where in it, why, and
// what to do about it. Every zero field means unknown or not applicable.
type InputError struct {
	File     string // as the user named it
	RowGroup int    // 1-based, in formats that have them
	Row      int64  // 1-based data row
	Line     int64  // 1-based physical line, in text formats
	Column   string
	Cause    error  // what is wrong
	Hint     string // what to do about it; a sentence of its own, not part of Error
}

// Refuse returns an InputError for a file with a cause formatted as by
// fmt.Errorf (so %w wraps). Values from the file belong in %s with Quote, which
// bounds them. Add a place by AtRow, AtLine, InRowGroup, InColumn, and a hint
// by WithHint.
func Refuse(file, format string, args ...any) *InputError {
	return &InputError{File: file, Cause: fmt.Errorf(format, args...)}
}

// AtRow sets the 1-based data row and returns e.
func (e *InputError) AtRow(row int64) *InputError { e.Row = row; return e }

// AtLine sets the 1-based physical line and returns e.
func (e *InputError) AtLine(line int64) *InputError { e.Line = line; return e }

// InRowGroup sets the 1-based row group and returns e.
func (e *InputError) InRowGroup(group int) *InputError { e.RowGroup = group; return e }

// InColumn sets the column and returns e.
func (e *InputError) InColumn(name string) *InputError { e.Column = name; return e }

// WithHint sets the hint, formatted as by fmt.Sprintf, and returns e.
func (e *InputError) WithHint(format string, args ...any) *InputError {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error is one line: the place as far as it is known, then the cause.
//
//	a.csv: row 17 (line 18), column "tpm": "abc" is not a number
func (e *InputError) Error() string {
	var parts []string
	if e.RowGroup > 0 {
		parts = append(parts, fmt.Sprintf("row group %d", e.RowGroup))
	}
	switch {
	case e.Row > 0 && e.Line > 0:
		parts = append(parts, fmt.Sprintf("row %d (line %d)", e.Row, e.Line))
	case e.Row > 0:
		parts = append(parts, fmt.Sprintf("row %d", e.Row))
	case e.Line > 0:
		parts = append(parts, fmt.Sprintf("line %d", e.Line))
	}
	if e.Column != "" {
		parts = append(parts, "column "+Quote(e.Column))
	}
	var s strings.Builder
	if e.File != "" {
		s.WriteString(e.File)
		s.WriteString(": ")
	}
	if len(parts) > 0 {
		s.WriteString(strings.Join(parts, ", "))
		s.WriteString(": ")
	}
	if e.Cause != nil {
		s.WriteString(e.Cause.Error())
	} else {
		s.WriteString("input refused")
	}
	return printable.Escape(s.String())
}

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Cause }

// quoteRunesMax bounds how much of a value an error repeats.
const quoteRunesMax = 60

// Quote quotes a name or value from a file for use in an error, escaped and
// cut to a readable length.
func Quote(s string) string {
	if utf8.RuneCountInString(s) > quoteRunesMax {
		cut := 0
		for n := 0; n < quoteRunesMax; n++ {
			_, size := utf8.DecodeRuneInString(s[cut:])
			cut += size
		}
		return fmt.Sprintf("%q...", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}
