package csvio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/io/column"
)

const (
	bufferBytes     = 256 << 10
	recordBytesMax  = 16 << 20 // of one record, its line ends included
	recordFieldsMax = 1 << 20
)

// scanner splits text into records and those into fields. It knows nothing of headers and columns. Its errors have a
// line but no row.
type scanner struct {
	dialect
	src   io.Reader
	buf   []byte
	start int  // of what is unread in buf
	end   int  // of what is filled in buf
	eof   bool // nothing comes after end
	err   error

	line   int64 // physical line that buf[start] is on
	blanks int64 // blank lines just passed

	rec     []byte // the current record, valid until the next one
	recLine int64  // the line it starts on
	fields  []field
	scratch []byte // what escaped fields say
	want    int    // fields that a record should have; 0: any number
}

// field is a part of the record, or of the scratch when escaped.
type field struct {
	from, to int32
	escaped  bool
}

// newScanner returns a scanner whose buffer begins with size bytes, size > 0.
func newScanner(src io.Reader, d dialect, size int) *scanner {
	return &scanner{dialect: d, src: src, buf: make([]byte, size), line: 1}
}

// field returns the text of field i of the current record.
func (s *scanner) field(i int) []byte {
	f := s.fields[i]
	if f.escaped {
		return s.scratch[f.from:f.to]
	}
	return s.rec[f.from:f.to]
}

// refuse returns an error on the line that the current record starts on.
func (s *scanner) refuse(format string, args ...any) *column.InputError {
	return column.Refuse("", format, args...).AtLine(s.line)
}

// refuseAt returns an error on the line of the byte at pos after start.
func (s *scanner) refuseAt(pos int, format string, args ...any) *column.InputError {
	return s.refuse(format, args...).AtLine(s.line + int64(bytes.Count(s.buf[s.start:s.start+pos], []byte{'\n'})))
}

// fill reads more, keeping buf[start:end], whose place in buf may change. At
// the end of the text it sets eof.
func (s *scanner) fill() error {
	if s.err != nil {
		return s.err
	}
	if s.end-s.start >= recordBytesMax {
		return s.refuse("a row longer than %d MiB", recordBytesMax>>20).
			WithHint("Check the line ends, and for a quote that is opened but not closed.")
	}
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 { // as bufio does with readers that return nothing
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		if err == io.EOF {
			s.eof = true
			return nil
		}
		s.err = err
		if n > 0 {
			return nil // an error waits until these bytes are used up
		}
		if err != nil {
			return err
		}
	}
	s.err = io.ErrNoProgress
	return s.err
}

// next moves to the next record. At the end it returns io.EOF. It refuses blank lines between records, invalid UTF-8,
// malformed quotes and more fields than wanted. The caller checks for fewer fields, by len(s.fields).
func (s *scanner) next() error {
	s.blanks = 0
	for {
		line, size, err := s.peekLine()
		if err != nil {
			return err
		}
		if size == 0 {
			return io.EOF
		}
		if len(line) == 0 {
			s.blanks++
			s.line++
			s.start += size
			continue
		}
		if s.blanks > 0 {
			e := s.refuse("a blank line within the table").AtLine(s.line - s.blanks)
			return e.WithHint("Remove it; if it stands for a row of one empty value, write that as \"\".")
		}
		s.fields, s.scratch, s.recLine = s.fields[:0], s.scratch[:0], s.line
		if bytes.IndexByte(line, '"') >= 0 {
			return s.scanQuoted()
		}
		s.rec = line
		if err := s.split(); err != nil {
			return err
		}
		if err := s.checkUTF8(); err != nil {
			return err
		}
		s.start += size
		s.line++
		return nil
	}
}

