// Package growthtest checks in tests that work grows in proportion to what is worked on.
package growthtest

import (
	"math"
	"time"
)

// What is worked on grows by a factor, and the work by at most another: in proportion it would be the first one, if it grew
// with the square the square of it.
const (
	factor = 4
	most   = 9
)

// tries is how often it is measured until once the work has not grown too much: a collection of garbage may come in between.
const tries = 6

// test is a *testing.T.
type test interface {
	Helper()
	Errorf(format string, args ...any)
}

// Linear fails the test when f takes more than nine times as long, in seconds of all processors, for four times as much. f
// works on something of n elements, and prepares it before it calls work. It must take some milliseconds for n elements, and
// the test must not be parallel: what other tests do at the same time would count.
func Linear(t test, n int, f func(n int, work func(func()))) {
	t.Helper()
	took := func(n int) float64 {
		least := math.Inf(1)
		for range 2 {
			var spent time.Duration
			f(n, func(work func()) {
				before := cpuTime()
				work()
				spent += cpuTime() - before
			})
			least = min(least, spent.Seconds())
		}
		return least
	}
	growth := math.Inf(1)
	for range tries {
		few, many := took(n), took(factor*n)
		if growth = min(growth, many/few); growth <= most {
			return
		}
	}
	t.Errorf("%d times as much takes %.1f times as long", factor, growth)
}
