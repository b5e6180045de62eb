package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// ratioGoal is how much faster than a peer an operation is to be.
type ratioGoal struct {
	bits              int
	op, variant, role string
	peer              string
	atLeast           float64
}

// ratioGoals were set before the kernels were written, from what prototypes reached.
var ratioGoals = []ratioGoal{
	{2048, OpFold, "djn", rolePublic, "gmp", 7.5},
	{2048, OpEncrypt, "djn", rolePublic, "gmp", 70},
	{2048, OpEncrypt, "djn", rolePublic, "gmp djn", 35},
	{2048, OpEncrypt, "mhl", rolePublic, "gmp", 160},
	{2048, OpEncrypt, "mhl", roleOwner, "gmp", 500},
	{2048, OpDecrypt, "djn", roleOwner, "gmp", 6.5},
	{2048, OpDecrypt, "mhl", roleOwner, "gmp", 27},
	{2048, OpMul64, "djn", rolePublic, "gmp", 6},
	{3072, OpFold, "djn", rolePublic, "gmp", 6.5},
	{3072, OpEncrypt, "djn", rolePublic, "gmp", 60},
	{3072, OpEncrypt, "mhl", rolePublic, "gmp", 160},
	{3072, OpEncrypt, "mhl", roleOwner, "gmp", 450},
	{3072, OpDecrypt, "djn", roleOwner, "gmp", 6.5},
	{3072, OpDecrypt, "mhl", roleOwner, "gmp", 27},
}

// limitGoals are shares of the multiply limit by the length of the modulus.
var limitGoals = map[int]float64{2048: 0.85, 3072: 0.85, 4096: 0.93, 6144: 0.93}

// Further goals.
const (
	squareGoal       = 0.85 // time of a squaring in that of a multiplication, at most
	scalarGoal       = 3    // encryption without vector instructions, times math/big's DJN
	pipelineShare    = 0.85 // of the time in kernel stages, blocks
	pipelineRowsGoal = 1_000_000
)

// pipelineGoals are values per second over all steps, times GMP's textbook encryptions on as many cores.
var pipelineGoals = []struct {
	variant string
	bits    int
	atLeast float64
}{{"djn", 2048, 1000}, {"mhl", 2048, 2000}, {"djn", 3072, 1500}, {"mhl", 3072, 4000}}

// goal is a goal and what was measured; nothing when it is 0.
type goal struct {
	what           string
	bound, reached float64
	atMost         bool
	format         func(float64) string
}

func (g goal) verdict() string {
	if g.reached == 0 {
		return "not measured"
	}
	miss := g.bound/g.reached - 1
	if g.atMost {
		miss = g.reached/g.bound - 1
	}
	if miss <= 0 {
		return "yes"
	}
	return fmt.Sprintf("no, by %.1f%%", 100*miss)
}

func writeGoals(w io.Writer, goals []goal) {
	t := &table{header: []string{"Goal", ">bound", ">measured", "reached"}}
	for _, g := range goals {
		bound := "≥ " + g.format(g.bound)
		if g.atMost {
			bound = "≤ " + g.format(g.bound)
		}
		measured := ""
		if g.reached != 0 {
			measured = g.format(g.reached)
		}
		t.add(g.what, bound, measured, g.verdict())
	}
	t.write(w)
}

// kernelGoals compares a kernels file with the goals for its key sizes.
func kernelGoals(f *File) []goal {
	var goals []goal
	for _, g := range ratioGoals {
		if !slices.Contains(f.keySizes(), g.bits) {
			continue
		}
		reached := 0.0
		if r := f.first(func(r Result) bool {
			return r.Op == g.op && r.Variant == g.variant && r.Role == g.role && r.Bits == g.bits
		}); r != nil {
			reached = r.Ratio[g.peer]
		}
		goals = append(goals, goal{what: fmt.Sprintf("%s, %d bits, times %s", opTitle(g.op, g.variant, g.role), g.bits, peerTitle(g.peer)), bound: g.atLeast, reached: reached, format: factor})
	}
	for _, bits := range f.moduli() {
		mul := f.first(func(r Result) bool { return r.Op == OpMontMul && r.Bits == bits })
		sqr := f.first(func(r Result) bool { return r.Op == OpMontSqr && r.Bits == bits })
		if bound, ok := limitGoals[bits]; ok {
			goals = append(goals, goal{what: fmt.Sprintf("multiplication modulo %d bits, of the machine's limit", bits), bound: bound, reached: mul.OfLimit, format: percent})
			goals = append(goals, goal{what: fmt.Sprintf("squaring modulo %d bits, time of a multiplication", bits), bound: squareGoal, reached: significant(mul.OpsPerS.Median / sqr.OpsPerS.Median), atMost: true, format: twoDecimals})
		}
	}
	for _, bits := range f.keySizes() {
		reached := 0.0
		if r := f.first(func(r Result) bool {
			return r.Op == OpEncrypt && r.Variant == "djn" && r.Role == rolePublic && r.Bits == bits && r.Kernel != limitKernel
		}); r != nil {
			reached = r.Ratio["math/big djn"]
		}
		goals = append(goals, goal{what: fmt.Sprintf("DJN encryption without AVX-512, %d bits, times math/big's DJN", bits), bound: scalarGoal, reached: reached, format: factor})
	}
	return goals
}

// pipelineFileGoals compares a file of pipelines with the goals for tables of its size.
func pipelineFileGoals(f *File) []goal {
	var goals []goal
	for _, s := range f.Pipeline {
		if s.Stage != StageAll || s.Layout != "blocks" || s.Rows < pipelineRowsGoal {
			continue
		}
		for _, g := range pipelineGoals {
			if g.variant == s.Variant && g.bits == s.Bits {
				what := fmt.Sprintf("%s, %d bits, %s rows of each of %d owners", variantTitle(s.Variant), s.Bits, grouped(int64(s.Rows)), s.Owners)
				goals = append(goals, goal{what: what + ": values/s, times GMP's textbook encryptions", bound: g.atLeast, reached: f.timesPeer(s, "gmp"), format: factor})
				goals = append(goals, goal{what: what + ": time in kernel stages", bound: pipelineShare, reached: s.KernelShare, format: percent})
			}
		}
	}
	return goals
}

// timesPeer is how many values per second go through a pipeline, in textbook encryptions of a peer on as many cores; 0 when
// the peer was not measured.
func (f *File) timesPeer(s Stage, peer string) float64 {
	for _, r := range f.Results {
		if r.Impl == peer && r.Op == OpEncrypt && r.Bits == s.Bits {
			return significant(s.ValuesPerS / r.OpsPerS.Median)
		}
	}
	return 0
}

// first returns the first result of ours that f accepts: of the preferred kernel, as results are in that order.
func (f *File) first(accept func(Result) bool) *Result {
	for i, r := range f.Results {
		if r.Impl == Cipherfold && accept(r) {
			return &f.Results[i]
		}
	}
	return nil
}

// keySizes lists the sizes of keys in order.
func (f *File) keySizes() []int { return f.sizes(OpEncrypt) }

// moduli lists the lengths of the moduli of residues in order.
func (f *File) moduli() []int { return f.sizes(OpMontMul) }

func (f *File) sizes(op string) []int {
	var out []int
	for _, r := range f.Results {
		if r.Impl == Cipherfold && r.Op == op && !slices.Contains(out, r.Bits) {
			out = append(out, r.Bits)
		}
	}
	slices.Sort(out)
	return out
}

func twoDecimals(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
