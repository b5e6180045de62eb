package bench

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// ThisMachine describes where this process runs.
func ThisMachine() Machine {
	m := Machine{CPU: processor(), Cores: CoresUsed(0), Features: []string{}, Go: runtime.Version(), Commit: commit(), Off: cpu.Setting()}
	for _, f := range []cpuid.FeatureID{cpuid.AVX512IFMA, cpuid.ADX, cpuid.BMI2, cpuid.AVX2, cpuid.FMA3} {
		if cpuid.CPU.Has(f) {
			m.Features = append(m.Features, strings.ToLower(f.String()))
		}
	}
	return m
}

// processor names the processor, and its family where the maker gives it one, as hypervisors make up names.
func processor() string {
	name := cpuid.CPU.BrandName
	if cpuid.CPU.Family != 0 {
		name = strings.TrimSpace(fmt.Sprintf("%s (%s family %d model %d)", name, cpuid.CPU.VendorID, cpuid.CPU.Family, cpuid.CPU.Model))
	}
	return name
}

// WarnUnknownCommit says what to do about results that nobody can trace to a source.
func WarnUnknownCommit(log *slog.Logger) {
	if commit() == unknownCommit {
		log.Warn("this program does not know its commit; to record results, build it with -buildvcs=true")
	}
}

// CoresUsed is the number of cores that a job of so many threads (0: as many as there are cores) can use at a time.
func CoresUsed(threads int) int {
	cores := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	if threads > 0 {
		return min(threads, cores)
	}
	return cores
}

// commitDigits is how much of a commit's name is kept.
const commitDigits = 12

// unknownCommit means a build without version control, such as a test's.
const unknownCommit = "unknown"

// commit names what the program was built from.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	name, dirty := unknownCommit, ""
	if !ok {
		return name
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= commitDigits:
			name = s.Value[:commitDigits]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return name + dirty
}
