package kernelbench

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/bench"
)

// rated is a contender with rates as if measured.
func rated(impl, op, variant string, bits int, rates ...float64) *contender {
	return &contender{Result: bench.Result{Impl: impl, Op: op, Variant: variant, Bits: bits}, rates: rates}
}

// TestCompare checks which operations of a peer ours are compared with.
func TestCompare(t *testing.T) {
	theirs := []*contender{
		rated("gmp", bench.OpEncrypt, "textbook", 2048, 10, 10, 10), rated("gmp", bench.OpEncrypt, "djn", 2048, 20, 20, 20),
		rated("gmp", bench.OpFold, "djn", 2048, 1000, 1000, 1000), rated("gmp", bench.OpMul64, "djn", 2048, 50, 50, 50),
		rated("gmp", bench.OpDecrypt, "djn", 2048, 40, 40, 40), rated("gmp", bench.OpEncrypt, "textbook", 3072, 1, 1, 1),
		rated("math/big", bench.OpEncrypt, "textbook", 2048, 5, 5, 5),
		rated("gmp windows", bench.OpEncrypt, "djn", 3072, 50, 50, 50), rated("gmp", bench.OpSquareMul, "", 4096, 1000, 1000, 1000),
	}
	for _, test := range []struct {
		ours *contender
		want map[string]float64
	}{
		{rated(bench.Cipherfold, bench.OpEncrypt, "mhl", 2048, 100, 300, 200), map[string]float64{"gmp": 20, "gmp djn": 10, "math/big": 40}},
		{rated(bench.Cipherfold, bench.OpEncrypt, "djn", 3072, 100, 300, 200), map[string]float64{"gmp": 200, "gmp windows": 4}},
		{rated(bench.Cipherfold, bench.OpRerandomize, "djn", 2048, 100, 300, 200), map[string]float64{"gmp": 20, "math/big": 40}},
		{rated(bench.Cipherfold, bench.OpOwn, "djn", 2048, 100, 300, 200), map[string]float64{"gmp": 20, "math/big": 40}},
		{rated(bench.Cipherfold, bench.OpSquareMul, "", 4096, 2000, 2000, 2000), map[string]float64{"gmp": 2}},
		{rated(bench.Cipherfold, bench.OpSquareSqr, "", 4096, 2000, 2000, 2000), map[string]float64{}},
		{rated(bench.Cipherfold, bench.OpFold, "djn", 2048, 9000, 7000, 8000), map[string]float64{"gmp": 8}},
		{rated(bench.Cipherfold, bench.OpWeighted, "djn", 2048, 100, 100, 100), map[string]float64{"gmp": 2}},
		{rated(bench.Cipherfold, bench.OpDecrypt, "mhl", 2048, 400, 400, 400), map[string]float64{"gmp": 10}},
		{rated(bench.Cipherfold, bench.OpMontMul, "", 2048, 1, 2, 3), map[string]float64{}},
		{rated(bench.Cipherfold, bench.OpKeygen, "djn", 2048, 1, 2, 3), map[string]float64{}},
	} {
		compare(append(theirs, test.ours))
		if !maps.Equal(test.ours.Ratio, test.want) {
			t.Errorf("%v: ratios %v, want %v", test.ours, test.ours.Ratio, test.want)
		}
	}
	if len(theirs[0].Ratio) != 0 {
		t.Errorf("a peer has ratios %v", theirs[0].Ratio)
	}
}

// work spends some time on a core for each row.
func work(perRow time.Duration) func(int) (int, error) {
	return func(rows int) (int, error) {
		for start := threadTime(); threadTime()-start < time.Duration(rows)*perRow; {
		}
		return rows, nil
	}
}

func TestCalibrate(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, test := range []struct {
		perRow           time.Duration
		rowsMin, rowsMax int
		want             []int
	}{
		{0, 8, 128, []int{128}}, {0, 8, 100, []int{64}}, {time.Millisecond, 8, 128, []int{8}}, {3 * time.Millisecond, 8, 128, []int{8}}, {60 * time.Microsecond, 1, 256, []int{64, 128}}, {0, 3, 3, []int{3}},
	} {
		c := &contender{rowsMin: test.rowsMin, rowsMax: test.rowsMax, run: work(test.perRow)}
		if err := c.calibrate(10 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		ok := false
		for _, rows := range test.want {
			ok = ok || c.rows == rows
		}
		if !ok {
			t.Errorf("%v for a row, batches of %d to %d: %d chosen, want one of %v", test.perRow, test.rowsMin, test.rowsMax, c.rows, test.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &contender{run: work(100 * time.Microsecond), rows: 2}
	if err := c.measure(context.Background(), 5*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if rate := c.rates[0]; len(c.rates) != 1 || rate > 10_000 || rate < 5_000 {
		t.Errorf("100 µs each make rates of %v", c.rates)
	}
	broken := errors.New("broken")
	c.run = func(int) (int, error) { return 0, broken }
	if err := c.measure(context.Background(), time.Millisecond); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if err := c.calibrate(time.Millisecond); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.run = work(0)
	if err := c.measure(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
