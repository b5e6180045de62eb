// Package cpu says which features of the processor the kernels may use: those it has, less those that are switched off.
//
// The environment variable CIPHERFOLD_CPU switches features off as if the processor had none of them, so that every test
// and every command can run as on a lesser machine. It is read once, at the start, and holds words separated by commas:
//
//	noavx512   no AVX-512, of any kind
//	noifma     no instructions that multiply integers of 52 bits: AVX-512 IFMA and AVX-IFMA
//	noavx2     no vectors of 256 bits and longer: AVX2, FMA, AVX-IFMA, AVX-512
//	noadx      no ADX
//	none       nothing beyond what every processor of the architecture has
//
// It does not bind the Go runtime and libraries, which detect features themselves.
package cpu

import (
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Switch is the name of the environment variable.
const Switch = "CIPHERFOLD_CPU"

var (
	setting   = os.Getenv(Switch)
	processor = cpuid.CPU // with all that it has
	invalid   = start(setting)
)

// Setting is the value of the variable, "" when it is not set.
func Setting() string { return setting }

// Err says what is wrong with the value of the variable. The words before the wrong one are in force.
func Err() error { return invalid }

func start(value string) error {
	if value == "" {
		return nil
	}
	for word := range strings.SplitSeq(value, ",") {
		if switchedOff(word) == nil {
			return fmt.Errorf("%s=%s: %q is none of noavx512, noifma, noavx2, noadx, none", Switch, value, word)
		}
		Disable(word)
	}
	return nil
}

// switchedOff names the features that a word switches off. It is nil when there is no such word.
func switchedOff(word string) func(feature string) bool {
	switch word {
	case "noavx512":
		return func(feature string) bool {
			return strings.HasPrefix(feature, "AVX512") || strings.HasPrefix(feature, "AVX10")
		}
	case "noifma":
		return func(feature string) bool {
			return feature == cpuid.AVX512IFMA.String() || feature == cpuid.AVXIFMA.String()
		}
	case "noavx2":
		return func(feature string) bool {
			return feature == cpuid.AVX2.String() || feature == cpuid.FMA3.String() || feature == cpuid.AVXIFMA.String() ||
				strings.HasPrefix(feature, "AVX512") || strings.HasPrefix(feature, "AVX10")
		}
	case "noadx":
		return func(feature string) bool { return feature == cpuid.ADX.String() }
	case "none":
		return func(string) bool { return true }
	default:
		return nil
	}
}

// Disable switches off what a word of the variable does, and returns a function that switches it on again. It is for
// tests in which nothing else asks for features meanwhile. It panics when there is no such word.
func Disable(word string) (restore func()) {
	off := switchedOff(word)
	if off == nil {
		panic(fmt.Sprintf("cpu: no feature is switched off by %q", word))
	}
	var ids []cpuid.FeatureID
	for _, name := range cpuid.CPU.FeatureSet() {
		if off(name) {
			ids = append(ids, cpuid.ParseFeature(name))
		}
	}
	cpuid.CPU.Disable(ids...)
	return func() { cpuid.CPU.Enable(ids...) }
}

// Missing returns "" when all of the features may be used. Otherwise it says why not, for people.
func Missing(features ...cpuid.FeatureID) string {
	// go test keeps results by the variables that it sees a test read; it does not see what is read before tests begin.
	os.Getenv(Switch)
	switch {
	case cpuid.CPU.Supports(features...):
		return ""
	case !processor.Supports(features...):
		return "this processor or operating system does not support it"
	case setting == "":
		return "switched off"
	default:
		return "switched off by " + Switch + "=" + setting
	}
}
