package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/cipherfold/cipherfold/bench"
)

// class is what kind of machine a run shows: that of the fastest kernel it measured. Goals differ by class.
type class string

const (
	classIFMA     class = "ifma"
	classFMA512   class = "fma512"
	classFMA      class = "fma"
	classADX      class = "adx"
	classPortable class = "generic"
)

// class is the kernel of the first result of ours that has one, as results are in order of preference.
func classOf(f *bench.File) class {
	r := first(f, func(r bench.Result) bool { return r.Kernel != "" })
	if r == nil {
		return classPortable
	}
	return class(r.Kernel)
}

// goals is the class whose goals apply. Those of AVX2 and FMA are the least that AVX-512 without IFMA must reach.
func (c class) goals() class {
	if c == classFMA512 {
		return classFMA
	}
	return c
}

func (c class) title() string {
	switch c {
	case classIFMA:
		return "AVX-512 IFMA"
	case classFMA512:
		return "AVX-512 without IFMA"
	case classFMA:
		return "AVX2 and FMA"
	case classADX:
		return "MULX and ADX"
	case classPortable:
		return "portable"
	}
	return string(c)
}

// ratioGoal is how much faster than a peer an operation is to be.
type ratioGoal struct {
	bits              int
	op, variant, role string
	peer              string
	atLeast           float64
}

// ratioGoals were set before the kernels were written, from what prototypes reached. Those of AVX2 and FMA are for AMD's Zen 2
// and 3; those of ADX ask for OpenSSL's speed, which is made for the same instructions.
var ratioGoals = map[class][]ratioGoal{
	classIFMA: {
		{2048, bench.OpFold, "djn", bench.RolePublic, "gmp", 7.5},
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "gmp", 70},
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "gmp djn", 35},
		{2048, bench.OpEncrypt, "mhl", bench.RolePublic, "gmp", 160},
		{2048, bench.OpEncrypt, "mhl", bench.RoleOwner, "gmp", 500},
		{2048, bench.OpDecrypt, "djn", bench.RoleOwner, "gmp", 6.5},
		{2048, bench.OpDecrypt, "mhl", bench.RoleOwner, "gmp", 27},
		{2048, bench.OpMul64, "djn", bench.RolePublic, "gmp", 6},
		{3072, bench.OpFold, "djn", bench.RolePublic, "gmp", 6.5},
		{3072, bench.OpEncrypt, "djn", bench.RolePublic, "gmp", 60},
		{3072, bench.OpEncrypt, "mhl", bench.RolePublic, "gmp", 160},
		{3072, bench.OpEncrypt, "mhl", bench.RoleOwner, "gmp", 450},
		{3072, bench.OpDecrypt, "djn", bench.RoleOwner, "gmp", 6.5},
		{3072, bench.OpDecrypt, "mhl", bench.RoleOwner, "gmp", 27},
	},
	classFMA: {
		{4096, bench.OpSquareMul, "", "", "openssl", 3.6},
		{4096, bench.OpSquareSqr, "", "", "openssl", 3.4},
		{2048, bench.OpDecrypt, "djn", bench.RoleOwner, "gmp", 3.3},
		{2048, bench.OpDecrypt, "djn", bench.RoleOwner, "openssl", 2.6},
		{2048, bench.OpDecrypt, "mhl", bench.RoleOwner, "gmp", 14},
		{2048, bench.OpMul64, "djn", bench.RolePublic, "gmp", 3.5},
		{2048, bench.OpMul64, "djn", bench.RolePublic, "openssl", 2.8},
		{2048, bench.OpFold, "djn", bench.RolePublic, "gmp", 2.7},
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "gmp", 40},
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "openssl windows", 2.4},
		{2048, bench.OpEncrypt, "mhl", bench.RolePublic, "gmp", 90},
		{6144, bench.OpSquareMul, "", "", "openssl", 3.6},
		{6144, bench.OpSquareSqr, "", "", "openssl", 3.5},
		{3072, bench.OpDecrypt, "djn", bench.RoleOwner, "gmp", 3.5},
		{3072, bench.OpDecrypt, "djn", bench.RoleOwner, "openssl", 2.7},
		{3072, bench.OpDecrypt, "mhl", bench.RoleOwner, "gmp", 20},
		{3072, bench.OpMul64, "djn", bench.RolePublic, "gmp", 2.9},
		{3072, bench.OpMul64, "djn", bench.RolePublic, "openssl", 2.9},
		{3072, bench.OpFold, "djn", bench.RolePublic, "gmp", 2.5},
		{3072, bench.OpEncrypt, "djn", bench.RolePublic, "gmp", 35},
		{3072, bench.OpEncrypt, "djn", bench.RolePublic, "openssl windows", 2.4},
		{3072, bench.OpEncrypt, "mhl", bench.RolePublic, "gmp", 90},
	},
	classADX: {
		{4096, bench.OpSquareMul, "", "", "openssl", 1},
		{4096, bench.OpSquareSqr, "", "", "openssl", 1},
		{2048, bench.OpDecrypt, "djn", bench.RoleOwner, "openssl", 1},
		{2048, bench.OpMul64, "djn", bench.RolePublic, "openssl", 1},
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "openssl windows", 1},
		{6144, bench.OpSquareMul, "", "", "openssl", 1},
		{6144, bench.OpSquareSqr, "", "", "openssl", 1},
		{3072, bench.OpDecrypt, "djn", bench.RoleOwner, "openssl", 1},
		{3072, bench.OpMul64, "djn", bench.RolePublic, "openssl", 1},
		{3072, bench.OpEncrypt, "djn", bench.RolePublic, "openssl windows", 1},
	},
	classPortable: {
		{2048, bench.OpEncrypt, "djn", bench.RolePublic, "math/big djn", 3},
		{2048, bench.OpDecrypt, "djn", bench.RoleOwner, "math/big", 1},
		{3072, bench.OpEncrypt, "djn", bench.RolePublic, "math/big djn", 3},
		{3072, bench.OpDecrypt, "djn", bench.RoleOwner, "math/big", 1},
	},
}

