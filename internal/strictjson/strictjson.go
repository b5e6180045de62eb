// Package strictjson reads JSON documents that must have one meaning only. It differs from encoding/json in that names
// are compared exactly and that an unknown name, a repeated name and text after the document are errors.
//
// [Decode] reads a document into a Go value. [Members] reads one object for a caller that knows which further names to
// allow.
//
// [Parse] reads key files and known answers, of which no byte may change unnoticed. Numbers are integers written
// canonically. Text is printable ASCII without escapes (unless [ParseAnyText] reads it). Every member must be asked
// for: [Object.Done] names those that were not.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Reasons of an Error that stand in several places.
const (
	reasonFollows = "text after the end of the document"
	reasonTwice   = "occurs twice"
	reasonUnknown = "unknown"
)

// depthMax bounds the nesting of a document that Parse reads.
const depthMax = 16

// Error says what is wrong with a document and where.
type Error struct {
	Path   string // of the value, such as encrypt[3].r; empty for the document
	Reason string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Value is a value of a document.
type Value struct {
	path string
	v    any // *Object, []Value, string, json.Number, bool or nil
}

// Object is a JSON object whose members are taken one after the other.
type Object struct {
	path    string
	names   []string // in file order
	members map[string]Value
	taken   map[string]bool
}

// Parse reads a document that is one object.
func Parse(data []byte) (*Object, error) {
	for i, c := range data {
		if c == '\\' || c > '~' {
			return nil, &Error{Reason: fmt.Sprintf("byte %d is an escape or not ASCII", i)}
		}
	}
	return ParseAnyText(data)
}

// ParseAnyText is Parse for a document whose strings may hold escapes and any text.
func ParseAnyText(data []byte) (*Object, error) {
	if !json.Valid(data) {
		var v any
		err := json.Unmarshal(data, &v)
		if err == nil {
			err = errors.New("not valid JSON")
		}
		return nil, &Error{Reason: "not JSON: " + err.Error()}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parse(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &Error{Reason: reasonFollows}
	}
	return v.Object()
}

func parse(d *json.Decoder, path string, depth int) (Value, error) {
	if depth > depthMax {
		return Value{}, &Error{path, "nested too deeply"}
	}
	t, err := d.Token()
	if err != nil {
		return Value{}, &Error{path, "not JSON: " + err.Error()}
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return parseArray(d, path, depth)
		}
		return parseObject(d, path, depth)
	default:
		return Value{path, t}, nil
	}
}

func parseArray(d *json.Decoder, path string, depth int) (Value, error) {
	list := []Value{}
	for d.More() {
		v, err := parse(d, fmt.Sprintf("%s[%d]", path, len(list)), depth+1)
		if err != nil {
			return Value{}, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return Value{path, list}, err
}

func parseObject(d *json.Decoder, path string, depth int) (Value, error) {
	o := &Object{path: path, members: map[string]Value{}, taken: map[string]bool{}}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return Value{}, &Error{path, "not JSON: " + err.Error()}
		}
		name := t.(string) // the document is valid JSON
		v, err := parse(d, join(path, name), depth+1)
		if err != nil {
			return Value{}, err
		}
		if _, dup := o.members[name]; dup {
			return Value{}, &Error{join(path, name), reasonTwice}
		}
		o.names = append(o.names, name)
		o.members[name] = v
	}
	_, err := d.Token()
	return Value{path, o}, err
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Names lists the members in file order.
func (o *Object) Names() []string { return o.names }

// Has says whether there is a member of that name.
func (o *Object) Has(name string) bool {
	_, ok := o.members[name]
	return ok
}

// Take returns a member, which must exist.
func (o *Object) Take(name string) (Value, error) {
	v, ok := o.members[name]
	if !ok {
		return Value{}, &Error{join(o.path, name), "missing"}
	}
	o.taken[name] = true
	return v, nil
}

// Text takes a member that is a string.
func (o *Object) Text(name string) (string, error) {
	v, err := o.Take(name)
	if err != nil {
		return "", err
	}
	return v.Text()
}

// Int takes a member that is an integer.
func (o *Object) Int(name string) (int64, error) {
	v, err := o.Take(name)
	if err != nil {
		return 0, err
	}
	return v.Int()
}

// Bool takes a member that is true or false.
func (o *Object) Bool(name string) (bool, error) {
	v, err := o.Take(name)
	if err != nil {
		return false, err
	}
	return v.Bool()
}

// Object takes a member that is an object.
func (o *Object) Object(name string) (*Object, error) {
	v, err := o.Take(name)
	if err != nil {
		return nil, err
	}
	return v.Object()
}

// Array takes a member that is an array.
func (o *Object) Array(name string) ([]Value, error) {
	v, err := o.Take(name)
	if err != nil {
		return nil, err
	}
	return v.Array()
}

// Done returns an error that names the first member that was not taken.
func (o *Object) Done() error {
	for _, name := range o.names {
		if !o.taken[name] {
			return &Error{join(o.path, name), reasonUnknown}
		}
	}
	return nil
}

// Path is where the value stands in its document.
func (v Value) Path() string { return v.path }

// IsNull says whether the value is null.
func (v Value) IsNull() bool { return v.v == nil }

// Text returns a string.
func (v Value) Text() (string, error) {
	s, ok := v.v.(string)
	if !ok {
		return "", &Error{v.path, "not a string"}
	}
	return s, nil
}

// Int returns an integer without exponent, fraction or needless sign that fits 64 bits.
func (v Value) Int() (int64, error) {
	n, ok := v.v.(json.Number)
	if !ok {
		return 0, &Error{v.path, "not a number"}
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || strconv.FormatInt(i, 10) != n.String() {
		return 0, &Error{v.path, fmt.Sprintf("%.40q is not an integer of 64 bits in canonical form", n.String())}
	}
	return i, nil
}

// Integer returns an integer of any size, written canonically.
func (v Value) Integer() (string, error) {
	n, ok := v.v.(json.Number)
	if !ok {
		return "", &Error{v.path, "not a number"}
	}
	s := n.String()
	if digits := strings.TrimPrefix(s, "-"); strings.Trim(digits, "0123456789") != "" || s == "-0" {
		return "", &Error{v.path, fmt.Sprintf("%.40q is not an integer in canonical form", s)}
	}
	return s, nil
}

// Number returns a number of any kind, as it is written.
func (v Value) Number() (string, error) {
	n, ok := v.v.(json.Number)
	if !ok {
		return "", &Error{v.path, "not a number"}
	}
	return n.String(), nil
}

// Bool returns true or false.
func (v Value) Bool() (bool, error) {
	b, ok := v.v.(bool)
	if !ok {
		return false, &Error{v.path, "not true or false"}
	}
	return b, nil
}

// Object returns an object.
func (v Value) Object() (*Object, error) {
	o, ok := v.v.(*Object)
	if !ok {
		return nil, &Error{v.path, "not an object"}
	}
	return o, nil
}

// Array returns the elements of an array.
func (v Value) Array() ([]Value, error) {
	a, ok := v.v.([]Value)
	if !ok {
		return nil, &Error{v.path, "not an array"}
	}
	return a, nil
}
