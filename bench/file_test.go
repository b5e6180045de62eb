package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// contract is the format as the design has it, with a member of each object.
const contract = `{"version": 1,
 "machine": {"cpu": "...", "cores": 2, "features": ["avx512ifma", "adx"], "go": "go1.26", "commit": "...", "multiply_limit_per_ns": 7.3},
 "results": [{"impl": "cipherfold", "kernel": "ifma", "op": "encrypt", "variant": "djn", "role": "public", "bits": 2048, "threads": 1,
              "ops_per_s": {"min": 1, "median": 2, "max": 3}, "ratio": {"gmp": 1, "math/big": 1}, "of_limit": 0.5}],
 "pipeline": [{"layout": "blocks", "variant": "djn", "bits": 2048, "rows": 1000000, "owners": 2, "stage": "encrypt",
               "seconds": 1, "values_per_s": 1, "peak_rss_mib": 1, "kernel_share": 0.5}]}`

// shape lists the paths of all fields of a JSON value; the keys of a ratio are data, not fields.
func shape(path string, v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		if strings.HasSuffix(path, ".ratio") {
			return []string{path}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, shape(path+"."+k, v[k])...)
		}
	case []any:
		for _, x := range v {
			out = append(out, shape(path+"[]", x)...)
		}
	default:
		out = []string{fmt.Sprintf("%s %T", path, v)}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func shapeOf(t *testing.T, data []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return shape("", v)
}

// TestFormat holds files to the contract: what we write has exactly its fields, also where they are empty.
func TestFormat(t *testing.T) {
	f, err := ReadFile([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	want := shapeOf(t, []byte(contract))
	if got := shapeOf(t, f.Marshal()); !slices.Equal(got, want) {
		t.Errorf("written again it has\n%q, the contract has\n%q", got, want)
	}
	empty := &File{Version: 1, Machine: Machine{Features: []string{"x"}}, Results: []Result{{Ratio: map[string]float64{}}}, Pipeline: []Stage{{}}}
	if got := shapeOf(t, empty.Marshal()); !slices.Equal(got, want) {
		t.Errorf("with empty fields it has\n%q, the contract has\n%q", got, want)
	}
	again, err := ReadFile(f.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Marshal()) != string(f.Marshal()) {
		t.Error("reading and writing changes a file")
	}
}

func TestReadFileRefuses(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"another version", `"version": 1`, `"version": 2`, "version 2 of result files"},
		{"an unknown field", `"cores": 2`, `"cores": 2, "sockets": 1`, "sockets"},
		{"more than one value", `0.5}]}`, `0.5}]} {}`, "text after"},
		{"an unknown operation", `"encrypt", "variant"`, `"guess", "variant"`, `no operation "guess"`},
		{"an unknown variant", `"djn", "role"`, `"rsa", "role"`, `variant "rsa"`},
		{"an unknown role", `"public"`, `"thief"`, `role "thief"`},
		{"a median outside the range", `"median": 2`, `"median": 4`, "reaches {1 4 3}"},
		{"a rate of nothing", `"min": 1`, `"min": 0`, "reaches {0 2 3}"},
		{"no implementation", `"cipherfold"`, `""`, `"" with`},
		{"an unknown stage", `"stage": "encrypt"`, `"stage": "lunch"`, `no stage "lunch"`},
		{"an unknown layout", `"blocks"`, `"piles"`, `layout "piles"`},
		{"no time", `"seconds": 1`, `"seconds": 0`, "0 s"},
		{"no JSON", `{"version"`, `version`, "invalid"},
	} {
		if !strings.Contains(contract, test.old) {
			t.Fatalf("%s: nothing to replace", test.name)
		}
		_, err := ReadFile([]byte(strings.Replace(contract, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}