// ownGoal is how much faster the re-randomization of own ciphertexts is to be than that of any with the adx kernel, for
// the class of AVX2 and FMA.
const ownGoal = 12

// limitGoals are shares of the multiply limit by the length of the modulus.
var limitGoals = map[class]map[int]float64{
	classIFMA: {2048: 0.85, 3072: 0.85, 4096: 0.93, 6144: 0.93},
	classFMA:  {4096: 0.85},
}

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

// goal is a goal and what was measured; 0 means nothing was.
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

// kernelGoals compares a kernels file with the goals of its class for its key sizes.
func kernelGoals(f *bench.File) []goal {
	var goals []goal
	c := classOf(f).goals()
	for _, g := range ratioGoals[c] {
		if !slices.Contains(f.Sizes(g.op), g.bits) {
			continue
		}
		reached := 0.0
		if r := first(f, func(r bench.Result) bool {
			return r.Op == g.op && r.Variant == g.variant && r.Role == g.role && r.Bits == g.bits
		}); r != nil {
			reached = r.Ratio[g.peer]
		}
		goals = append(goals, goal{what: fmt.Sprintf("%s, %d bits, times %s", bench.OpTitle(g.op, g.variant, g.role), g.bits, peerTitle(g.peer)), bound: g.atLeast, reached: reached, format: factor})
	}
	if c == classFMA {
		goals = append(goals, ownGoals(f)...)
	}
	for _, bits := range f.Moduli() {
		mul := first(f, func(r bench.Result) bool { return r.Op == bench.OpMontMul && r.Bits == bits })
		sqr := first(f, func(r bench.Result) bool { return r.Op == bench.OpMontSqr && r.Bits == bits })
		if bound, ok := limitGoals[c][bits]; ok {
			goals = append(goals, goal{what: fmt.Sprintf("multiplication modulo %d bits, of the machine's limit", bits), bound: bound, reached: mul.OfLimit, format: percent})
		}
		if _, ok := limitGoals[classIFMA][bits]; ok && c == classIFMA {
			goals = append(goals, goal{what: fmt.Sprintf("squaring modulo %d bits, time of a multiplication", bits), bound: squareGoal, reached: bench.Significant(mul.OpsPerS.Median / sqr.OpsPerS.Median), atMost: true, format: twoDecimals})
		}
	}
	for _, bits := range f.KeySizes() {
		if c != classIFMA {
			break
		}
		reached := 0.0
		if r := first(f, func(r bench.Result) bool {
			return r.Op == bench.OpEncrypt && r.Variant == "djn" && r.Role == bench.RolePublic && r.Bits == bits && r.Kernel != string(classIFMA)
		}); r != nil {
			reached = r.Ratio["math/big djn"]
		}
		goals = append(goals, goal{what: fmt.Sprintf("DJN encryption without AVX-512, %d bits, times math/big's DJN", bits), bound: scalarGoal, reached: reached, format: factor})
	}
	return goals
}

