package bench

import (
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 100}, 3.5},
	} {
		given := append([]float64(nil), test.values...)
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.values, got, test.want)
		}
		for i := range given {
			if test.values[i] != given[i] {
				t.Errorf("median reordered %v to %v", given, test.values)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	if got, want := SpreadOf([]float64{30.00004, 10, 20}), (Spread{10, 20, 30}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The ratio is taken round by round: a machine that is slow in one round does not change it, the ratio of medians it would.
func TestRatioRoundByRound(t *testing.T) {
	ours, theirs := []float64{100, 20, 110, 90, 10}, []float64{10, 2, 10, 10, 1}
	if got := Ratio(ours, theirs); got != 10 {
		t.Errorf("got %v, want 10", got)
	}
}

func TestSignificant(t *testing.T) {
	for x, want := range map[float64]float64{0: 0, 1234567: 1234600, 0.000123456: 0.00012346, -98765.4: -98765, 1: 1} {
		if got := Significant(x); got != want {
			t.Errorf("%v becomes %v, want %v", x, got, want)
		}
	}
	if !math.IsInf(Significant(math.Inf(1)), 1) {
		t.Error("an infinity becomes finite")
	}
}
