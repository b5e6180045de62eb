package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSwitch runs the program in processes of their own, as the environment variable is read once. A process of its own
// runs the command line in lineVariable.
func TestSwitch(t *testing.T) {
	t.Parallel()
	const lineVariable = "CIPHERFOLD_TEST_LINE"
	if line := os.Getenv(lineVariable); line != "" {
		os.Exit(run(context.Background(), strings.Fields(line), os.Stdout, os.Stderr))
	}
	start := func(value, line string) (out, text string, code int) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSwitch$")
		cmd.Env = append(os.Environ(), "CIPHERFOLD_CPU="+value, lineVariable+"="+line)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(b), stderr.String(), cmd.ProcessState.ExitCode()
	}
	for value, gone := range map[string][]string{
		"":               nil,
		"noavx512":       {"ifma", "fma512"},
		"noifma":         {"ifma"},
		"noadx":          {"adx"},
		"noavx2":         {"ifma", "fma512", "fma", "adx"},
		"noadx,noavx512": {"ifma", "fma512", "adx"},
		"none":           {"ifma", "fma512", "fma", "adx"},
	} {
		out, text, code := start(value, "doctor --quick --json")
		var d struct {
			Chosen, Switch string
			Features       []string
			Kernels        []struct {
				Name, Why string
				Available bool
			}
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitDone || text != "" {
			t.Fatalf("%q: exit code %d: %v\n%s%s", value, code, err, out, text)
		}
		if value == "" && d.Switch != "" || value != "" && d.Switch != "CIPHERFOLD_CPU="+value {
			t.Errorf("%q: the switch is %q", value, d.Switch)
		}
		if value == "none" && len(d.Features) > 0 {
			t.Errorf("%q: features %v", value, d.Features)
		}
		var first string
		for _, k := range d.Kernels {
			if k.Available && first == "" {
				first = k.Name
			}
			if k.Available && slices.Contains(gone, k.Name) || !k.Available && !strings.Contains(k.Why, ": ") {
				t.Errorf("%q: %+v", value, k)
			}
		}
		if d.Chosen != first {
			t.Errorf("%q: %s is chosen of %+v", value, d.Chosen, d.Kernels)
		}
		human, _, _ := start(value, "doctor --quick")
		if strings.Contains(human, "\nCIPHERFOLD_CPU="+value+" is in force: ") != (value != "") {
			t.Errorf("%q: %s", value, human)
		}
	}
	for _, line := range []string{"doctor --quick", "selftest"} {
		out, text, code := start("noavx", line)
		if code != exitUsage || out != "" || text != "cipherfold: CIPHERFOLD_CPU=noavx: \"noavx\" is none of noavx512, noifma, noavx2, noadx, none\n  hint: Leave the variable out to use all that the processor has.\n" {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, text)
		}
	}
}