// ownGoals compare the re-randomization of own ciphertexts with that of any by the adx kernel of the same run.
func ownGoals(f *bench.File) (goals []goal) {
	for _, bits := range f.Sizes(bench.OpOwn) {
		own := first(f, func(r bench.Result) bool { return r.Op == bench.OpOwn && r.Bits == bits })
		reached := 0.0
		if any := first(f, func(r bench.Result) bool {
			return r.Op == bench.OpRerandomize && r.Variant == "djn" && r.Bits == bits && r.Kernel == string(classADX)
		}); any != nil {
			reached = bench.Significant(own.OpsPerS.Median / any.OpsPerS.Median)
		}
		goals = append(goals, goal{what: fmt.Sprintf("%s, %d bits, times re-randomizing any with adx", bench.OpTitle(bench.OpOwn, "djn", bench.RolePublic), bits), bound: ownGoal, reached: reached, format: factor})
	}
	return goals
}

// pipelineFileGoals compares a file of pipelines with the goals for tables of its size.
func pipelineFileGoals(f *bench.File) []goal {
	var goals []goal
	for _, s := range f.Pipeline {
		if s.Stage != bench.StageAll || s.Layout != "blocks" || s.Rows < pipelineRowsGoal {
			continue
		}
		for _, g := range pipelineGoals {
			if g.variant == s.Variant && g.bits == s.Bits {
				what := fmt.Sprintf("%s, %d bits, %s rows of each of %d owners", bench.VariantTitle(s.Variant), s.Bits, grouped(int64(s.Rows)), s.Owners)
				goals = append(goals, goal{what: what + ": values/s, times GMP's textbook encryptions", bound: g.atLeast, reached: timesPeer(f, s, "gmp"), format: factor})
				goals = append(goals, goal{what: what + ": time in kernel stages", bound: pipelineShare, reached: s.KernelShare, format: percent})
			}
		}
	}
	return goals
}

// timesPeer is how many values per second go through a pipeline, in textbook encryptions of a peer on as many cores; 0 when
// the peer was not measured.
func timesPeer(f *bench.File, s bench.Stage, peer string) float64 {
	for _, r := range f.Results {
		if r.Impl == peer && r.Op == bench.OpEncrypt && r.Bits == s.Bits {
			return bench.Significant(s.ValuesPerS / r.OpsPerS.Median)
		}
	}
	return 0
}

// first returns the first result of ours in f that is accepted: of the preferred kernel, as results are in that order.
func first(f *bench.File, accept func(bench.Result) bool) *bench.Result {
	for i, r := range f.Results {
		if r.Impl == bench.Cipherfold && accept(r) {
			return &f.Results[i]
		}
	}
	return nil
}

func twoDecimals(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
