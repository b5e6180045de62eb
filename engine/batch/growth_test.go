package batch

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/growthtest"
)

// chain are steps each of which reads from the one after it.
func chain(n int) []PlannedStep {
	steps := make([]PlannedStep, n)
	for i := range steps {
		steps[i] = PlannedStep{Name: fmt.Sprintf("fuse-%d", i), Out: fmt.Sprintf("out-%d", i), Inputs: []string{fmt.Sprintf("out-%d", i+1)}}
		if i+1 < n {
			steps[i].After = []string{fmt.Sprintf("fuse-%d", i+1)}
		}
	}
	return steps
}

// What is done with a plan before anything is computed takes time in proportion to its steps and its files.
func TestPlansOfManyStepsAndFiles(t *testing.T) {
	growthtest.Linear(t, 250, func(n int, work func(func())) { // to as many as there may be
		for range 100 {
			steps := chain(n)
			work(func() {
				if err := setLevels(steps); err != nil || steps[0].Level != n || steps[n-1].Level != 1 {
					t.Fatal(err, steps[0].Level)
				}
			})
		}
	})
	growthtest.Linear(t, 1000, func(n int, work func(func())) {
		steps := chain(n)
		steps[0].Inputs = make([]string, n)
		for i := range n {
			steps[0].Inputs[i] = fmt.Sprintf("in-%d", i)
		}
		work(func() {
			for range 20 {
				if got := externals(steps); len(got) != n+1 {
					t.Fatal(len(got))
				}
			}
		})
	})
	growthtest.Linear(t, 1000, func(n int, work func(func())) {
		plan := &PlanFile{Steps: []PlannedStep{{Name: "fuse-1"}}}
		for i := range n {
			name := fmt.Sprintf("in-%d", i)
			plan.Steps[0].Inputs = append(plan.Steps[0].Inputs, name)
			plan.Inputs = append(plan.Inputs, receipt.File{Path: name})
		}
		work(func() {
			for range 20 {
				if err := plan.sameInputs("dir", plan.Steps, plan.Inputs, false); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// Steps that need each other's outputs are refused, by however many steps.
func TestStepsInACircle(t *testing.T) {
	for _, n := range []int{1, 2, 3, 1000} {
		steps := chain(n)
		steps[n-1].After = []string{"fuse-0"}
		var usage *job.UsageError
		if err := setLevels(steps); !errors.As(err, &usage) {
			t.Errorf("%d steps: %v", n, err)
		}
	}
	steps := chain(5)
	steps[1].After = append(steps[1].After, "fuse-4", "fuse-3")
	if err := setLevels(steps); err != nil || steps[1].Level != 4 || steps[0].Level != 5 {
		t.Errorf("%v, %+v", err, steps)
	}
}
