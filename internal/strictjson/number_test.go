package strictjson

import "testing"

// Number returns numbers as they are written, and nothing else.
func TestNumber(t *testing.T) {
	o, err := Parse([]byte(`{"a": -1.50, "b": 1e+16, "c": "1", "d": null}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "-1.50", "b": "1e+16", "c": "", "d": ""} {
		v, err := o.Take(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.Number(); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
