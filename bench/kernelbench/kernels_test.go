package kernelbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// TestKernels measures everything once, with short keys and no patience, and looks at what there is.
func TestKernels(t *testing.T) {
	const bits = 1024
	f, err := Run(context.Background(), Options{Bits: []int{bits}, Seconds: 1e-3, Rounds: 2, TestKey: true, Peers: len(peers.Libraries()) > 1})
	if err != nil {
		t.Fatal(err)
	}
	again, err := bench.ReadFile(f.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bench.Result{}
	for _, r := range again.Results {
		name := fmt.Sprintf("%s %s %s %s %s %d", r.Impl, r.Kernel, r.Op, r.Variant, r.Role, r.Bits)
		if _, twice := got[name]; twice {
			t.Errorf("%s comes twice", name)
		}
		got[name] = r
	}
	want := func(ratios []string, format string, args ...any) {
		t.Helper()
		name := fmt.Sprintf(format, args...)
		r, ok := got[name]
		if !ok {
			t.Errorf("no result for %s", name)
		}
		delete(got, name)
		for _, x := range ratios {
			if r.Ratio[x] <= 0 {
				t.Errorf("%s: no ratio to %s", name, x)
			}
		}
		if len(r.Ratio) != len(ratios) {
			t.Errorf("%s: ratios %v", name, r.Ratio)
		}
		limited := slices.ContainsFunc(limits, func(l limit) bool { return l.kernel == r.Kernel }) && (r.Op == bench.OpMontMul || r.Op == bench.OpMontSqr)
		if limited != (r.OfLimit > 0) || r.Threads != 1 {
			t.Errorf("%s: %v of the limit, %d threads", name, r.OfLimit, r.Threads)
		}
	}
	var plain, both []string
	squares := []string{}
	for _, l := range peers.Libraries() {
		plain = append(plain, l.Name)
		both = append(both, l.Name, l.Name+" djn")
		squares = append(squares, l.Name)
		want(nil, "%s  encrypt textbook public 1024", l.Name)
		want(nil, "%s  encrypt djn public 1024", l.Name)
		want(nil, "%s  fold djn public 1024", l.Name)
		want(nil, "%s  mul64 djn public 1024", l.Name)
		want(nil, "%s  decrypt djn owner 1024", l.Name)
		want(nil, "%s  squaremul   %d", l.Name, 2*bits)
		want(nil, "%s  squaresqr   %d", l.Name, 2*bits)
	}
	for _, w := range peers.WindowsPeers() {
		want(nil, "%s  encrypt djn public 1024", w.Name)
		both = append(both, w.Name)
	}
	for _, k := range paillier.Kernels() {
		if !k.Available {
			continue
		}
		for _, variant := range bench.Variants {
			want(both, "cipherfold %s encrypt %s public 1024", k.Name, variant)
			want(both, "cipherfold %s encrypt %s owner 1024", k.Name, variant)
		}
		for _, variant := range []string{"djn", "mhl"} {
			want(plain, "cipherfold %s decrypt %s owner 1024", k.Name, variant)
			want(plain, "cipherfold %s rerandomize %s public 1024", k.Name, variant)
		}
		for _, op := range []string{bench.OpFold, bench.OpMul64, bench.OpWeighted} {
			want(plain, "cipherfold %s %s djn public 1024", k.Name, op)
		}
		want(plain, "cipherfold %s rerandomize-own djn public 1024", k.Name)
		want(squares, "cipherfold %s squaremul   %d", k.Name, 2*bits)
		want(squares, "cipherfold %s squaresqr   %d", k.Name, 2*bits)
		for _, modulus := range []int{bits, 2 * bits} {
			want(nil, "cipherfold %s montmul   %d", k.Name, modulus)
			want(nil, "cipherfold %s montsqr   %d", k.Name, modulus)
		}
	}
	for _, variant := range bench.Variants {
		want(nil, "cipherfold  keygen %s owner 1024", variant)
	}
	for name := range got {
		t.Errorf("unexpected result %s", name)
	}
	m := again.Machine
	for _, l := range limits {
		if *l.told(&m) <= 0 {
			t.Errorf("no limit of %s", l.kernel)
		}
	}
	if m.Cores < 1 || m.Go == "" || m.Commit == "" {
		t.Errorf("machine %+v", m)
	}
	name := f.Name(time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC))
	if series, _, ok := bench.ParseName(name); !ok || !strings.HasPrefix(series, "kernels-") {
		t.Errorf("name %s", name)
	}
}

// TestKernelsChosen measures one kernel without a limit, and nothing is said of limits.
func TestKernelsChosen(t *testing.T) {
	f, err := Run(context.Background(), Options{Bits: []int{512}, Seconds: 1e-3, Rounds: 1, TestKey: true, Kernel: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range limits {
		if rate := *l.told(&f.Machine); rate != 0 {
			t.Errorf("a limit of %v of %s that nobody measured", rate, l.kernel)
		}
	}
	for _, r := range f.Results {
		if !slices.Contains([]string{"", "generic"}, r.Kernel) || r.OfLimit != 0 || r.Impl != bench.Cipherfold && r.Impl != "math/big" {
			t.Errorf("%+v", r)
		}
	}
}

func TestKernelsRefuse(t *testing.T) {
	for _, o := range []Options{
		{}, {Bits: []int{1024}, Seconds: -1}, {Bits: []int{1024}, Rounds: -1}, {Bits: []int{1024}, Kernel: "abacus"},
	} {
		_, err := Run(context.Background(), o)
		var usage *job.UsageError
		if !errors.As(err, &usage) || usage.Hint == "" {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if _, err := Run(context.Background(), Options{Bits: []int{1024}}); err == nil {
		t.Error("short keys need no permission")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Bits: []int{512}, TestKey: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(peers.Libraries()) == 1 {
		_, err := Run(context.Background(), Options{Bits: []int{512}, TestKey: true, Peers: true})
		var usage *job.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Hint, "-tags peers") {
			t.Errorf("error %v", err)
		}
	}
}

// The counts of kernels.md: 4K² instructions on 8 lanes, 3K² for a square, K limbs of 52 bits.
func TestInstructions(t *testing.T) {
	for bits, limbs := range map[int]float64{2048: 40, 3072: 60, 4096: 79, 6144: 119, 8192: 158} {
		if got := ifmaLimit.of(bench.OpMontMul, bits); got != limbs*limbs/2 {
			t.Errorf("%d bits: %v for a multiplication", bits, got)
		}
		if got := ifmaLimit.of(bench.OpMontSqr, bits); got != limbs*limbs*3/8 {
			t.Errorf("%d bits: %v for a squaring", bits, got)
		}
	}
	for bits, limbs := range map[int]float64{2048: 44, 3072: 66, 4096: 88, 6144: 134, 8192: 180} {
		if got := narrowLimit.of(bench.OpMontMul, bits); got != 2*limbs*limbs {
			t.Errorf("%d bits: %v products of limbs", bits, got)
		}
	}
	if got := narrowLimit.of(bench.OpDecrypt, 2048); got != 0 {
		t.Errorf("%v for a decryption", got)
	}
}
