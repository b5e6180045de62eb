package server

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// LoadForTest makes both passes of a query and hands over its columns, one after the other, in pieces.
func LoadForTest(ctx context.Context, s store.Store, sel *store.Selection, by string, memory int64, dir string, each func(first int64, shares []uint64)) (groups int, err error) {
	found, err := look(ctx, s, sel, by, false)
	if err == nil {
		err = found.unfit
	}
	if err != nil {
		return 0, err
	}
	c, err := found.load(ctx, s, memory, dir)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for i := range sel.Columns {
		for first := int64(0); first < found.records; first += 9999 {
			part := make([]uint64, min(9999, found.records-first))
			if err := c.Read(ctx, part, i, first); err != nil {
				return 0, err
			}
			each(first, part)
		}
	}
	return len(found.keys), nil
}

// LookForTest makes the first pass of a query. smallest is how many patients the smallest group has.
func LookForTest(ctx context.Context, s store.Store, sel *store.Selection, by string, retrieve bool) (groups, smallest int, unfit, err error) {
	found, err := look(ctx, s, sel, by, retrieve)
	if err != nil {
		return 0, 0, nil, err
	}
	smallest = found.cohorts[0][0].Patients()
	for _, c := range found.cohorts[0] {
		smallest = min(smallest, c.Patients())
	}
	return len(found.keys), smallest, found.unfit, nil
}
