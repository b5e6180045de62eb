package cpu

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// TestSettingIsValid keeps a misspelt variable from passing for a run without features.
func TestSettingIsValid(t *testing.T) {
	if err := Err(); err != nil {
		t.Fatal(err)
	}
	if Setting() != os.Getenv(Switch) {
		t.Errorf("the setting is %q", Setting())
	}
}

func TestDisable(t *testing.T) {
	before := cpuid.CPU.FeatureSet()
	for word, prefixes := range map[string][]string{
		"noavx512": {"AVX512", "AVX10"}, "noifma": {"AVX512IFMA", "AVXIFMA"}, "noavx2": {"AVX2", "FMA3", "AVXIFMA", "AVX512", "AVX10"},
		"noadx": {"ADX"}, "none": {""},
	} {
		restore := Disable(word)
		rest := cpuid.CPU.FeatureSet()
		for _, name := range before {
			off := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
			if off == slices.Contains(rest, name) {
				t.Errorf("%s: %s is off: %t", word, name, !off)
			}
		}
		restore()
		if now := cpuid.CPU.FeatureSet(); !slices.Equal(now, before) {
			t.Errorf("after %s: %v, want %v", word, now, before)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a word that does not exist is taken")
		}
	}()
	Disable("noavx")
}

func TestMissing(t *testing.T) {
	if why := Missing(); why != "" {
		t.Errorf("no feature at all: %s", why)
	}
	if why := Missing(cpuid.SSE2, cpuid.ASIMD); why != "this processor or operating system does not support it" {
		t.Errorf("an x86 and an ARM feature: %q", why)
	}
	features := cpuid.CPU.FeatureSet()
	if len(features) == 0 {
		t.Logf("nothing to switch off: %s=%s", Switch, Setting())
		return
	}
	id := cpuid.ParseFeature(features[len(features)-1])
	if why := Missing(id); why != "" {
		t.Errorf("%s: %s", id, why)
	}
	defer Disable("none")()
	if why := Missing(id); !strings.HasPrefix(why, "switched off") {
		t.Errorf("%s is off: %q", id, why)
	}
}

func TestStart(t *testing.T) {
	before := cpuid.CPU.FeatureSet()
	all := Disable("none")
	all()
	defer all()
	for _, c := range []struct{ value, wrong, prefixes string }{
		{"", "", "-"},
		{"none", "", ""},
		{"noadx,noavx512", "", "ADX AVX512 AVX10"},
		{"noavx", `CIPHERFOLD_CPU=noavx: "noavx" is none of noavx512, noifma, noavx2, noadx, none`, "-"},
		{"noadx, none", `CIPHERFOLD_CPU=noadx, none: " none" is none of noavx512, noifma, noavx2, noadx, none`, "ADX"},
		{"noadx,", `CIPHERFOLD_CPU=noadx,: "" is none of noavx512, noifma, noavx2, noadx, none`, "ADX"},
	} {
		all()
		if err := start(c.value); (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
			t.Errorf("%q: %v", c.value, err)
		}
		rest := cpuid.CPU.FeatureSet()
		for _, name := range before {
			off := slices.ContainsFunc(strings.Split(c.prefixes, " "), func(p string) bool { return strings.HasPrefix(name, p) })
			if off == slices.Contains(rest, name) {
				t.Errorf("%q: %s is off: %t", c.value, name, !off)
			}
		}
	}
}
