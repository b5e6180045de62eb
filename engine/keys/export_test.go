package keys

import (
	"context"

	"github.com/cipherfold/cipherfold/engine/job"
)

// What tests of whole jobs look at, or change.
var (
	CacheWorth  = &cacheWorth
	ErrNotOwn   = errNotOwn
	Permissions = permissions
)

const OthersRead = othersRead

func (t *Powers) CacheWords(piece int) []uint64 { return t.cache.tables.Words(piece) }

func (t *Powers) WriteCache(ctx context.Context) error { return t.cache.write(ctx) }

func (t *Powers) Made() bool { return t.tables != nil && t.from == job.PowersMade }
