package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Budget shares out a stated amount of memory. It counts what its users declare; it allocates nothing.
//
// There are two kinds of memory. Passing memory ([Budget.Reserve], [Budget.Release]) comes back, like batches in
// flight, so a caller that lacks it waits. Standing memory ([Budget.Keep], [Budget.Drop]) stays until the end, like
// tables and group state. A caller that lacks it is refused at once, because it may itself hold passing memory that
// others wait for. This separation makes waiting safe: a request that the standing memory leaves no room for fails
// instead of hanging.
//
// What was reserved and kept together never exceeds the limit. Whether Keep succeeds depends on what happens to be
// reserved at that moment; a job whose outcome must not depend on timing keeps its batches' share up front. A nil *Budget
// has no limit. All methods are safe for concurrent use.
type Budget struct {
	limit int64

	mu      sync.Mutex
	kept    int64
	lent    int64
	peak    int64
	waiting []*claim // oldest first
}

// claim is a Reserve that waits.
type claim struct {
	what  string
	need  int64
	ready chan error // receives once: nil when reserved
}

// BudgetError is a request for memory that cannot be met.
type BudgetError struct {
	What  string // what the memory is for
	Need  int64  // bytes asked for
	Have  int64  // bytes the request could have had
	Limit int64  // bytes of the whole budget
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("%s: needs %s of memory; %s of the limit of %s can be had",
		e.What, formatBytes(e.Need), formatBytes(e.Have), formatBytes(e.Limit))
}

// NewBudget returns a budget of `limit` bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Reserve takes n bytes of passing memory for what, waiting in line while others hold them. It fails with a *BudgetError
// when the standing memory leaves less than n bytes under the limit, now or while it waits, and with the context's cause
// when ctx is done first.
func (b *Budget) Reserve(ctx context.Context, what string, n int64) error {
	mustCount(n)
	if b == nil {
		return nil
	}
	b.mu.Lock()
	if n > b.limit-b.kept {
		defer b.mu.Unlock()
		return &BudgetError{What: what, Need: n, Have: b.limit - b.kept, Limit: b.limit}
	}
	if len(b.waiting) == 0 && n <= b.free() {
		defer b.mu.Unlock()
		b.lend(n)
		return nil
	}
	c := &claim{what: what, need: n, ready: make(chan error, 1)}
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()

	select {
	case err := <-c.ready:
		return err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else if err := <-c.ready; err == nil { // it was granted in between
		b.lent -= n
	}
	b.serve()
	return context.Cause(ctx)
}

// Release gives back n bytes of passing memory.
func (b *Budget) Release(n int64) {
	mustCount(n)
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.lent {
		panic(fmt.Sprintf("engine: Budget.Release of %d bytes, %d are reserved", n, b.lent))
	}
	b.lent -= n
	b.serve()
}

// Keep takes n bytes of standing memory for what, ahead of those who wait, or fails at once with a *BudgetError.
func (b *Budget) Keep(what string, n int64) error {
	mustCount(n)
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free() {
		return &BudgetError{What: what, Need: n, Have: b.free(), Limit: b.limit}
	}
	b.kept += n
	b.peak = max(b.peak, b.kept+b.lent)
	b.serve() // callers that this leaves no room for must be told
	return nil
}

// Drop gives back n bytes of standing memory.
func (b *Budget) Drop(n int64) {
	mustCount(n)
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.kept {
		panic(fmt.Sprintf("engine: Budget.Drop of %d bytes, %d are kept", n, b.kept))
	}
	b.kept -= n
	b.serve()
}

// Limit returns the size of the budget in bytes; 0 for a nil *Budget.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Used returns the bytes taken now and the most there ever were; 0 for a nil *Budget.
func (b *Budget) Used() (now, peak int64) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept + b.lent, b.peak
}

func (b *Budget) free() int64 { return b.limit - b.kept - b.lent }

func (b *Budget) lend(n int64) {
	b.lent += n
	b.peak = max(b.peak, b.kept+b.lent)
}

// serve refuses the claims that can no longer be met and grants the oldest ones while there is room. A claim that does
// not fit holds up smaller ones behind it. Otherwise a large one might wait for ever.
func (b *Budget) serve() {
	b.waiting = slices.DeleteFunc(b.waiting, func(c *claim) bool {
		if c.need <= b.limit-b.kept {
			return false
		}
		c.ready <- &BudgetError{What: c.what, Need: c.need, Have: b.limit - b.kept, Limit: b.limit}
		return true
	})
	for len(b.waiting) > 0 && b.waiting[0].need <= b.free() {
		b.lend(b.waiting[0].need)
		b.waiting[0].ready <- nil
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
}

func mustCount(n int64) {
	if n < 0 {
		panic(fmt.Sprintf("engine: a negative number of bytes: %d", n))
	}
}

// formatBytes writes a size with its binary unit: "17 B", "1.5 MiB".
func formatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/1024, 0
	for size >= 1024 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}
