package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
)

func TestStripesLocate(t *testing.T) {
	for _, parts := range []int{1, 3, 8} {
		s := engine.NewStripes(parts, func(part int) int { return part })
		seen := map[string]bool{}
		for _, group := range []int32{0, 1, 2, 3, 7, 8, 9, 1000, 1<<31 - 1} {
			part, local := s.Locate(group)
			if part < 0 || part >= s.Len() || s.Group(part, local) != group {
				t.Errorf("%d parts: group %d is at %d, %d, which is group %d", parts, group, part, local, s.Group(part, local))
			}
			seen[fmt.Sprint(part, local)] = true
		}
		if len(seen) != 9 {
			t.Errorf("%d parts: two groups are at one place: %v", parts, seen)
		}
	}
}

// Workers that add into unlocked slices of ints by way of Visit lose nothing (and the race detector is content).
func TestStripesVisit(t *testing.T) {
	noLeak(t)
	const parts, items, groups = 5, 400, 37
	s := engine.NewStripes(parts, func(int) []int { return make([]int, groups/parts+1) })
	_, err := engine.ForEach(t.Context(), engine.Loop[int]{
		Source: count(items),
		Stages: engine.Stage[int, engine.None]{Workers: 6, New: func(worker int) (engine.Work[int, engine.None], error) {
			return func(_ context.Context, n int) (engine.None, error) {
				visited := map[int]bool{}
				return engine.None{}, s.Visit(worker, func(part int, sums []int) error {
					if visited[part] {
						return fmt.Errorf("part %d visited twice", part)
					}
					visited[part] = true
					for group := range int32(groups) {
						if at, local := s.Locate(group); at == part {
							sums[local] += n
						}
					}
					return nil
				})
			}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for group := range int32(groups) {
		var got int
		part, local := s.Locate(group)
		err := s.Visit(0, func(p int, sums []int) error {
			if p == part {
				got = sums[local]
			}
			return nil
		})
		if want := items * (items - 1) / 2; err != nil || got != want {
			t.Errorf("group %d: %d, %v; want %d", group, got, err, want)
		}
	}
}

// A part that is locked is left for last.
func TestStripesVisitTakesFreePartsFirst(t *testing.T) {
	noLeak(t)
	s := engine.NewStripes(4, func(part int) int { return part })
	inside, leave := make(chan engine.None), make(chan engine.None)
	holder := make(chan error)
	go func() {
		holder <- s.Visit(1, func(part, _ int) error {
			if part == 1 {
				close(inside)
				<-leave
			}
			return nil
		})
	}()
	<-inside
	var order []int
	err := s.Visit(1, func(part, _ int) error {
		if order = append(order, part); len(order) == 3 {
			close(leave)
		}
		return nil
	})
	if err := errors.Join(err, <-holder); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []int{2, 3, 0, 1}) {
		t.Errorf("visited in order %v", order)
	}
}

// After an error or a panic no part stays locked.
func TestStripesVisitUnlocks(t *testing.T) {
	s := engine.NewStripes(3, func(part int) int { return part })
	visits := 0
	if err := s.Visit(0, func(int, int) error { visits++; return errFault }); err != errFault || visits != 1 {
		t.Errorf("got %v after %d visits", err, visits)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.Visit(0, func(int, int) error { panic("inside") })
	}()
	visits = 0
	if err := s.Visit(2, func(int, int) error { visits++; return nil }); err != nil || visits != 3 {
		t.Errorf("%d visits, %v", visits, err)
	}
}
