package engine

import "sync"

// Stripes is state of groups cut into parts that are locked one by one, so that several workers fill it at once while it
// exists only once. Group g belongs to part g mod Len(), where it is number g div Len(): groups that come together are
// spread over the parts.
type Stripes[S any] struct {
	parts []stripe[S]
}

type stripe[S any] struct {
	mu    sync.Mutex
	state S
}

// NewStripes returns n parts (at least 1), each made by newPart. More parts than workers (four times, say) keep the
// workers from waiting for each other.
func NewStripes[S any](n int, newPart func(part int) S) *Stripes[S] {
	s := &Stripes[S]{parts: make([]stripe[S], max(n, 1))}
	for i := range s.parts {
		s.parts[i].state = newPart(i)
	}
	return s
}

// Len returns the number of parts.
func (s *Stripes[S]) Len() int { return len(s.parts) }

// Locate returns the part a group belongs to and its number there.
func (s *Stripes[S]) Locate(group int32) (part int, local int32) {
	n := int32(len(s.parts))
	return int(group % n), group / n
}

// Group is the inverse of Locate.
func (s *Stripes[S]) Group(part int, local int32) int32 {
	return local*int32(len(s.parts)) + int32(part)
}

// Visit calls f once for each part, holding that part's lock, in whatever order has to wait least, starting near `first`
// (any number not negative; different for each worker). It stops at the first error and returns it.
func (s *Stripes[S]) Visit(first int, f func(part int, state S) error) error {
	var busy []int
	for i := range s.parts {
		part := (first + i) % len(s.parts)
		if !s.parts[part].mu.TryLock() {
			busy = append(busy, part)
			continue
		}
		if err := s.call(part, f); err != nil {
			return err
		}
	}
	for _, part := range busy {
		s.parts[part].mu.Lock()
		if err := s.call(part, f); err != nil {
			return err
		}
	}
	return nil
}

// call runs f on a part that is locked, and unlocks it even if f panics.
func (s *Stripes[S]) call(part int, f func(part int, state S) error) error {
	defer s.parts[part].mu.Unlock()
	return f(part, s.parts[part].state)
}
