package ctfile

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/column"
)

// noised is noise as a footer has it.
func noised() object {
	return object{"place": "share", "mechanism": "discrete-gaussian", "epsilon": "", "delta": "1/1000000", "rho": "1/2", "records": 3, "counts": "noisy",
		"owners": 5, "honest": 4, "quiet": 1, "shares": []string{"0123456789abcdef", "a1"}, "groups": []string{"gene"},
		"quantities": []any{
			object{"name": "tpm", "sensitivity": "1000000", "parameter": "123/7", "tail": "12345", "tables": 4},
			object{"name": "tpm_count", "sensitivity": "1", "parameter": "9", "tail": "100", "tables": 4, "x_note": "ignored"},
		}}
}

func TestNoise(t *testing.T) {
	f := forge(t, blocksTable())
	f.table["noise"], f.table["weight_max"] = noised(), 7
	r, err := Open(ctx, memFS(f.bytes(t)), "f", column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	table := r.Table()
	want := &Noise{Place: "share", Mechanism: "discrete-gaussian", Delta: "1/1000000", Rho: "1/2", Records: 3, Counts: "noisy", Owners: 5, Honest: 4, Quiet: 1,
		Shares: []string{"0123456789abcdef", "a1"}, Groups: []string{"gene"}, Quantities: []NoisyQuantity{{"tpm", "1000000", "123/7", "12345", 4}, {"tpm_count", "1", "9", "100", 4}}}
	if !reflect.DeepEqual(table.Noise, want) || table.WeightMax != 7 {
		t.Errorf("%+v, weight %d", table.Noise, table.WeightMax)
	}
	c := table.clone()
	c.Noise.Quantities[0].Name, c.Noise.Groups[0], c.Noise.Shares[0] = "other", "other", "other"
	if !reflect.DeepEqual(table.Noise, want) {
		t.Error("a clone shares its noise")
	}
}

func TestNoiseRefused(t *testing.T) {
	quantity := func(n object) object { return n["quantities"].([]any)[0].(object) }
	for _, c := range []struct {
		want   string
		tamper func(n object)
	}{
		{`place "orbit" is not known`, func(n object) { n["place"] = "orbit" }},
		{`mechanism "" is not known`, func(n object) { delete(n, "mechanism") }},
		{`treatment of counts "secret" is not known`, func(n object) { n["counts"] = "secret" }},
		{`records is 0`, func(n object) { n["records"] = 0 }},
		{`0 honest of 5 owners`, func(n object) { n["honest"] = 0 }},
		{`6 honest of 5 owners`, func(n object) { n["honest"] = 6 }},
		{`4 honest of 5 owners`, func(n object) { n["place"] = "local" }},
		{`-1 tables without`, func(n object) { n["quiet"] = -1 }},
		{`has a control character`, func(n object) { n["groups"] = []string{"a\nb"} }},
		{`two are called "a1"`, func(n object) { n["shares"] = []string{"a1", "b2", "a1"} }},
		{`has a control character`, func(n object) { n["shares"] = []string{"a\x01"} }},
		{`shares of noise that is local`, func(n object) { n["place"] = "local"; delete(n, "honest"); delete(n, "owners") }},
		{`the rho is ""`, func(n object) { n["rho"] = "" }},
		{`the rho is "0/1"`, func(n object) { n["rho"] = "0/1" }},
		{`the delta is "1e-6"`, func(n object) { n["delta"] = "1e-6" }},
		{`the epsilon is "-1"`, func(n object) { n["epsilon"] = "-1" }},
		{`the parameter of tpm is`, func(n object) { quantity(n)["parameter"] = strings.Repeat("1", 201) }},
		{`the tail of tpm is "many"`, func(n object) { quantity(n)["tail"] = "many" }},
		{`the sensitivity of tpm is ""`, func(n object) { delete(quantity(n), "sensitivity") }},
		{`noise on "HR", which is no measure`, func(n object) { quantity(n)["name"] = "HR" }},
		{`two are called "tpm_count"`, func(n object) { quantity(n)["name"] = "tpm_count" }},
		{`noise on "tpm" of 0 tables`, func(n object) { quantity(n)["tables"] = 0 }},
		{`noise on no measure`, func(n object) { n["quantities"] = []any{} }},
		{`no list of quantities`, func(n object) { delete(n, "quantities") }},
		{`the list is "ab"`, func(n object) { n["list"] = "ab" }},
		{`digest of the list "xor" is not known`, func(n object) { n["list"], n["list_digest"] = strings.Repeat("ab", 32), "xor" }},
		{`a digest of a list, and no list`, func(n object) { n["list_digest"] = ListSorted }},
		{`unknown field "seed" of noise`, func(n object) { n["seed"] = 1 }},
		{`unknown field "Tail" of noise`, func(n object) { quantity(n)["Tail"] = "1" }},
	} {
		f := forge(t, blocksTable())
		n := noised()
		c.tamper(n)
		f.table["noise"] = n
		if _, err := readBytes(f.bytes(t), column.ReadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	f := forge(t, blocksTable())
	f.table["noise"] = "much"
	if _, err := readBytes(f.bytes(t), column.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "the footer's noise") {
		t.Errorf("noise that is no object: %v", err)
	}
	f = forge(t, blocksTable())
	f.table["weight_max"] = -1
	if _, err := readBytes(f.bytes(t), column.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "weight_max is -1") {
		t.Errorf("a negative weight: %v", err)
	}
}
