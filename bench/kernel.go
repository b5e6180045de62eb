package bench

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// ChosenKernels lists what this machine can run, in order of preference: one kernel by its name, or for "" all.
func ChosenKernels(name string) ([]bigmod.Implementation, error) {
	var out []bigmod.Implementation
	var names []string
	for _, k := range paillier.Kernels() {
		names = append(names, k.Name)
		if k.Available && (name == "" || name == k.Name) {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, &job.UsageError{Cause: fmt.Sprintf("no kernel %q on this machine", name), Hint: fmt.Sprintf("There are %v; `cipherfold doctor` says which can run.", names)}
	}
	return out, nil
}
