package receipt

import (
	"github.com/cipherfold/cipherfold/engine/job"
)

// StepOf is the step that a job's report describes, without its files and times.
func StepOf(verb string, parameters map[string]Values, r *job.Report) Step {
	key := Key(r.Key)
	s := Step{
		Verb: verb, Parameters: parameters, Key: &key, Kernel: r.Kernel, Records: r.Records, Ciphertexts: r.Ciphertexts, Values: r.Values,
		Missing: nonZero(r.Missing), Filled: nonZero(r.Filled),
	}
	dropped := map[string]int64{"unlisted": r.Unlisted, "small_groups": r.SmallGroups}
	if x := r.Suppressed; x != nil {
		dropped["suppressed"] = x.Small + x.Further
	}
	if v := r.Variants; v != nil {
		dropped["filtered"], dropped["outside_regions"], dropped["multiallelic"], dropped["monomorphic"] = v.Filtered, v.Outside, v.Multiallelic, v.Monomorphic
		dropped["frequency"], dropped["without_af"], dropped["symbolic"] = v.Frequency, v.WithoutAF, v.Symbolic
	}
	s.Dropped = nonZero(dropped)
	return s
}

// nonZero returns the counts that are not 0.
func nonZero(counts map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for name, n := range counts {
		if n != 0 {
			out[name] = n
		}
	}
	return out
}
