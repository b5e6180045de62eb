package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Raw is one JSON value that is known to be valid, as it is written. What is in it is found without copying it, and
// without checking it again.
type Raw []byte

// Check returns data as one value when it is one. Errors are those of encoding/json or *Error.
func Check(data []byte) (Raw, error) {
	if json.Valid(data) {
		return Raw(bytes.TrimSpace(data)), nil
	}
	var v any
	err := json.Unmarshal(data, &v)
	if err == nil {
		err = errors.New("not valid JSON")
	}
	if strings.Contains(err.Error(), "after top-level value") {
		return nil, &Error{Reason: reasonFollows}
	}
	return nil, err
}

// Members calls f for every member of an object, in order, until f returns an error. It refuses a name that occurs
// twice; the Path of that *Error is the name.
func (r Raw) Members(f func(name string, value Raw) error) error {
	if r[0] != '{' {
		return &Error{Reason: "not an object"}
	}
	var seen names
	for i := skipSpace(r, 1); r[i] != '}'; {
		end := valueEnd(r, i)
		name, err := unquote(r[i:end])
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return &Error{name, reasonTwice}
		}
		i = skipSpace(r, skipSpace(r, end)+1) // the colon
		end = valueEnd(r, i)
		if err := f(name, r[i:end:end]); err != nil {
			return err
		}
		i = next(r, end)
	}
	return nil
}

// Elements calls f for every element of an array, in order, until f returns an error.
func (r Raw) Elements(f func(value Raw) error) error {
	if r[0] != '[' {
		return &Error{Reason: "not an array"}
	}
	for i := skipSpace(r, 1); r[i] != ']'; {
		end := valueEnd(r, i)
		if err := f(r[i:end:end]); err != nil {
			return err
		}
		i = next(r, end)
	}
	return nil
}

// names are those seen in an object. Few are compared one by one.
type names struct {
	few []string
	all map[string]bool
}

const namesFew = 32

func (n *names) add(name string) bool {
	if n.all == nil {
		for _, s := range n.few {
			if s == name {
				return false
			}
		}
		if n.few = append(n.few, name); len(n.few) < namesFew {
			return true
		}
		n.all = map[string]bool{}
		for _, s := range n.few {
			n.all[s] = true
		}
		return true
	}
	if n.all[name] {
		return false
	}
	n.all[name] = true
	return true
}

// unquote reads a string.
func unquote(text []byte) (string, error) {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err
}

// next is where the next element begins, or the list ends, after an element that ends at i.
func next(b []byte, i int) int {
	if i = skipSpace(b, i); b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// valueEnd is where a value that begins at i ends.
func valueEnd(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default: // a number or a word
			for i < len(b) && strings.IndexByte(",:]} \t\n\r", b[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// stringEnd is where a string that begins at i ends.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}
