package strictjson

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	o, err := Parse([]byte(`{"s": "x y", "i": -12, "b": true, "n": null, "o": {"k": 0}, "a": [1, "2", [true]]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := o.Text("s"); err != nil || s != "x y" {
		t.Error(s, err)
	}
	if i, err := o.Int("i"); err != nil || i != -12 {
		t.Error(i, err)
	}
	if b, err := o.Bool("b"); err != nil || !b {
		t.Error(b, err)
	}
	if v, err := o.Take("n"); err != nil || !v.IsNull() {
		t.Error(v, err)
	}
	if err := o.Done(); err == nil || err.Error() != "o: unknown" {
		t.Error("Done:", err)
	}
	inner, err := o.Object("o")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inner.Text("k"); err == nil || err.Error() != "o.k: not a string" {
		t.Error(err)
	}
	if _, err := inner.Text("missing"); err == nil || err.Error() != "o.missing: missing" {
		t.Error(err)
	}
	a, err := o.Array("a")
	if err != nil || len(a) != 3 {
		t.Fatal(a, err)
	}
	if _, err := a[2].Object(); err == nil || err.Error() != "a[2]: not an object" {
		t.Error(err)
	}
	if a[1].Path() != "a[1]" {
		t.Error(a[1].Path())
	}
	if err := o.Done(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(o.Names(), ","); got != "s,i,b,n,o,a" {
		t.Error(got)
	}
	if !o.Has("a") || o.Has("A") {
		t.Error("Has must compare names exactly")
	}
}

func TestKinds(t *testing.T) {
	o, err := Parse([]byte(`{"s": "x", "i": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"int":    second(o.Int("s")),
		"bool":   second(o.Bool("s")),
		"object": second(o.Object("s")),
		"array":  second(o.Array("s")),
		"text":   second(o.Text("i")),
		"m int":  second(o.Int("m")),
		"m bool": second(o.Bool("m")),
		"m obj":  second(o.Object("m")),
		"m arr":  second(o.Array("m")),
	} {
		if err == nil {
			t.Error(name, "accepted")
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRefused(t *testing.T) {
	for _, doc := range []string{
		``, `[]`, `1`, `{"a": 1`, `{"a": 1,}`, `{"a": 1} {}`, `{"a" 1}`, `{'a': 1}`, `{"a": 1}x`,
		`{"a": 1, "a": 2}`, `{"o": {"a": 1, "b": 2, "a": 1}}`, `{"a": "\u0061"}`, `{"\u0061": 1}`, "{\"a\": \"\xff\"}",
		"{\"a\": \"é\"}", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
		`{"a":` + strings.Repeat(`[`, 20) + strings.Repeat("]", 20) + "}",
	} {
		if _, err := Parse([]byte(doc)); err == nil {
			t.Errorf("accepted %s", doc)
		}
	}
	for _, n := range []string{"-0", "1.0", "1e3", "1E0", "9223372036854775808", "0.5"} {
		o, err := Parse([]byte(`{"n": ` + n + `}`))
		if err != nil {
			t.Fatal(n, err)
		}
		if _, err := o.Int("n"); err == nil {
			t.Errorf("accepted the number %s", n)
		}
	}
}

func TestAnyText(t *testing.T) {
	o, err := ParseAnyText([]byte(`{"kid": "Schl\u00fcssel \"1\""}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := o.Text("kid"); err != nil || s != `Schlüssel "1"` {
		t.Error(s, err)
	}
}
