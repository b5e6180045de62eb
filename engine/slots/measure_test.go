package slots

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

func TestParseMeasure(t *testing.T) {
	for spec, want := range map[string]Measure{
		"tpm":                       {Name: "tpm"},
		"tpm:decimals=1":            {Name: "tpm", Decimals: 1},
		"tpm:decimals=1:max=6520.5": {Name: "tpm", Decimals: 1, Bound: 65205},
		"tpm:max=100:decimals=2":    {Name: "tpm", Decimals: 2, Bound: 10000},
		"BJ hTERT+ SV40 Large T+":   {Name: "BJ hTERT+ SV40 Large T+"},
		"22:16050075:A:G:max=5008":  {Name: "22:16050075:A:G", Bound: 5008},
		"a=b":                       {Name: "a=b"},
		"*:decimals=1":              {Name: "*", Decimals: 1},
		"v:max=9223372036854775807": {Name: "v", Bound: math.MaxInt64},
	} {
		if got, err := ParseMeasure(spec); err != nil || got != want {
			t.Errorf("ParseMeasure(%q) = %+v, %v; want %+v", spec, got, err, want)
		}
	}
	for spec, cause := range map[string]string{
		"":              "no name",
		":max=1":        "no name",
		"v:max=0":       "must be positive",
		"v:max=-5":      "must be positive",
		"v:max=":        "max is empty",
		"v:max=1.5":     "more decimals",
		"v:max=abc":     "not a number",
		"v:max=1e30":    "overflow",
		"v:decimals=-1": "not a number from 0 to 18",
		"v:decimals=19": "not a number from 0 to 18",
		"v:decimal=1":   `did you mean "decimals"`,
		"v:maxx=1":      `did you mean "max"`,
	} {
		_, err := ParseMeasure(spec)
		var u *job.UsageError
		if !errors.As(err, &u) || !strings.Contains(u.Cause, cause) || u.Hint == "" {
			t.Errorf("ParseMeasure(%q): %v, want %q with a hint", spec, err, cause)
		}
	}
}

func TestParseProduct(t *testing.T) {
	m := []Measure{{Name: "a"}, {Name: "b"}, {Name: "a*b"}, {Name: "b*a"}}
	if p, err := ParseProduct("a*b", m[:2]); err != nil || p != [2]string{"a", "b"} {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := ParseProduct("a*b*a", []Measure{{Name: "a*b"}, {Name: "a"}}); err != nil || p != [2]string{"a*b", "a"} {
		t.Errorf("%v, %v", p, err)
	}
	for spec, cause := range map[string]string{"a*c": "not of two measures", "a": "not of two measures", "a*a": "with itself", "a*b*a": "two ways"} {
		if _, err := ParseProduct(spec, m); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("ParseProduct(%q): %v, want %q", spec, err, cause)
		}
	}
}

// What cannot fit is refused before anything is encrypted; what just fits is laid out.
func TestLayOutHeadroom(t *testing.T) {
	lay := func(layout string, bits int, adds, bound int64, squares []string, decimals int) error {
		m := []Measure{{Name: "v", Bound: bound, Decimals: decimals}}
		tuples, err := Quantities(m, squares, nil)
		if err != nil {
			return err
		}
		table := ctfile.Table{Layout: layout, MaxAdds: adds}
		return LayOut(&table, bits, m, tuples, nil)
	}
	for name, c := range map[string]struct {
		err   error
		fails string
	}{
		"64-bit values, a million additions": {lay(Blocks, 2048, 1<<20, math.MaxInt64, nil, 0), ""},
		"their squares, few additions":       {lay(Blocks, 2048, 1, math.MaxInt64, []string{"v"}, 0), ""},
		"their squares, many additions":      {lay(Records, 2048, 1<<20, math.MaxInt64, []string{"v"}, 0), "can exceed 38 digits"},
		"10^37 in one addition":              {lay(Records, 2048, 10, 1e18, []string{"v"}, 0), ""},
		"10^38":                              {lay(Records, 2048, 100, 1e18, []string{"v"}, 0), "can exceed 38 digits"},
		"one record larger than a key":       {lay(Blocks, 512, 1<<30, math.MaxInt64, []string{"v"}, 0), "can exceed 38 digits"},
		"a small key":                        {lay(Blocks, 128, 1<<30, 1<<62, nil, 0), "has room for"},
	} {
		if c.fails == "" && c.err != nil || c.fails != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.fails)) {
			t.Errorf("%s: %v, want %q", name, c.err, c.fails)
		}
	}
}

func TestRoundedBound(t *testing.T) {
	for v, want := range map[int64]int64{0: 255, 1: 255, 255: 255, 256: 65535, 65200: 65535, 1 << 40: 1<<48 - 1, math.MaxInt64: math.MaxInt64, 1 << 56: math.MaxInt64} {
		if got := RoundBound(v); got != want {
			t.Errorf("roundedBound(%d) = %d, want %d", v, got, want)
		}
	}
}

// A statistic is over the records that have what it is made of: slots are listed for each such population.
func TestQuantities(t *testing.T) {
	m := []Measure{{Name: "x"}, {Name: "y"}}
	tuples, err := Quantities(m, []string{"x"}, [][2]string{{"x", "y"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tuple := range tuples {
		for _, q := range tuple {
			got = append(got, QuantityName(Names(m, q.Terms), Names(m, q.Given)))
		}
	}
	want := "x x*x n|x y n|y x*y|x&y x|x&y y|x&y x*x|x&y y*y|x&y n|x&y"
	if strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
	for name, err := range map[string]error{
		"twice a measure":  func() error { _, err := Quantities([]Measure{m[0], m[0]}, nil, nil); return err }(),
		"square of none":   func() error { _, err := Quantities(m, []string{"z"}, nil); return err }(),
		"twice a product":  func() error { _, err := Quantities(m, nil, [][2]string{{"x", "y"}, {"y", "x"}}); return err }(),
		"names that clash": CheckResultNames([]string{"x_sum"}, m, nil, nil),
	} {
		var u *job.UsageError
		if !errors.As(err, &u) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
