package column

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

func candidate(name string) Candidate {
	return Candidate{Field: arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64}}
}

func TestChoose(t *testing.T) {
	nested := func(name string) Candidate {
		c := candidate(name)
		c.Nested = true
		return c
	}
	odd := func(name string) Candidate {
		c := candidate(name)
		c.Err, c.Type = errors.New("columns of type map cannot be read"), "map"
		return c
	}
	have := []Candidate{candidate("id"), odd("m"), nested("a.b"), nested("a.c"), candidate("a.c"), candidate("x"), candidate("x"), nested("s.t"), nested("s.t"), candidate(""), candidate(""), candidate("")}
	structs := map[string][]string{"a": {"a.b", "a.c"}, "s": {"s.t", "s.t"}, "empty": {}}
	for _, c := range []struct{ wanted, at, err string }{
		{"id", "[0]", ""},
		{"a.b,id", "[2 0]", ""},
		{"a.c", "[4]", ""},
		{"m", "", `f: column "m": columns of type map cannot be read`},
		{"id,m", "", `column "m"`},
		{"a", "", `"a" is a structure of 2 fields`},
		{"empty", "", `"empty" is a structure without fields`},
		{"x", "", `columns 6 and 7 are both called "x"`},
		{"s.t", "", `are both called "s.t"`},
		{"id,id", "", "is asked for twice"},
		{"nothing", "", "no such column"},
	} {
		got, err := Choose("f", have, structs, strings.Split(c.wanted, ","))
		if c.err != "" {
			var e *InputError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.err) || e.Hint == "" || e.File != "f" {
				t.Errorf("%s: %v (%+v), want %q", c.wanted, err, e, c.err)
			}
			continue
		}
		if err != nil || fmt.Sprint(got.At) != c.at || got.Err != nil || strings.Join(Names(got.Schema), ",") != c.wanted {
			t.Errorf("%s: %+v, %v", c.wanted, got, err)
		}
	}
	got, err := Choose("f", have, structs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(Names(got.Schema), ","); names != "id,m,a.b,a.c,x,x,s.t,,," || fmt.Sprint(got.At) != "[0 1 2 4 5 6 7 9 10 11]" {
		t.Errorf("%s, %v", names, got.At)
	}
	if got.Err == nil || got.Err.Error() != `f: column "m": columns of type map cannot be read` {
		t.Error(got.Err)
	}
	for _, f := range got.Schema.Fields() {
		bad := f.Name == "m" || f.Name == "x" || f.Name == "s.t" || f.Name == ""
		if err := CheckReadable("f", f); (err != nil) != bad {
			t.Errorf("%q: %v", f.Name, err)
		}
		if f.Name == "m" && TypeName(f) != "map" || f.Name == "id" && TypeName(f) != "int64" {
			t.Errorf("%q is of type %s", f.Name, TypeName(f))
		}
	}
	if err := CheckReadable("f", got.Schema.Field(7)); !strings.Contains(err.Error(), "columns 10 to 12 have no name") {
		t.Error(err)
	}
	r := Refusing("f", got.Schema, got.Err)
	if _, err := r.Read(ctx); err != got.Err || FileOf(r) != "f" || r.Schema() != got.Schema {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(ctx); !errors.Is(err, errClosed) {
		t.Error(err)
	}
	// Names that are missing here and there, and only one that is.
	got, err = Choose("f", []Candidate{candidate(""), candidate("a"), candidate(""), candidate("")}, nil, nil)
	if err != nil || !strings.Contains(got.Err.Error(), "3 columns have no name, of which columns 1 and 3") {
		t.Errorf("%v, %v", got.Err, err)
	}
	if got, err = Choose("f", []Candidate{candidate("a"), candidate("")}, nil, nil); err != nil || got.Err != nil {
		t.Errorf("%v, %v", got.Err, err)
	}
}
