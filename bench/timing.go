package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// TimingOptions say what Timing measures.
type TimingOptions struct {
	Bits         []int              // of N
	Variants     []paillier.Variant // djn, mhl; nil means both
	Kernel       string             // only this one; "" means all that are available
	Measurements int                // of every operation with keys of at most smallBits; 0 means MeasurementsDefault
	Seconds      float64            // at most, for each operation; 0 means as long as it takes

	Log *slog.Logger // nil discards
}

// TimingBitsDefault are keys for a million measurements, and keys as they are used.
var TimingBitsDefault = []int{512, 2048}

// MeasurementsDefault is how many measurements the literature on such tests asks for.
const MeasurementsDefault = 1_000_000

// Keys of at most smallBits are fast enough for a million measurements of everything. Longer ones run the same code with
// more limbs; they get a share of the measurements.
const (
	smallBits  = 1024
	largeShare = 20
)

// timingThreshold is the |t| from which on the times of two classes count as different: the one in use for the
// leakage assessment of cryptographic modules (Goodwill et al., NIST Non-Invasive Attack Testing Workshop, 2011).
const timingThreshold = 4.5

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
func (c TimingCheck) Passed() bool { return c.flagged() == (c.Expect == ExpectDiffer) }

// flagged says whether the times differ.
func (c TimingCheck) flagged() bool { return math.Abs(c.T) > timingThreshold }

// TimingError is the error of a run in which not all is as expected, else nil.
func (f *File) TimingError() error {
	var bad []string
	for _, c := range f.Timing {
		if !c.Passed() {
			bad = append(bad, fmt.Sprintf("%s with kernel %s, %d bits (|t| = %s)", timingTitle(c), c.Kernel, c.Bits, twoDecimals(math.Abs(c.T))))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d timing checks are not as expected: %s", len(bad), len(f.Timing), strings.Join(bad, "; "))
}

// Timing measures whether the time of decryption and encryption depends on the secrets that they compute with, by a
// statistical test in the manner of dudect, and whether the test sees that of functions for public values, which may. A file with
// checks that did not pass comes without an error: see File.TimingError.
func Timing(ctx context.Context, o TimingOptions) (*File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	kernels, err := (&KernelsOptions{Kernel: o.Kernel}).kernels()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	warnUnknownCommit(o.Log)
	f := &File{Version: FileVersion, Machine: ThisMachine(), Results: []Result{}, Pipeline: []Stage{}}
	f.Machine.Cores = 1
	for _, bits := range o.Bits {
		for _, k := range kernels {
			list, err := o.subjects(ctx, bits, k)
			if err != nil {
				return nil, err
			}
			for _, s := range list {
				n := o.Measurements
				if bits > smallBits {
					n /= largeShare
				}
				o.Log.Info("measuring", "operation", timingTitle(s.TimingCheck), "kernel", k.Name, "bits", bits, "measurements", n)
				if err := s.measure(ctx, n, o.Seconds, monotonic); err != nil {
					return nil, fmt.Errorf("%s: %w", timingTitle(s.TimingCheck), err)
				}
				f.Timing = append(f.Timing, s.TimingCheck)
			}
		}
	}
	return f, nil
}

func (o *TimingOptions) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Measurements == 0 {
		o.Measurements = MeasurementsDefault
	}
	if o.Variants == nil {
		o.Variants = []paillier.Variant{paillier.DJN, paillier.MHL}
	}
	for _, v := range o.Variants {
		if v != paillier.DJN && v != paillier.MHL {
			return &job.UsageError{Cause: fmt.Sprintf("no timing check of variant %q", v), Hint: "Give djn, mhl or both."}
		}
	}
	if len(o.Bits) == 0 {
		return &job.UsageError{Cause: "no key size", Hint: "Give --bits 512,2048."}
	}
	if o.Measurements < 0 || o.Seconds < 0 {
		return &job.UsageError{Cause: fmt.Sprintf("%d measurements in %v seconds", o.Measurements, o.Seconds), Hint: "Give positive numbers."}
	}
	return nil
}

// The size of a lot of measurements: inputs are prepared before the first one and looked at after the last one.
const (
	lotMin   = 500
	lotMax   = 10_000
	lotBytes = 4 << 20
	// lotDropped measurements at the start of a lot do not count: caches are filled with the preparation.
	lotDropped = 10
)

// monotonic is the best clock that Go has without system calls: on Linux/amd64 the processor's time stamp counter.
func monotonic() time.Duration { return time.Since(epoch) }

var epoch = time.Now()

// measure takes n measurements, or as many as the seconds allow.
func (s *timed) measure(ctx context.Context, n int, seconds float64, clock func() time.Duration) error {
	size := s.size
	lot := max(lotMin, min(lotMax, lotBytes/size, n/10))
	inputs, classes, times := make([]byte, lot*size), make([]byte, lot), make([]float64, lot)
	random := paillier.NewRandom()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what little is allocated can wait
	start := clock()
	var test *leakTest
	for test == nil || test.count() < n {
		random.Read(classes)
		if err := s.random(inputs); err != nil {
			return err
		}
		for i := range classes {
			if classes[i] &= 1; classes[i] == 0 && s.fixed != nil {
				copy(inputs[i*size:], s.fixed)
			}
		}
		for i := range times {
			// Both classes come from memory alike and go through the same buffers.
			s.load(inputs[i*size : (i+1)*size])
			before := clock()
			s.run()
			times[i] = float64(clock() - before)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if test == nil {
			test = newLeakTest(times[lotDropped:])
			continue
		}
		for i := lotDropped; i < lot && test.count() < n; i++ {
			test.add(int(classes[i]), times[i])
		}
		if seconds > 0 && (clock()-start).Seconds() >= seconds {
			break
		}
	}
	s.Measurements, s.MedianNs = test.count(), significant(test.middle)
	s.T, s.Of = test.worst()
	s.T, s.Of, s.PlainT = significant(s.T), significant(s.Of), significant(test.plain())
	return nil
}

// timingSizes lists the key sizes of the checks in order.
func (f *File) timingSizes() []int {
	var out []int
	for _, c := range f.Timing {
		if !slices.Contains(out, c.Bits) {
			out = append(out, c.Bits)
		}
	}
	slices.Sort(out)
	return out
}
