package engine

import (
	"sync"
	"time"
)

// Stats says where the time of a run went. It is valid for failed runs too.
type Stats struct {
	Wall   time.Duration // from the start of the run until its last goroutine had ended
	Stages []StageStats  // the source, the stages in order, then the sink or tree
}

// StageStats is the account of one stage. The stage with the least Wait is the one that limits the run.
type StageStats struct {
	Name    string
	Workers int           // goroutines started; never more than items may be in flight
	Items   int64         // calls that succeeded: items produced, transformed, stored; for a tree, nodes combined
	Busy    time.Duration // time inside the stage's functions, summed over its workers
	Wait    time.Duration // time its workers waited for an item (a source: for room in flight), summed over them
	Wall    time.Duration // from the start of its first call to the end of its last
}

// meter gathers the account of one stage from its workers.
type meter struct {
	mu          sync.Mutex
	stats       StageStats
	first, last time.Time
}

// shift is what one worker did; only that worker touches it until it is handed to meter.add.
type shift struct {
	items       int64
	busy, wait  time.Duration
	first, last time.Time
	mark        time.Time
}

// newShift starts the clock, waiting.
func newShift() *shift { return &shift{mark: time.Now()} }

// work ends a time of waiting.
func (s *shift) work() {
	now := time.Now()
	s.wait += now.Sub(s.mark)
	s.mark = now
}

// rest ends a time of work that finished `items` calls.
func (s *shift) rest(items int64) {
	now := time.Now()
	if s.first.IsZero() {
		s.first = s.mark
	}
	s.busy += now.Sub(s.mark)
	s.items += items
	s.mark, s.last = now, now
}

// add books a worker's shift at its end.
func (m *meter) add(s *shift) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Items += s.items
	m.stats.Busy += s.busy
	m.stats.Wait += s.wait
	if s.first.IsZero() {
		return
	}
	if m.first.IsZero() || s.first.Before(m.first) {
		m.first = s.first
	}
	if s.last.After(m.last) {
		m.last = s.last
	}
	m.stats.Wall = m.last.Sub(m.first)
}
