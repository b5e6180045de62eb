package main

import (
	"testing"
)

// Fields become flags or keys, commands lines to type; what only looks like them stays.
func TestRender(t *testing.T) {
	for text, want := range map[string][2]string{
		"‹person_records› 0 is too few":                       {"--person-records 0 is too few", "person_records 0 is too few"},
		"Leave out ‹rho›. Make one: «budget b.json ‹rho› 1».": {"Leave out --rho. Make one: cipherfold budget b.json --rho 1.", "Leave out rho. Make one: cipherfold budget b.json --rho 1."},
		"«run job.toml ‹resume›», or pass ‹overwrite=true›":   {"cipherfold run job.toml --resume, or pass --overwrite", "cipherfold run job.toml --resume, or pass overwrite = true"},
		"‹noise=local›":                {"--noise local", "noise = local"},
		"runs/2026--rho/a.csv: ‹by› a": {"runs/2026--rho/a.csv: --by a", "runs/2026--rho/a.csv: by a"},
		"a‹b.csv and ‹1› and »":        {"a‹b.csv and ‹1› and »", "a‹b.csv and ‹1› and »"},
		"nothing":                      {"nothing", "nothing"},
		"":                             {"", ""},
	} {
		if got := [2]string{written(text, asFlag), written(text, asKey)}; got != want {
			t.Errorf("%s becomes\n%q, not\n%q", text, got, want)
		}
	}
}
