package strictjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode reads one document into *v as json.Unmarshal does. Beyond that it refuses a name that v has no field for or
// spells differently, a name that occurs twice in one object, and text after the document. Errors are those of
// encoding/json or *Error.
func Decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return &Error{Reason: reasonFollows}
	}
	return checkNames(json.NewDecoder(bytes.NewReader(data)), reflect.TypeOf(v), "")
}

// Members returns the members of one object as they are written. It refuses a name that occurs twice and text after the
// object, but does not look into the members. The Path of an *Error is the member's name.
func Members(data []byte) (map[string]json.RawMessage, error) {
	r, err := Check(data)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	return members, r.Members(func(name string, value Raw) error {
		members[name] = json.RawMessage(value)
		return nil
	})
}

// checkNames reads a value that Decode has read into a t. t is nil where any name may stand.
func checkNames(d *json.Decoder, t reflect.Type, path string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	t = plainType(t)
	if open == '[' {
		var element reflect.Type
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			element = t.Elem()
		}
		for i := 0; d.More(); i++ {
			if err := checkNames(d, element, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	} else if err := checkMembers(d, t, path); err != nil {
		return err
	}
	_, err = d.Token()
	return err
}

// checkMembers reads the members of an object.
func checkMembers(d *json.Decoder, t reflect.Type, path string) error {
	var fields map[string]reflect.Type // nil: any name may stand here
	var element reflect.Type
	if t != nil && t.Kind() == reflect.Struct {
		fields = map[string]reflect.Type{}
		addFields(fields, t)
	} else if t != nil && t.Kind() == reflect.Map {
		element = t.Elem()
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name := key.(string) // nothing else can be a key
		where := join(path, name)
		if seen[name] {
			return &Error{where, reasonTwice}
		}
		seen[name] = true
		member := element
		if fields != nil {
			if member = fields[name]; member == nil {
				return &Error{where, reasonUnknown}
			}
		}
		if err := checkNames(d, member, where); err != nil {
			return err
		}
	}
	return nil
}

// plainType follows pointers. It returns nil for interfaces and for types that read their JSON themselves.
func plainType(t reflect.Type) reflect.Type {
	for t != nil {
		if reflect.PointerTo(t).Implements(unmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler) || t.Kind() == reflect.Interface {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// addFields adds the names that encoding/json knows for the fields of a struct, those of embedded structs last.
func addFields(fields map[string]reflect.Type, t reflect.Type) {
	var embedded []reflect.Type
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			embedded = append(embedded, inner)
			continue
		}
		if name == "" {
			name = f.Name
		}
		if _, there := fields[name]; f.IsExported() && !there {
			fields[name] = f.Type
		}
	}
	for _, inner := range embedded {
		addFields(fields, inner)
	}
}