// peekLine returns the line at start without its line end, and its size with the line end: 0 at the end of the text.
func (s *scanner) peekLine() (line []byte, size int, err error) {
	searched := 0
	for {
		if i := bytes.IndexByte(s.buf[s.start+searched:s.end], '\n'); i >= 0 {
			size = searched + i + 1
			line = s.buf[s.start : s.start+size-1]
			break
		}
		searched = s.end - s.start
		if s.eof {
			size = searched
			line = s.buf[s.start:s.end]
			break
		}
		if err := s.fill(); err != nil {
			return nil, 0, err
		}
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, size, nil
}

// split finds the fields of a record without quotes.
func (s *scanner) split() error {
	from := 0
	fields := s.fields
	delim := s.delim
	for i, c := range s.rec {
		if c == delim {
			fields = append(fields, field{from: int32(from), to: int32(i)})
			from = i + 1
			if len(fields) >= recordFieldsMax || len(fields) == s.want {
				return s.tooManyFields(bytes.Count(s.rec, []byte{delim}) + 1)
			}
		}
	}
	s.fields = append(fields, field{from: int32(from), to: int32(len(s.rec))})
	return nil
}

func (s *scanner) tooManyFields(n int) error {
	if s.want > 0 && n > s.want {
		return s.ragged(fmt.Sprint(n))
	}
	return s.refuse("more than %d columns", recordFieldsMax).WithHint("Check the separator and the line ends.")
}

// ragged refuses a record that has n fields instead of those wanted.
func (s *scanner) ragged(n string) error {
	plural := "s"
	if n == "1" {
		plural = ""
	}
	return column.Refuse("", "%s field%s, but the header has %d", n, plural, s.want).AtLine(s.recLine).
		WithHint("Every row needs a value, or an empty one, for every column; a value that contains the separator must be in quotes.")
}

// scanQuoted finds the fields of a record that has a quote in its first line, and may continue over several lines.
// Positions are relative to start, which fill may move.
func (s *scanner) scanQuoted() error {
	pos := 0
	for {
		c, err := s.at(pos)
		if err != nil {
			return err
		}
		var f field
		if c == '"' {
			f, pos, err = s.scanQuotedField(pos)
		} else {
			f, pos, err = s.scanBareField(pos)
		}
		if err != nil {
			return err
		}
		s.fields = append(s.fields, f)
		c, err = s.at(pos)
		if err != nil {
			return err
		}
		if c == int(s.delim) {
			if len(s.fields) >= recordFieldsMax {
				return s.tooManyFields(len(s.fields) + 1)
			}
			if len(s.fields) == s.want {
				return s.ragged(fmt.Sprintf("more than %d", s.want))
			}
			pos++
			continue
		}
		s.rec = s.buf[s.start : s.start+pos]
		if err := s.checkUTF8(); err != nil {
			return err
		}
		lines := int64(bytes.Count(s.rec, []byte{'\n'}))
		if c == '\r' {
			pos++
		}
		if c, err = s.at(pos); err != nil {
			return err
		}
		if c == '\n' {
			pos++
			lines++
		}
		// at may have moved the buffer.
		s.rec = s.buf[s.start : s.start+len(s.rec)]
		s.line += lines
		s.start += pos
		return nil
	}
}

// at returns the byte at pos after start, or -1 at the end of the text.
func (s *scanner) at(pos int) (int, error) {
	for s.start+pos >= s.end {
		if s.eof {
			return -1, nil
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	return int(s.buf[s.start+pos]), nil
}

// atEnd says whether a record ends at pos: by LF, CRLF, the end of the text,
// or a CR before that.
func (s *scanner) atEnd(pos int) (bool, error) {
	c, err := s.at(pos)
	if err == nil && c == '\r' {
		c, err = s.at(pos + 1)
	}
	return c == '\n' || c == -1, err
}

// scanQuotedField reads the field whose opening quote is at pos, and returns
// the position after its closing quote.
func (s *scanner) scanQuotedField(pos int) (field, int, error) {
	open := pos
	pos++
	f := field{from: int32(pos)}
	kept := pos // start of what is not yet in the scratch, once the field is escaped
	for {
		i := bytes.IndexByte(s.buf[s.start+pos:s.end], '"')
		if i < 0 {
			pos = s.end - s.start
			if c, err := s.at(pos); err != nil {
				return f, 0, err
			} else if c == -1 {
				e := s.refuseAt(open, "%w: a quote that is opened here is never closed", column.ErrTruncated)
				return f, 0, e.WithHint("The file may be cut off; a quote within a quoted value is written twice.")
			}
			continue
		}
		pos += i
		next, err := s.at(pos + 1)
		if err != nil {
			return f, 0, err
		}
		if next == '"' {
			if !f.escaped {
				f = field{from: int32(len(s.scratch)), escaped: true}
			}
			s.scratch = append(s.scratch, s.buf[s.start+kept:s.start+pos+1]...)
			pos += 2
			kept = pos
			continue
		}
		if f.escaped {
			s.scratch = append(s.scratch, s.buf[s.start+kept:s.start+pos]...)
			f.to = int32(len(s.scratch))
		} else {
			f.to = int32(pos)
		}
		end, err := s.atEnd(pos + 1)
		if err != nil {
			return f, 0, err
		}
		if next != int(s.delim) && !end {
			e := s.refuseAt(pos, "a quoted value goes on after its closing quote")
			return f, 0, e.WithHint("A quote within a quoted value is written twice; a value that begins with a quote must be in quotes.")
		}
		return f, pos + 1, nil
	}
}

// scanBareField reads the field that begins at pos without a quote.
func (s *scanner) scanBareField(pos int) (field, int, error) {
	f := field{from: int32(pos)}
	for {
		for rest := s.buf[s.start+pos : s.end]; len(rest) > 0; rest = rest[1:] {
			if c := rest[0]; c == s.delim || c == '"' || c == '\n' || c == '\r' {
				break
			}
			pos++
		}
		c, err := s.at(pos)
		if err != nil {
			return f, 0, err
		}
		switch c {
		case int(s.delim):
			f.to = int32(pos)
			return f, pos, nil
		case '\n', -1, '\r':
			end, err := s.atEnd(pos)
			if err != nil {
				return f, 0, err
			}
			if end {
				f.to = int32(pos)
				return f, pos, nil
			}
		case '"':
			if !s.bareQuotes {
				e := s.refuseAt(pos, "a quote within a value that is not in quotes")
				return f, 0, e.WithHint("Put the value in quotes and write each quote within it twice.")
			}
		}
		pos++
	}
}

// checkUTF8 refuses a record that is not valid UTF-8.
func (s *scanner) checkUTF8() error {
	if utf8.Valid(s.rec) {
		return nil
	}
	at := invalidUTF8(s.rec)
	e := &utf8Error{b: s.rec[at]}
	for e.field < len(s.fields)-1 && utf8.Valid(s.field(e.field)) {
		e.field++
	}
	line := s.recLine + int64(bytes.Count(s.rec[:at], []byte{'\n'}))
	return (&column.InputError{Cause: e}).AtLine(line).WithHint("Convert the file to UTF-8, for example with iconv.")
}

// invalidUTF8 returns the index of the first byte that is not part of valid
// UTF-8, len(b) if there is none.
func invalidUTF8(b []byte) int {
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// utf8Error names the field of a byte that is not UTF-8.
type utf8Error struct {
	field int
	b     byte
}

func (e *utf8Error) Error() string {
	return fmt.Sprintf("not valid UTF-8 (byte 0x%02x)", e.b)
}

// fieldOf returns the field an error of the scanner is about, if it is about
// one.
func fieldOf(err error) (int, bool) {
	var e *utf8Error
	if errors.As(err, &e) {
		return e.field, true
	}
	return 0, false
}
