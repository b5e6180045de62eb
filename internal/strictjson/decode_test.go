package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Depth int `json:"depth"`
}

type document struct {
	inner
	Name   string                `json:"name"`
	N      int                   `json:"N"`
	Plain  int                   // without a tag
	Hidden int                   `json:"-"`
	List   []inner               `json:"list"`
	Two    [2]inner              `json:"two"`
	Deep   map[string][]*inner   `json:"deep"`
	Any    any                   `json:"any"`
	Raw    json.RawMessage       `json:"raw"`
	When   time.Time             `json:"when"`
	Next   *document             `json:"next"`
	Free   map[string]any        `json:"free"`
	Times  map[string]*time.Time `json:"times"`
}

func TestDecode(t *testing.T) {
	var d document
	err := Decode([]byte(` {"depth": 1, "name": "x", "N": 2, "Plain": 3, "list": [{"depth": 5}, {}], "two": [{}, {"depth": 6}],
		"deep": {"Any name": [{"depth": 7}, null]}, "any": {"Depth": [{"a": 1}]}, "raw": {"A": 1, "a": 2}, "when": "2024-01-02T03:04:05Z",
		"next": {"name": "y", "next": null}, "free": {"b": {"B": 1}}, "times": {"t": "2024-01-02T03:04:05Z"}} `), &d)
	if err != nil {
		t.Fatal(err)
	}
	if d.Depth != 1 || d.N != 2 || d.Plain != 3 || d.List[0].Depth != 5 || d.Two[1].Depth != 6 || d.Deep["Any name"][0].Depth != 7 || d.Next.Name != "y" {
		t.Errorf("%+v", d)
	}
	var list []inner
	if err := Decode([]byte(`[{"depth": 1}]`), &list); err != nil || list[0].Depth != 1 {
		t.Error(list, err)
	}
	var i int
	if err := Decode([]byte(` 7 `), &i); err != nil || i != 7 {
		t.Error(i, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{`{"name": "x"} {}`, "text after the end"},
		{`{"name": "x"}]`, "text after the end"},
		{`{"nome": "x"}`, `unknown field "nome"`},
		{`{"Name": "x"}`, "Name: unknown"},
		{`{"n": 1}`, "n: unknown"},
		{`{"plain": 1}`, "plain: unknown"},
		{`{"Depth": 1}`, "Depth: unknown"},
		{`{"Hidden": 1}`, `unknown field "Hidden"`},
		{`{"name": "x", "name": "x"}`, "name: occurs twice"},
		{`{"list": [{}, {"DEPTH": 1}]}`, "list[1].DEPTH: unknown"},
		{`{"two": [{"depth": 1, "depth": 1}]}`, "two[0].depth: occurs twice"},
		{`{"deep": {"k": [], "k": []}}`, "deep.k: occurs twice"},
		{`{"deep": {"k": [{"Depth": 1}]}}`, "deep.k[0].Depth: unknown"},
		{`{"any": {"a": [{"b": 1, "b": 2}]}}`, "any.a[0].b: occurs twice"},
		{`{"raw": {"a": 1, "a": 2}}`, "raw.a: occurs twice"},
		{`{"next": {"next": {"Next": null}}}`, "next.next.Next: unknown"},
		{`{"free": {"a": {"b": 1, "b": 1}}}`, "free.a.b: occurs twice"},
		{`{"\u006eame": "x", "name": "y"}`, "name: occurs twice"},
		{`{"name": 1}`, "cannot unmarshal number"},
	} {
		var d document
		if err := Decode([]byte(test.document), &d); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.document, err, test.want)
		}
	}
	// Callers tell a document that ends too early by these.
	if err := Decode(nil, new(document)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := Decode([]byte(`{"name": "x"`), new(document)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestMembers(t *testing.T) {
	members, err := Members([]byte(`{"a": [1, {"x": 1, "x": 2}], "B": "b"}`))
	if err != nil || len(members) != 2 || string(members["a"]) != `[1, {"x": 1, "x": 2}]` || string(members["B"]) != `"b"` {
		t.Errorf("%s, %v", members, err)
	}
	for _, test := range []struct{ document, want string }{
		{``, "unexpected end"}, {`[]`, "not an object"}, {`"x"`, "not an object"}, {`{"a": 1`, "unexpected end"}, {`{"a": }`, "invalid character"}, {`{"a": 1,}`, "invalid character"},
		{`{"a": 1, "a": 1}`, "a: occurs twice"}, {`{"a": 1} {}`, "text after the end"}, {`{"a": 1} x`, "text after the end"},
	} {
		if members, err := Members([]byte(test.document)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, error %v, want %q", test.document, members, err, test.want)
		}
	}
}

// What Decode accepts means the same to json.Unmarshal, and no name in it occurs twice.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name": "x"}`, `{"Name": "x"}`, `{"deep": {"k": [{"depth": 1}]}}`, `{"any": {"b": 1, "b": 2}}`, `[{}]`, `{"name": "x"} {}`, `{"raw": {"a": [`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, plain document
		err := Decode(data, &strict)
		if err == nil {
			if err := json.Unmarshal(data, &plain); err != nil {
				t.Fatalf("encoding/json refuses it: %v", err)
			}
			a, _ := json.Marshal(strict)
			b, _ := json.Marshal(plain)
			if string(a) != string(b) {
				t.Fatalf("%s and %s", a, b)
			}
		}
		if members, err := Members(data); err == nil {
			var want map[string]json.RawMessage
			if err := json.Unmarshal(data, &want); err != nil || len(want) != len(members) {
				t.Fatalf("%d members; encoding/json finds %d, %v", len(members), len(want), err)
			}
			for name, value := range want {
				if string(members[name]) != string(value) {
					t.Fatalf("%q is %s; encoding/json finds %s", name, members[name], value)
				}
			}
		}
	})
}

// Members finds in valid JSON what encoding/json finds.
func TestMembersOfAnyForm(t *testing.T) {
	for _, document := range []string{
		`{}`, ` { } `, "{\"a\"\t:\n[ ]\r,\"b\":{}}", `{"":0}`, `{"a\"b":"c\\","d":"}]{[,:"}`, `{"\u0061":1,"b":-1.5e+3,"c":true,"d":null,"e":false}`,
		`{"deep":[[[{"x":["]"]}]],{"y":"\\\""}],"last":"x"}`, "{\"bad \xff\":1}", `{"é":"é","\ud83d\ude00":[1,2]}`,
	} {
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		got, err := Members([]byte(document))
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %q, %v", document, got, err)
		}
		for name := range want {
			if string(got[name]) != string(want[name]) {
				t.Errorf("%s: %q is %s, want %s", document, name, got[name], want[name])
			}
		}
	}
	var many strings.Builder
	for i := range 3 * namesFew {
		fmt.Fprintf(&many, `,"n%d":%d`, i, i)
	}
	if members, err := Members([]byte("{" + many.String()[1:] + "}")); err != nil || len(members) != 3*namesFew {
		t.Errorf("%d members, %v", len(members), err)
	}
	for _, again := range []int{0, namesFew - 1, namesFew, 3*namesFew - 1} {
		if _, err := Members([]byte(fmt.Sprintf(`{%s,"n%d":0}`, many.String()[1:], again))); err == nil || !strings.Contains(err.Error(), "occurs twice") {
			t.Errorf("n%d twice: %v", again, err)
		}
	}
}
