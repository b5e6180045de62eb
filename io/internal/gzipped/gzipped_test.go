package gzipped

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func packed(texts ...string) []byte {
	var b bytes.Buffer
	for _, t := range texts {
		w := gzip.NewWriter(&b)
		io.WriteString(w, t)
		w.Close()
	}
	return b.Bytes()
}

func read(src io.Reader) (string, error) {
	r, err := NewReader(src, 4096)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	return string(out), err
}

func TestRead(t *testing.T) {
	long := strings.Repeat("some text ", 100_000)
	zeros := make([]byte, 10_000)
	for name, c := range map[string]struct {
		data []byte
		text string
		err  error
	}{
		"one":                {packed("abc"), "abc", nil},
		"nothing in it":      {packed(""), "", nil},
		"several":            {packed("abc", "", long, "d"), "abc" + long + "d", nil},
		"zeros after":        {append(packed("abc"), zeros...), "abc", nil},
		"a zero after":       {append(packed("abc", "d"), 0), "abcd", nil},
		"zeros, then not":    {append(append(packed("abc"), zeros...), 1), "abc", ErrTrailing},
		"text after":         {append(packed("abc"), "more"...), "abc", ErrTrailing},
		"a byte after":       {append(packed("abc"), 'x'), "abc", ErrTrailing},
		"half a magic after": {append(packed("abc"), 0x1f), "abc", ErrTruncated},
		"another after":      {append(packed("abc"), 0x1f, 0x9d, 1, 2), "abc", ErrTrailing},
		"cut":                {packed(long)[:len(packed(long))/2], "", ErrTruncated},
		"cut at its end":     {packed("abc")[:len(packed("abc"))-1], "abc", ErrTruncated},
		"cut in the second":  {append(packed("abc"), packed("defg")[:12]...), "abc", ErrTruncated},
		"head alone":         {packed("abc")[:10], "", ErrTruncated},
		"two bytes":          {[]byte{0x1f, 0x8b}, "", ErrTruncated},
		"one byte":           {[]byte{0x1f}, "", ErrTruncated},
		"nothing":            {nil, "", ErrTruncated},
		"text":               {[]byte("id,x\n1,2\n"), "", ErrNot},
		"short text":         {[]byte("i"), "", ErrNot},
		"another method":     {[]byte{0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0, 0}, "", ErrDamaged},
	} {
		for _, slow := range []bool{false, true} {
			var src io.Reader = bytes.NewReader(c.data)
			if slow {
				src = iotest.OneByteReader(src)
			}
			got, err := read(src)
			if !errors.Is(err, c.err) || c.err == nil && err != nil || !strings.HasPrefix(got, c.text) || c.err == nil && got != c.text {
				t.Errorf("%s: %d bytes, %v, want %v", name, len(got), err, c.err)
			}
		}
	}
	flipped := packed(long)
	flipped[len(flipped)-6] ^= 1
	if _, err := read(bytes.NewReader(flipped)); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := read(io.MultiReader(bytes.NewReader(packed(long)[:len(packed(long))/2]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := read(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
