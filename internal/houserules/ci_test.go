package houserules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every step of .ci/run is in one of its two lists, and the workflows of the public forge name no others.
func TestSteps(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	script := read(".ci/run")
	var defined, listed []string
	for _, m := range regexp.MustCompile(`(?m)^step_(\w+)\(\)`).FindAllStringSubmatch(script, -1) {
		defined = append(defined, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:all|others)="([\w ]+)"$`).FindAllStringSubmatch(script, -1) {
		listed = append(listed, strings.Fields(m[1])...)
	}
	slices.Sort(defined)
	slices.Sort(listed)
	if !slices.Equal(defined, listed) || len(defined) < 10 {
		t.Errorf(".ci/run defines the steps %q, and lists %q", defined, listed)
	}

	workflows, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("%d workflows, %v", len(workflows), err)
	}
	for _, name := range workflows {
		calls := regexp.MustCompile(`(?m)bash \.ci/run(.*)$`).FindAllStringSubmatch(read(filepath.Join(".github/workflows", filepath.Base(name))), -1)
		if len(calls) == 0 {
			t.Errorf("%s does not run .ci/run", name)
		}
		for _, call := range calls {
			for _, step := range strings.Fields(call[1]) {
				if !slices.Contains(defined, step) {
					t.Errorf("%s: .ci/run has no step %q", name, step)
				}
			}
		}
	}
}
