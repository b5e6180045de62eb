package bench

import (
	"math"
	"slices"
)

// Operations of a TimingCheck.
const (
	OpControl        = "control"         // both classes random: no difference to be seen
	OpControlProduct = "control-product" // the fixed class without one product that the random one has
	OpExp            = "exp"             // one secret exponent for all residues, modulo a square: decryption
	OpExpVarTime     = "exp-vartime"     // the same for a public exponent
	OpInverseVarTime = "inverse-vartime" // inverses of public residues, which may have none
	OpTableExp       = "table-exp"       // a fixed base, one secret exponent for each residue: encryption
	// and OpEncrypt, OpDecrypt as a whole
)

// timingOperations are those that the format of results knows.
var timingOperations = []string{OpControl, OpControlProduct, OpExp, OpExpVarTime, OpInverseVarTime, OpTableExp, OpEncrypt, OpDecrypt}

// TimingThreshold is the |t| from which on the times of two classes count as different: the one in use for the
// leakage assessment of cryptographic modules (Goodwill et al., NIST Non-Invasive Attack Testing Workshop, 2011).
const TimingThreshold = 4.5

// What is expected of an operation.
const (
	ExpectSame   = "same"   // constant time: the classes take the same time
	ExpectDiffer = "differ" // variable time: the test must see it
)

// TimingCheck is a comparison of the times that one operation takes for a fixed secret and for random ones.
type TimingCheck struct {
	Op           string  `json:"op"`
	Kernel       string  `json:"kernel"`
	Variant      string  `json:"variant"` // of the key; "" for arithmetic of residues
	Role         string  `json:"role"`    // which key; "" for arithmetic of residues
	Bits         int     `json:"bits"`    // of N
	Rows         int     `json:"rows"`    // computed on at a time
	Secret       string  `json:"secret"`  // what the classes differ in
	Expect       string  `json:"expect"`  // ExpectSame or ExpectDiffer
	Measurements int     `json:"measurements"`
	MedianNs     float64 `json:"median_ns"` // of the first lot
	T            float64 `json:"t"`         // the one of largest magnitude
	Of           float64 `json:"of"`        // the share of the times, from the fastest on, that it is of; -1: of squared deviations
	PlainT       float64 `json:"plain_t"`   // of all times
}

// Passed says whether the times are as expected.
func (c TimingCheck) Passed() bool { return c.Flagged() == (c.Expect == ExpectDiffer) }

// Flagged says whether the times differ.
func (c TimingCheck) Flagged() bool { return math.Abs(c.T) > TimingThreshold }

// SecondOrder stands for the share of the times when t is of squared deviations.
const SecondOrder = -1

// TimingSizes lists the key sizes of the checks in order.
func (f *File) TimingSizes() []int {
	var out []int
	for _, c := range f.Timing {
		if !slices.Contains(out, c.Bits) {
			out = append(out, c.Bits)
		}
	}
	slices.Sort(out)
	return out
}
