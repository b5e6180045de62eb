// Package printable says which text may be shown to a person as it is. Names from files of others may hold characters
// that clear a terminal, hide or reorder what stands beside them, or begin a line that looks like a program's own.
// Readers refuse such text in footers, keys, receipts and job files (Check). Code that must show it all the same, such
// as an error about it, escapes it (Escape).
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe reports whether a character may be shown. These may not:
//
//   - control characters (Unicode category Cc), such as ESC, which begins a terminal's commands;
//   - format characters (Cf), which change the order of text (U+202E), join it, or take no room (U+200B);
//   - separators of lines and paragraphs (Zl, Zp);
//   - surrogates and code points that are for private use or no characters (Cs, Co, Cn): they have no known look.
func Safe(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	return r != utf8.RuneError && unicode.IsGraphic(r)
}

// Check returns an error that names the first character of text that may not be shown; nil if there is none.
func Check(text string) error {
	for i, r := range text {
		switch {
		case Safe(r):
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			return fmt.Errorf("it is not UTF-8: byte 0x%02x", text[i])
		case unicode.IsControl(r):
			return fmt.Errorf("it has a control character (U+%04X)", r)
		case unicode.Is(unicode.Cf, r):
			return fmt.Errorf("it has a format character (U+%04X), which is not seen", r)
		default:
			return fmt.Errorf("it has a character that cannot be shown (U+%04X)", r)
		}
	}
	return nil
}

// Escape returns text with every character that may not be shown as Go writes it in a string: \n, \x1b, \u202e.
func Escape(text string) string {
	clean := true
	for _, r := range text {
		clean = clean && Safe(r)
	}
	if clean {
		return text
	}
	var out strings.Builder
	for i, r := range text {
		switch {
		case Safe(r):
			out.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&out, `\x%02x`, text[i])
		default:
			q := strconv.QuoteToASCII(string(r))
			out.WriteString(q[1 : len(q)-1])
		}
	}
	return out.String()
}
