package timing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// imaginary is an operation on a machine whose clock does what the test wants. It takes longer for odd inputs.
type imaginary struct {
	timed
	now    time.Duration
	random *rand.Rand
	odd    bool
	runs   int
}

func newImaginary(longer time.Duration) *imaginary {
	x := &imaginary{random: rand.New(rand.NewPCG(7, 7))}
	x.timed = timed{
		size:  1,
		fixed: []byte{2},
		random: func(inputs []byte) error {
			for i := range inputs {
				inputs[i] = byte(2*x.random.IntN(100)) + 1
			}
			return nil
		},
		load: func(input []byte) { x.odd = input[0]&1 == 1 },
		run: func() {
			x.runs++
			x.now += time.Duration(machineNoise(x.random))
			if x.odd {
				x.now += longer
			}
		},
	}
	return x
}

func (x *imaginary) clock() time.Duration { return x.now }

func TestMeasureTiming(t *testing.T) {
	for _, test := range []struct {
		longer time.Duration
		expect string
		passed bool
	}{{0, bench.ExpectSame, true}, {0, bench.ExpectDiffer, false}, {20, bench.ExpectDiffer, true}, {20, bench.ExpectSame, false}} {
		x := newImaginary(test.longer)
		x.Expect = test.expect
		if err := x.measure(context.Background(), 50_000, 0, x.clock); err != nil {
			t.Fatal(err)
		}
		if x.Passed() != test.passed || x.Measurements != 50_000 || x.MedianNs < 9_900 || x.MedianNs > 10_100 || test.longer > 0 && x.T > 0 {
			t.Errorf("%v longer: %+v", test.longer, x.TimingCheck)
		}
		// The first lot sets limits, and of each one the first measurements do not count.
		if lots := 12; x.runs != lots*5000 {
			t.Errorf("%d runs", x.runs)
		}
	}

	// Random inputs in both classes: nothing differs, whatever they take.
	x := newImaginary(20)
	x.fixed = nil
	if err := x.measure(context.Background(), 50_000, 0, x.clock); err != nil || x.Flagged() {
		t.Errorf("%+v, %v", x.TimingCheck, err)
	}

	// A limit of time ends it after the lot in which it passes.
	x = newImaginary(0)
	if err := x.measure(context.Background(), 1_000_000, 1, x.clock); err != nil || x.Measurements%9_990 != 0 || x.now < time.Second || x.now > 5*time.Second {
		t.Errorf("%d measurements in %v, %v", x.Measurements, x.now, err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newImaginary(0).measure(ctx, 1000, 0, monotonic); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	x = newImaginary(0)
	x.timed.random = func([]byte) error { return errors.New("no inputs") }
	if err := x.measure(context.Background(), 1000, 0, x.clock); err == nil || err.Error() != "no inputs" {
		t.Errorf("error %v", err)
	}
}

// TestTiming takes a few measurements of everything with every kernel, and looks at what there is and that the coarsest
// differences are seen.
func TestTiming(t *testing.T) {
	f, err := Run(context.Background(), Options{Bits: []int{512}, Measurements: 300})
	if err != nil {
		t.Fatal(err)
	}
	again, err := bench.ReadFile(f.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, c := range again.Timing {
		got = append(got, fmt.Sprintf("%s %s %s %s", c.Kernel, c.Op, c.Variant, c.Role))
		if c.Bits != 512 || c.Measurements != 300 || c.MedianNs <= 0 || c.Secret == "" || !slices.Contains([]int{1, 4, inverseRows}, c.Rows) {
			t.Errorf("%+v", c)
		}
		varies := c.Op == bench.OpExpVarTime || c.Op == bench.OpInverseVarTime || c.Op == bench.OpControlProduct
		if (c.Expect == bench.ExpectDiffer) != varies {
			t.Errorf("%s: expected to be %s", c.Op, c.Expect)
		}
		if (c.Op == bench.OpExpVarTime || c.Op == bench.OpInverseVarTime) && !c.Passed() {
			t.Errorf("%s with kernel %s: t = %v", c.Op, c.Kernel, c.T)
		}
	}
	for _, k := range paillier.Kernels() {
		if !k.Available {
			continue
		}
		for _, op := range []string{bench.OpControl, bench.OpControlProduct, bench.OpExp, bench.OpExpVarTime, bench.OpInverseVarTime} {
			want = append(want, fmt.Sprintf("%s %s  ", k.Name, op))
		}
		for _, variant := range []string{"djn", "mhl"} {
			for _, role := range []string{bench.RolePublic, bench.RoleOwner} {
				want = append(want, fmt.Sprintf("%s %s %s %s", k.Name, bench.OpTableExp, variant, role), fmt.Sprintf("%s %s %s %s", k.Name, bench.OpEncrypt, variant, role))
			}
			want = append(want, fmt.Sprintf("%s %s %s %s", k.Name, bench.OpDecrypt, variant, bench.RoleOwner))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("checked\n%q, want\n%q", got, want)
	}
	name := f.Name(time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC))
	if series, _, ok := bench.ParseName(name); !ok || !strings.HasPrefix(series, "timing-") {
		t.Errorf("name %s", name)
	}
	var shape map[string]json.RawMessage
	if err := json.Unmarshal(f.Marshal(), &shape); err != nil || shape["timing"] == nil {
		t.Errorf("%v, %v", shape, err)
	}
}

// The inputs of both classes are such that nothing but their values differs: random exponents are as long as fixed ones.
func TestTimedInputs(t *testing.T) {
	o := Options{Variants: []paillier.Variant{paillier.MHL}}
	kernels := paillier.Kernels()
	list, err := o.subjects(context.Background(), 512, kernels[len(kernels)-1])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		inputs := make([]byte, 50*s.size)
		if err := s.random(inputs); err != nil {
			t.Fatal(err)
		}
		if s.fixed != nil && len(s.fixed) != s.size {
			t.Errorf("%s: a fixed input of %d bytes, random ones of %d", s.Op, len(s.fixed), s.size)
		}
		seen := map[string]bool{}
		for i := 0; i < len(inputs); i += s.size {
			in := inputs[i : i+s.size]
			seen[string(in)] = true
			s.load(in)
			s.run() // panics when an input is refused
			if strings.HasPrefix(s.Op, "exp") && in[0]&0x80 == 0 {
				t.Errorf("%s: a shorter exponent %x", s.Op, in)
			}
		}
		if len(seen) != 50 {
			t.Errorf("%s: %d different inputs of 50", s.Op, len(seen))
		}
		if s.fixed != nil {
			s.load(s.fixed)
			s.run()
		}
	}
}

func TestTimingError(t *testing.T) {
	good := []bench.TimingCheck{{Op: bench.OpExp, Expect: bench.ExpectSame, T: 4.5}, {Op: bench.OpExpVarTime, Expect: bench.ExpectDiffer, T: -4.6}}
	if err := Error(&bench.File{Timing: good}); err != nil {
		t.Errorf("error %v", err)
	}
	for _, bad := range []bench.TimingCheck{{Op: bench.OpExp, Kernel: "abacus", Bits: 512, Expect: bench.ExpectSame, T: -4.51}, {Op: bench.OpExpVarTime, Kernel: "abacus", Expect: bench.ExpectDiffer, T: 4.4}} {
		err := Error(&bench.File{Timing: append(good, bad)})
		if err == nil || !strings.HasPrefix(err.Error(), "1 of 3 timing checks are not as expected: power") || !strings.Contains(err.Error(), "abacus") ||
			!strings.Contains(err.Error(), fmt.Sprintf("%.2f", math.Abs(bad.T))) {
			t.Errorf("error %v", err)
		}
	}
}

func TestTimingRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {Bits: []int{512}, Measurements: -1}, {Bits: []int{512}, Seconds: -1}, {Bits: []int{512}, Kernel: "abacus"},
		{Bits: []int{512}, Variants: []paillier.Variant{paillier.Textbook}},
	} {
		_, err := Run(context.Background(), o)
		var usage *job.UsageError
		if !errors.As(err, &usage) || usage.Hint == "" {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if _, err := Run(context.Background(), Options{Bits: []int{500}}); err == nil {
		t.Error("a key of 500 bits is accepted")
	}
	for _, c := range []bench.TimingCheck{{Op: "guess"}, {Op: bench.OpExp, Expect: "luck"}, {Op: bench.OpExp, Expect: bench.ExpectSame, Kernel: "ifma", Bits: 1, Rows: 1}} {
		f := &bench.File{Version: 1, Machine: bench.Machine{Features: []string{}}, Results: []bench.Result{}, Pipeline: []bench.Stage{}, Timing: []bench.TimingCheck{c}}
		if _, err := bench.ReadFile(f.Marshal()); err == nil || !strings.Contains(err.Error(), "timing check 0") {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}
