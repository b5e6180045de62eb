package printable

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// NewWriter returns a writer for text that a person reads: what may not be shown is escaped as by Escape, but for line
// feeds. Text that came from files of others must have no line feeds of its own: Check refuses them, Escape takes them out.
func NewWriter(w io.Writer) io.Writer { return &writer{to: w, escape: Escape} }

// NewJSONWriter returns a writer for JSON: characters in its strings that may not be shown are escaped as JSON has it.
func NewJSONWriter(w io.Writer) io.Writer { return &writer{to: w, escape: escapeJSON} }

func escapeJSON(text string) string {
	var out []byte
	for _, r := range text {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}

// writer escapes what passes through it.
type writer struct {
	to     io.Writer
	escape func(string) string
	rest   []byte // the beginning of a character
}

func (w *writer) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	out := make([]byte, 0, len(text))
	for len(text) > 0 && utf8.FullRune(text) {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || Safe(r):
			out = append(out, text[:n]...)
		default:
			out = append(out, w.escape(string(text[:n]))...)
		}
		text = text[n:]
	}
	w.rest = append([]byte(nil), text...)
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
