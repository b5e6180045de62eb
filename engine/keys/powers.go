package keys

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// What Encryption.TableCache may be.
const (
	CacheAuto = "auto" // read what is kept; keep what took long to make
	CacheOn   = "on"   // read and keep
	CacheOff  = "off"  // neither
)

// PowersShare is the part of the memory that tables of powers may take: a quarter. Where the fastest tables are larger,
// smaller and slower ones are made.
const PowersShare = 4

// cacheWorth is how long tables must take to make for TableCacheAuto to keep them. Below it, reading and checking them
// saves too little for their space (docs/benchmarks-method.md has figures).
var cacheWorth = 100 * time.Millisecond

// Powers are the tables of a key for one job.
type Powers struct {
	o      job.Options
	tables *paillier.Tables // nil when the workers need none, or have them
	cache  *powersCache     // nil when nothing is read or kept
	always bool             // keep, however fast they were made

	once  sync.Once
	err   error
	from  string
	took  time.Duration
	stats engine.Stats
	stale bool // what is kept cannot be used
}

// PlanPowers plans the tables of encryption: the owner's, or the public ones with what is kept of them. It returns a
// *engine.BudgetError when even the smallest possible ones are larger than the memory.
func (k Key) PlanPowers(o job.Options, cache string) (*Powers, error) {
	t := &Powers{o: o, always: cache == CacheOn}
	if k.Secret != nil {
		t.tables = k.Secret.PlanTables(o.Memory / PowersShare)
	} else if public := k.Public.PlanTables(o.Memory / PowersShare); public != nil {
		t.tables = &public.Tables
		if cache != CacheOff {
			t.cache = newPowersCache(k, public)
		}
	}
	if n := t.Bytes(); n > o.Memory {
		return nil, &engine.BudgetError{What: PowersBudget, Need: n, Have: o.Memory, Limit: o.Memory}
	}
	return t, nil
}

const PowersBudget = "tables of powers"

// Bytes is the memory of the tables that are to be made.
func (t *Powers) Bytes() int64 {
	if t.tables == nil {
		return 0
	}
	return t.tables.Bytes()
}

// Fill has the tables ready for the workers when it returns. Of several calls, the first one does it.
func (t *Powers) Fill(ctx context.Context) error {
	t.once.Do(func() {
		if t.tables != nil {
			t.err = t.readOrMake(ctx)
		}
	})
	return t.err
}

func (t *Powers) readOrMake(ctx context.Context) error {
	start := time.Now()
	defer func() { t.took = time.Since(start) }()
	if t.cache != nil {
		bad := t.cache.read(ctx, t.o.Threads)
		if bad == nil {
			t.from = job.FromCache
			t.tables.Install()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case bad.leave:
			t.o.Log.Warn("the tables kept beside the key are not used and not replaced: remove them, or copy the key to a directory of your own", "file", t.cache.file, "because", bad.why)
		case bad.why != "":
			t.o.Log.Warn("the tables kept beside the key are not used, they are made anew", "file", t.cache.file, "because", bad.why)
		}
		t.stale = bad.replace
		if bad.leave {
			t.cache = nil
		}
	}
	t.from = job.PowersMade
	var err error
	if t.stats, err = MakePieces(ctx, t.tables, t.o.Threads); err != nil {
		return err
	}
	t.tables.Install()
	return nil
}

func MakePieces(ctx context.Context, tables *paillier.Tables, threads int) (engine.Stats, error) {
	stats, err := eachPiece(ctx, tables.Pieces(), threads, func() func(int) error {
		return func(piece int) error {
			tables.Make(piece)
			return nil
		}
	})
	return stats, job.UnwrapStage(err)
}

// eachPiece calls a function for every piece of a table, on several workers; work makes a worker's function.
func eachPiece(ctx context.Context, pieces, threads int, work func() func(piece int) error) (engine.Stats, error) {
	list := make([]int, pieces)
	for i := range list {
		list[i] = i
	}
	return engine.ForEach(ctx, engine.Loop[int]{
		Source: engine.FromSlice(list),
		Stage: engine.Stage[int, engine.None]{Name: "tables", Workers: threads, New: func(int) (engine.Work[int, engine.None], error) {
			f := work()
			return func(_ context.Context, piece int) (engine.None, error) { return engine.None{}, f(piece) }, nil
		}},
	})
}

// Report says what happened to the tables, and the time to make them. It is nothing when there were no tables to make,
// and for all but the first call. As the job is done, tables worth keeping are kept now: that may fail, and only saves
// time.
func (t *Powers) Report(ctx context.Context) (*job.TablesReport, []engine.StageStats) {
	if t.tables == nil {
		return nil, nil
	}
	r := &job.TablesReport{Bytes: t.tables.Bytes(), From: t.from, Seconds: t.took.Seconds()}
	var stages []engine.StageStats
	if t.from == job.PowersMade {
		stages = t.stats.Stages[1:] // but the list of pieces
	}
	t.tables = nil
	if t.cache == nil {
		return r, stages
	}
	if t.from == job.PowersMade && (t.always || t.stale || t.took >= cacheWorth) {
		if err := t.cache.write(ctx); err != nil {
			level := slog.LevelDebug // nobody asked for it
			if t.always {
				level = slog.LevelInfo
			}
			t.o.Log.Log(ctx, level, "tables of powers are not kept beside the key", "because", err)
			return r, stages
		}
		r.Kept = t.cache.file
	} else if t.from == job.FromCache {
		r.Kept = t.cache.file
	}
	return r, stages
}

// PowersReport is what Inspect reports about the tables of powers of a key.
type PowersReport struct {
	Bytes  int64  `json:"bytes"` // of memory, when encrypting under this key with this kernel and within the given memory
	Kernel string `json:"kernel"`
	Kept   string `json:"kept,omitempty"`   // the file that keeps them
	Unused string `json:"unused,omitempty"` // why the file beside the key would not be used
}

// InspectPowers returns nil for keys without tables.
func (k Key) InspectPowers(o job.Options) (*PowersReport, error) {
	if err := k.UseKernel(o.Kernel); err != nil {
		return nil, err
	}
	t, err := k.PlanPowers(o, CacheAuto)
	if err != nil || t.tables == nil {
		return nil, err
	}
	x := &PowersReport{Bytes: t.Bytes(), Kernel: k.Public.Kernel()}
	if t.cache == nil {
		return x, nil
	}
	f, _, _, bad := t.cache.open()
	if bad == nil {
		x.Kept = t.cache.file
		return x, f.Close()
	}
	x.Unused = bad.why
	return x, nil
}
