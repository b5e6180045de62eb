package printable

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestCheck(t *testing.T) {
	for _, text := range []string{"", "gene", "Größe (cm)", "日本 語", "данные", "ελληνικά", "a\u00a0b", "é", "e\u0301", "𝒳", "🧬", "x≤y", "नमस्ते"} {
		if err := Check(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := Escape(text); got != text {
			t.Errorf("%q is escaped: %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"a\x1b[2Jb":        "control character (U+001B)",
		"a\nb":             "control character (U+000A)",
		"a\rb":             "control character (U+000D)",
		"tab\there":        "control character (U+0009)",
		"\x7f":             "control character (U+007F)",
		"\u009b31m":        "control character (U+009B)", // CSI of eight bits
		"\u202egnp.exe":    "format character",
		"\u2066x\u2069":    "format character",
		"a\u200bb":         "format character",
		"a\u200db":         "format character",
		"\ufeffgene":       "format character (U+FEFF)",
		"soft\u00adhyphen": "format character (U+00AD)",
		"\U000e0041":       "format character", // a tag
		"a\u2028b":         "cannot be shown (U+2028)",
		"a\u2029b":         "cannot be shown (U+2029)",
		"\ue000":           "cannot be shown",
		"\uffff":           "cannot be shown",
		"\U0010ffff":       "cannot be shown",
		"\ufffd":           "cannot be shown",
		"\xff":             "not UTF-8: byte 0xff",
		"ok\xc3":           "not UTF-8: byte 0xc3",
		"\xed\xa0\x80":     "not UTF-8: byte 0xed", // a surrogate
	} {
		err := Check(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		escaped := Escape(text)
		if err := Check(escaped); err != nil || !strings.Contains(escaped, `\`) {
			t.Errorf("%q is escaped as %q: %v", text, escaped, err)
		}
	}
}

// No control, format or separator character of Unicode passes, and all letters, marks, numbers and punctuation do.
func TestSafeByCategory(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs)
		bad := unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r == '\ufffd'
		if bad && Safe(r) || want && !bad && !Safe(r) {
			t.Fatalf("U+%04X: Safe is %v", r, Safe(r))
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1bb\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := Escape(text)
		if err := Check(got); err != nil {
			t.Fatalf("%q becomes %q: %v", text, got, err)
		}
		if Check(text) == nil && got != text {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}

// The writer escapes what Escape does, in whatever pieces the text comes, and keeps line feeds. As JSON it is the same value.
func TestWriter(t *testing.T) {
	for _, text := range []string{"", "a\nb", "Größe 🧬", "a\x1b[2J\u202eb\nc", "\r\t\x00", "\ue000\U000e0041x", "\xff", "ü\xc3"} {
		for size := 1; size <= len(text)+1; size++ {
			var out, asJSON strings.Builder
			w, j := NewWriter(&out), NewJSONWriter(&asJSON)
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				if n, err := w.Write([]byte(rest[:min(size, len(rest))])); err != nil || n != min(size, len(rest)) {
					t.Fatal(n, err)
				}
			}
			for rest := quoted; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if _, err := j.Write(rest[:min(size, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			want := strings.ReplaceAll(Escape(text), `\n`, "\n")
			if text == "ü\xc3" {
				want = "ü" // the beginning of a character that never comes
			}
			if out.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", text, size, out.String(), want)
			}
			var back, plain string
			if err := json.Unmarshal([]byte(asJSON.String()), &back); err != nil || Check(asJSON.String()) != nil {
				t.Errorf("%q in pieces of %d: %q, %v", text, size, asJSON.String(), err)
			}
			if json.Unmarshal(quoted, &plain) != nil || back != plain {
				t.Errorf("%q becomes %q", plain, back)
			}
		}
	}
}
