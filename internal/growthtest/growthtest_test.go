package growthtest

import "testing"

// failing notes that a test fails.
type failing bool

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { *f = true }

// Work in proportion passes, and work that grows with the square is found.
func TestLinear(t *testing.T) {
	sum := 0
	loops := func(count func(n int) int) func(int, func(func())) {
		return func(n int, work func(func())) {
			work(func() {
				for i := range count(n) {
					sum += i & sum
				}
			})
		}
	}
	Linear(t, 4_000_000, loops(func(n int) int { return n }))
	var probe failing
	Linear(&probe, 2000, loops(func(n int) int { return n * n }))
	if !probe {
		t.Error("a square passes")
	}
}
