package job

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// What Encryption.TableCache may be.
const (
	TableCacheAuto = "auto" // read what is kept; keep what took long to make
	TableCacheOn   = "on"   // read and keep
	TableCacheOff  = "off"  // neither
)

// tableShare is the part of the memory that tables of powers may take: a quarter. Where the fastest tables are larger,
// smaller and slower ones are made.
const tableShare = 4

// tableCacheWorth is how long tables must take to make for TableCacheAuto to keep them. Below it, reading and checking
// them saves too little for the space that they take (docs/benchmarks-method.md has figures).
var tableCacheWorth = 100 * time.Millisecond

// TablesReport tells about the tables of powers of a key, which encryption computes with.
type TablesReport struct {
	Bytes   int64   `json:"bytes"`          // of memory
	From    string  `json:"from"`           // "made" or "cache"
	Seconds float64 `json:"seconds"`        // that it took to have them
	Kept    string  `json:"kept,omitempty"` // the file that keeps them for next time
}

// What TablesReport.From may be.
const (
	fromMaking = "made"
	fromCache  = "cache"
)

// keyTables are the tables of a key for one job.
type keyTables struct {
	o      Options
	tables *paillier.Tables // nil when the workers need none, or have them
	cache  *tableCache      // nil when nothing is read or kept
	always bool             // keep, however fast they were made

	once  sync.Once
	err   error
	from  string
	took  time.Duration
	stats engine.Stats
	stale bool // what is kept cannot be used
}

// planTables plans the tables of encryption: the owner's, or the public ones with what is kept of them. It returns a
// *engine.BudgetError when even the smallest possible ones are larger than the memory.
func (k Key) planTables(o Options, cache string) (*keyTables, error) {
	t := &keyTables{o: o, always: cache == TableCacheOn}
	if k.Secret != nil {
		t.tables = k.Secret.PlanTables(o.Memory / tableShare)
	} else if public := k.Public.PlanTables(o.Memory / tableShare); public != nil {
		t.tables = &public.Tables
		if cache != TableCacheOff {
			t.cache = newTableCache(k, public)
		}
	}
	if n := t.bytes(); n > o.Memory {
		return nil, &engine.BudgetError{What: whatTables, Need: n, Have: o.Memory, Limit: o.Memory}
	}
	return t, nil
}

const whatTables = "tables of powers"

// bytes is the memory of the tables that are to be made.
func (t *keyTables) bytes() int64 {
	if t.tables == nil {
		return 0
	}
	return t.tables.Bytes()
}

// fill has the tables ready for the workers when it returns. Of several calls, the first one does it.
func (t *keyTables) fill(ctx context.Context) error {
	t.once.Do(func() {
		if t.tables != nil {
			t.err = t.readOrMake(ctx)
		}
	})
	return t.err
}

func (t *keyTables) readOrMake(ctx context.Context) error {
	start := time.Now()
	defer func() { t.took = time.Since(start) }()
	if t.cache != nil {
		bad := t.cache.read(ctx, t.o.Threads)
		if bad == nil {
			t.from = fromCache
			t.tables.Install()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if bad.why != "" {
			t.o.Log.Warn("the tables kept beside the key are not used, they are made anew", "file", t.cache.file, "because", bad.why)
		}
		t.stale = bad.replace
		if bad.leave {
			t.cache = nil
		}
	}
	t.from = fromMaking
	var err error
	if t.stats, err = makePieces(ctx, t.tables, t.o.Threads); err != nil {
		return err
	}
	t.tables.Install()
	return nil
}

func makePieces(ctx context.Context, tables *paillier.Tables, threads int) (engine.Stats, error) {
	stats, err := eachPiece(ctx, tables.Pieces(), threads, func() func(int) error {
		return func(piece int) error {
			tables.Make(piece)
			return nil
		}
	})
	return stats, unwrapStage(err)
}

// eachPiece calls a function for every piece of a table, on several workers; work makes a worker's function.
func eachPiece(ctx context.Context, pieces, threads int, work func() func(piece int) error) (engine.Stats, error) {
	list := make([]int, pieces)
	for i := range list {
		list[i] = i
	}
	return engine.ForEach(ctx, engine.Loop[int]{
		Source: engine.FromSlice(list),
		Stages: engine.Stage[int, engine.None]{Name: "tables", Workers: threads, New: func(int) (engine.Work[int, engine.None], error) {
			f := work()
			return func(_ context.Context, piece int) (engine.None, error) { return engine.None{}, f(piece) }, nil
		}},
	})
}

// report is what became of the tables, and the account of making them; nothing when there were none to make, or for all
// but the first call. What is worth keeping is kept now, as the job is done: that may fail, and only saves time.
func (t *keyTables) report(ctx context.Context) (*TablesReport, []engine.StageStats) {
	if t.tables == nil {
		return nil, nil
	}
	r := &TablesReport{Bytes: t.tables.Bytes(), From: t.from, Seconds: t.took.Seconds()}
	var stages []engine.StageStats
	if t.from == fromMaking {
		stages = t.stats.Stages[1:] // but the list of pieces
	}
	t.tables = nil
	if t.cache == nil {
		return r, stages
	}
	if t.from == fromMaking && (t.always || t.stale || t.took >= tableCacheWorth) {
		if err := t.cache.write(ctx); err != nil {
			level := slog.LevelDebug // nobody asked for it
			if t.always {
				level = slog.LevelInfo
			}
			t.o.Log.Log(ctx, level, "tables of powers are not kept beside the key", "because", err)
			return r, stages
		}
		r.Kept = t.cache.file
	} else if t.from == fromCache {
		r.Kept = t.cache.file
	}
	return r, stages
}

// fillTables has the tables ready that a fusion needs at its end, to re-randomize or to mask a total. What they take is
// gone from the memory for everything else.
func (f *fusing) fillTables(ctx context.Context) error {
	var plans []*paillier.PublicTables
	if f.refresh {
		plans = append(plans, f.pk.PlanFullTables(f.Memory/tableShare))
	}
	if f.kind() == oneTotal {
		plans = append(plans, f.pk.PlanTables(f.Memory/tableShare))
	}
	start := time.Now()
	bytes := int64(0)
	for _, p := range plans {
		if p == nil {
			continue
		}
		bytes += p.Bytes()
		if bytes > f.Memory {
			return &engine.BudgetError{What: whatTables, Need: bytes, Have: f.Memory, Limit: f.Memory}
		}
		if _, err := makePieces(ctx, &p.Tables, f.Threads); err != nil {
			return err
		}
		p.Install()
	}
	if bytes > 0 {
		f.Memory -= bytes
		f.report.Tables = &TablesReport{Bytes: bytes, From: fromMaking, Seconds: time.Since(start).Seconds()}
	}
	return nil
}

// KeyTables is what Inspect tells about the tables of powers of a key.
type KeyTables struct {
	Bytes  int64  `json:"bytes"` // of memory, when encrypting under this key with this kernel and within the given memory
	Kernel string `json:"kernel"`
	Kept   string `json:"kept,omitempty"`   // the file that keeps them
	Unused string `json:"unused,omitempty"` // why the file beside the key would not be used
}

// inspectTables returns nil for keys without tables.
func (k Key) inspectTables(o Options) (*KeyTables, error) {
	if err := k.useKernel(o.Kernel); err != nil {
		return nil, err
	}
	t, err := k.planTables(o, TableCacheAuto)
	if err != nil || t.tables == nil {
		return nil, err
	}
	x := &KeyTables{Bytes: t.bytes(), Kernel: k.Public.Kernel()}
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
