package sums

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// testKey is a small key; any numbers below N² that are prime to N will do for ciphertexts.
var testKey = sync.OnceValue(func() *paillier.PublicKey {
	sk, err := paillier.GenerateKey(context.Background(), rand.Reader, paillier.DJN, 512, true)
	if err != nil {
		panic(err)
	}
	return sk.Public()
})

// row is a row of an input.
type row struct {
	key  string
	adds int64
	sums []int // per slot: the number of a ciphertext, or -1
}

// total is what is known of a key.
type total struct {
	records, adds int64
	sums          []*big.Int // per slot; nil when missing
}

// world is ciphertexts and rows made of them.
type world struct {
	testing.TB
	shape Shape
	n2    *big.Int
	cts   []*big.Int
}

func newWorld(t testing.TB, slots int) *world {
	n := new(big.Int).SetBytes(testKey().N())
	w := &world{TB: t, shape: Shape{Key: testKey(), Slots: slots}, n2: new(big.Int).Mul(n, n)}
	random := mrand.New(mrand.NewPCG(7, uint64(slots)))
	for len(w.cts) < 50 {
		b := make([]byte, w.shape.size())
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		c := new(big.Int).SetBytes(b)
		c.Mod(c, w.n2)
		if new(big.Int).GCD(nil, nil, c, n).Cmp(big.NewInt(1)) == 0 {
			w.cts = append(w.cts, c)
		}
	}
	return w
}

// plain is the oracle: the totals of rows, by key.
func (w *world) plain(rows []row) map[string]*total {
	out := map[string]*total{}
	for _, r := range rows {
		t := out[r.key]
		if t == nil {
			t = &total{sums: make([]*big.Int, w.shape.Slots)}
			out[r.key] = t
		}
		t.records++
		t.adds += r.adds
		for slot, i := range r.sums {
			if i < 0 {
				continue
			}
			if t.sums[slot] == nil {
				t.sums[slot] = big.NewInt(1)
			}
			t.sums[slot].Mul(t.sums[slot], w.cts[i]).Mod(t.sums[slot], w.n2)
		}
	}
	return out
}

// pack makes Rows of consecutive rows that have the same additions and the same slots.
func (w *world) pack(rows []row) *Rows {
	size := w.shape.size()
	out := &Rows{Keys: &Keys{}, Adds: rows[0].adds, Sums: make([][]byte, w.shape.Slots), Size: size}
	for _, r := range rows {
		out.Keys.Data = append(out.Keys.Data, r.key...)
		out.Keys.End()
		for slot, i := range r.sums {
			if i >= 0 {
				out.Sums[slot] = append(out.Sums[slot], w.cts[i].FillBytes(make([]byte, size))...)
			}
		}
	}
	return out
}

// batches cuts rows where their additions or slots change, and after at most n.
func batches(rows []row, n int) [][]row {
	same := func(a, b row) bool {
		for slot := range a.sums {
			if (a.sums[slot] < 0) != (b.sums[slot] < 0) {
				return false
			}
		}
		return a.adds == b.adds
	}
	var out [][]row
	for len(rows) > 0 {
		k := 1
		for k < n && k < len(rows) && same(rows[k], rows[0]) {
			k++
		}
		out, rows = append(out, rows[:k]), rows[k:]
	}
	return out
}

// listSource is rows in order.
type listSource struct {
	w      *world
	rows   [][]row
	closed *int
	origin any
}

func (s *listSource) Next(context.Context) (*Block, error) {
	if len(s.rows) == 0 {
		return nil, io.EOF
	}
	b := s.w.pack(s.rows[0])
	s.rows = s.rows[1:]
	out := NewBlock(*b, nil)
	out.Origin = s.origin
	return out, nil
}

func (s *listSource) Close() error { *s.closed++; return nil }

// sorted is a source of rows, sorted first.
func (w *world) sorted(rows []row, n int, closed *int) Source {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	return &listSource{w: w, rows: batches(rows, n), closed: closed}
}

func never(int64, int64) bool { return false }

// setting is a way to do the same.
type setting struct {
	memory  int64
	workers int
	batch   int
	rowsMax int
}

// table adds rows to a table and returns its sources.
func (w *world) table(rows []row, x setting, disk blob.Disk) ([]Source, *Pool, *Runs) {
	w.Helper()
	pool := NewPool(x.memory, w.shape)
	runs := NewRuns(w.shape, disk, "", pool)
	t := NewTable(w.shape, pool, runs, x.workers, never)
	list := batches(rows, x.batch)
	_, err := engine.ForEach(context.Background(), engine.Loop[[]row]{
		Source: engine.Source[[]row]{Next: func(context.Context) ([]row, error) {
			if len(list) == 0 {
				return nil, io.EOF
			}
			b := list[0]
			list = list[1:]
			return b, nil
		}},
		Stage: engine.Stage[[]row, engine.None]{Workers: x.workers, New: func(int) (engine.Work[[]row, engine.None], error) {
			worker := t.NewWorker()
			return func(ctx context.Context, b []row) (engine.None, error) {
				return engine.None{}, worker.Add(ctx, w.pack(b))
			}, nil
		}},
	})
	if err != nil {
		w.Fatal(err)
	}
	sources, err := t.Sources(context.Background(), x.workers, x.memory)
	if err != nil {
		w.Fatal(err)
	}
	return sources, pool, runs
}

// result is what a merge puts out.
type result struct {
	keys   []string
	totals []*total
}

func (w *world) merge(sources []Source, pool *Pool, x setting, keep func(records, adds int64) bool) (*result, error) {
	out := &result{}
	_, err := Merge[*result]{
		Shape: w.shape, Sources: sources, Pool: pool, Threads: x.workers, RowsMax: x.rowsMax, Keep: keep,
		Emit: func() (func(context.Context, *Merged) (*result, error), error) {
			f := NewFinisher(w.shape)
			return func(_ context.Context, m *Merged) (*result, error) {
				r := &result{}
				for i := range m.Len() {
					records, adds := m.Counts(i)
					r.keys = append(r.keys, string(m.Key(i)))
					r.totals = append(r.totals, &total{records, adds, make([]*big.Int, w.shape.Slots)})
				}
				size := w.shape.size()
				dst := make([]byte, m.Len()*size)
				for slot := range w.shape.Slots {
					if err := f.Finish(dst, m, slot); err != nil {
						return nil, err
					}
					for i := range m.Len() {
						if _, factors := m.Sum(i, slot); factors > 0 {
							r.totals[i].sums[slot] = new(big.Int).SetBytes(dst[i*size : (i+1)*size])
						}
					}
				}
				return r, nil
			}, nil
		},
		Put: func(_ context.Context, r *result) error {
			out.keys, out.totals = append(out.keys, r.keys...), append(out.totals, r.totals...)
			return nil
		},
	}.Run(context.Background())
	return out, err
}

// check compares with the oracle.
func (w *world) check(where string, got *result, want map[string]*total) {
	w.Helper()
	if !slices.IsSorted(got.keys) || len(got.keys) != len(want) {
		w.Fatalf("%s: %d keys, want %d, sorted %v", where, len(got.keys), len(want), slices.IsSorted(got.keys))
	}
	for i, key := range got.keys {
		g, t := got.totals[i], want[key]
		if t == nil || g.records != t.records || g.adds != t.adds {
			w.Fatalf("%s: key %q: %+v, want %+v", where, key, g, t)
		}
		for slot := range t.sums {
			if (g.sums[slot] == nil) != (t.sums[slot] == nil) || t.sums[slot] != nil && g.sums[slot].Cmp(t.sums[slot]) != 0 {
				w.Fatalf("%s: key %q, sum %d: %v, want %v", where, key, slot, g.sums[slot], t.sums[slot])
			}
		}
	}
}

// distributions of keys.
var distributions = map[string]func(random *mrand.Rand, i int) string{
	"one key":       func(*mrand.Rand, int) string { return "the one" },
	"no key":        func(*mrand.Rand, int) string { return "" },
	"all different": func(_ *mrand.Rand, i int) string { return fmt.Sprintf("%08x", uint32(i)*2654435761) },
	"some": func(random *mrand.Rand, _ int) string {
		return fmt.Sprint("k", random.IntN(300))
	},
	"one large, many small": func(random *mrand.Rand, i int) string {
		if random.IntN(2) == 0 {
			return "large"
		}
		return fmt.Sprint(random.IntN(10000))
	},
	"long and short": func(random *mrand.Rand, _ int) string {
		return string(bytes.Repeat([]byte{'x'}, random.IntN(700)))
	},
}

func (w *world) rows(random *mrand.Rand, n int, key func(*mrand.Rand, int) string) []row {
	rows := make([]row, n)
	run, kind := 0, 0
	for i := range rows {
		if run == 0 {
			run, kind = 1+random.IntN(200), random.IntN(3)
		}
		run--
		rows[i] = row{key: key(random, i), adds: int64(1 + kind), sums: make([]int, w.shape.Slots)}
		for slot := range rows[i].sums {
			rows[i].sums[slot] = random.IntN(len(w.cts))
			if w.shape.Slots > 1 && (slot+kind)%3 == 0 {
				rows[i].sums[slot] = -1
			}
		}
	}
	return rows
}

// Whatever the memory, the workers, the batches and the distribution of keys: the sums are those of the oracle, in order.
func TestTableAndMerge(t *testing.T) {
	for name, key := range distributions {
		t.Run(name, func(t *testing.T) {
			for _, slots := range []int{1, 3} {
				w := newWorld(t, slots)
				rows := w.rows(mrand.New(mrand.NewPCG(1, 2)), 6000, key)
				want := w.plain(rows)
				for _, x := range []setting{
					{memory: 1 << 20, workers: 1, batch: 100, rowsMax: 50},
					{memory: 1 << 20, workers: 3, batch: 512, rowsMax: 4096},
					{memory: 64 << 20, workers: 3, batch: 300, rowsMax: 100},
				} {
					sources, pool, runs := w.table(rows, x, blob.Local{})
					spilled := runs.Len()
					got, err := w.merge(sources, pool, x, nil)
					if err != nil {
						t.Fatal(err)
					}
					w.check(fmt.Sprintf("%d slots, %+v, %d runs", slots, x, spilled), got, want)
					if err := runs.Close(); err != nil {
						t.Error(err)
					}
					if pool.rest != pool.total {
						t.Errorf("%+v: %d pieces of %d were not given back", x, pool.total-pool.rest, pool.total)
					}
					if name == "all different" && (spilled == 0) == (x.memory == 1<<20) {
						t.Errorf("%d slots, %+v: %d runs", slots, x, spilled)
					}
				}
			}
		})
	}
}

// More runs than can be merged at once are consolidated first.
func TestConsolidate(t *testing.T) {
	w := newWorld(t, 1)
	x := setting{memory: 1 << 20, workers: 2, batch: 400, rowsMax: 1000}
	rows := w.rows(mrand.New(mrand.NewPCG(3, 4)), 60000, distributions["all different"])
	sources, pool, runs := w.table(rows, x, blob.Local{})
	if len(sources) <= pool.FanIn() {
		t.Fatalf("%d runs, where %d can be merged at once", len(sources), pool.FanIn())
	}
	closed := 0
	more := w.rows(mrand.New(mrand.NewPCG(5, 6)), 2000, distributions["some"])
	sources = append(sources, w.sorted(more, 100, &closed))
	sources, err := runs.Consolidate(context.Background(), sources, pool, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) > pool.FanIn()+1 {
		t.Errorf("%d sources are left, %d can be merged at once", len(sources), pool.FanIn())
	}
	got, err := w.merge(sources, pool, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.check("consolidated", got, w.plain(append(rows, more...)))
	if closed != 1 {
		t.Errorf("a source was closed %d times", closed)
	}
}

// Sorted sources are merged with nothing else, also when one key goes on and on.
func TestMergeSorted(t *testing.T) {
	for name, key := range distributions {
		w := newWorld(t, 2)
		random := mrand.New(mrand.NewPCG(8, 9))
		var all []row
		var sources []Source
		closed := 0
		for range 4 {
			rows := w.rows(random, 3000, key)
			all = append(all, rows...)
			sources = append(sources, w.sorted(rows, 256, &closed))
		}
		pool := NewPool(1<<20, w.shape) // small batches: keys are split
		got, err := w.merge(sources, pool, setting{workers: 3, rowsMax: 500}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.check(name, got, w.plain(all))
		if closed != 4 {
			t.Errorf("%d sources were closed", closed)
		}
	}
}

// What is not wanted is not there, and who is asked knows all records.
func TestMergeKeeps(t *testing.T) {
	w := newWorld(t, 1)
	rows := w.rows(mrand.New(mrand.NewPCG(10, 11)), 9000, distributions["one large, many small"])
	want := w.plain(rows)
	kept := map[string]*total{}
	for key, x := range want {
		if x.records >= 2 && x.records < 1000 {
			kept[key] = x
		}
	}
	closed, asked := 0, 0
	pool := NewPool(1<<20, w.shape)
	got, err := w.merge([]Source{w.sorted(rows[:4000], 200, &closed), w.sorted(rows[4000:], 200, &closed)}, pool, setting{workers: 2, rowsMax: 300}, func(records, adds int64) bool {
		asked++
		return records >= 2 && records < 1000
	})
	if err != nil {
		t.Fatal(err)
	}
	w.check("kept", got, kept)
	if asked != len(want) {
		t.Errorf("asked of %d keys, there are %d", asked, len(want))
	}
}

// Too many additions are found while rows are added and while they are merged, at the row with which they are too many.
func TestOver(t *testing.T) {
	w := newWorld(t, 1)
	over := func(records, adds int64) bool { return adds > 5 }
	rows := []row{{"a", 2, []int{0}}, {"b", 2, []int{1}}, {"a", 2, []int{2}}, {"b", 2, []int{3}}, {"c", 2, []int{3}}, {"b", 2, []int{3}}, {"c", 2, []int{3}}}
	pool := NewPool(1<<20, w.shape)
	worker := NewTable(w.shape, pool, NewRuns(w.shape, blob.Local{}, "", pool), 1, over).NewWorker()
	if err := worker.Add(t.Context(), w.pack(rows[:2])); err != nil {
		t.Fatal(err)
	}
	var bad *OverError
	if err := worker.Add(t.Context(), w.pack(rows[2:])); !errors.As(err, &bad) || bad.Row != 3 || bad.Adds != 6 {
		t.Errorf("got %v, row %v", err, bad)
	}
	closed := 0
	second := w.sorted(rows[4:], 10, &closed).(*listSource)
	second.origin = "the second"
	refused := errors.New("refused")
	_, err := Merge[int]{
		Shape: w.shape, Pool: pool, Threads: 1, RowsMax: 10, Over: over,
		Refuse: func(over *OverError) error {
			bad = over
			return refused
		},
		Sources: []Source{w.sorted(rows[:4], 10, &closed), second},
		Emit: func() (func(context.Context, *Merged) (int, error), error) {
			return func(context.Context, *Merged) (int, error) { return 0, nil }, nil
		},
		Put: func(context.Context, int) error { return nil },
	}.Run(t.Context())
	if !errors.Is(err, refused) || bad.Adds != 6 || bad.Row != 0 || bad.Origin != "the second" {
		t.Errorf("got %v, row %d of %v", err, bad.Row, bad.Origin)
	}
}

// Products of more factors than a 32-bit count holds are made ciphertexts on the way.
func TestManyFactors(t *testing.T) {
	w := newWorld(t, 1)
	f := newFolder(w.shape)
	size := w.shape.size()
	// c^(2^k) by k squarings, as a product of 2^k factors.
	const squarings = 31
	power := w.cts[0].FillBytes(make([]byte, size))
	for range squarings {
		if err := f.mult.Mul([][]byte{power}, [][]byte{power}, [][]byte{power}); err != nil {
			t.Fatal(err)
		}
	}
	before := bytes.Clone(power)
	f.begin()
	for range 5 {
		if err := f.add(0, power, 1<<squarings); err != nil {
			t.Fatal(err)
		}
	}
	product, factors := make([][]byte, 1), make([]uint32, 1)
	if err := f.fold(product, factors); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, size)
	if err := f.mult.Finish(got, product, factors); err != nil {
		t.Fatal(err)
	}
	want := new(big.Int).Exp(w.cts[0], new(big.Int).Mul(big.NewInt(5), new(big.Int).Lsh(big.NewInt(1), squarings)), w.n2)
	if new(big.Int).SetBytes(got).Cmp(want) != 0 || factors[0] != 5 {
		t.Errorf("%x of %d factors, want %x", got, factors[0], want)
	}
	if !bytes.Equal(power, before) {
		t.Error("a row that was given was changed")
	}

	// In a table.
	pool := NewPool(1<<20, w.shape)
	table := NewTable(w.shape, pool, NewRuns(w.shape, blob.Local{}, "", pool), 1, never)
	worker := table.NewWorker()
	one := []row{{"k", 1, []int{0}}}
	if err := worker.Add(t.Context(), w.pack(one)); err != nil {
		t.Fatal(err)
	}
	s := table.shards[table.shardOf(worker.hash[0])]
	e, _ := s.find(uint32(worker.hash[0]), []byte("k"))
	copy(s.row(e, 0), power)
	e.setFactors(0, 1<<squarings)
	if err := worker.Add(t.Context(), w.pack(one)); err != nil {
		t.Fatal(err)
	}
	if e.factors(0) != 2 {
		t.Errorf("%d factors", e.factors(0))
	}
	if err := f.mult.Finish(got, [][]byte{s.row(e, 0)}, []uint32{2}); err != nil {
		t.Fatal(err)
	}
	want.Exp(w.cts[0], new(big.Int).Add(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), squarings)), w.n2)
	if new(big.Int).SetBytes(got).Cmp(want) != 0 {
		t.Errorf("%x, want %x", got, want)
	}
}

// A ciphertext out of range is refused with its row and slot.
func TestAddRefuses(t *testing.T) {
	w := newWorld(t, 2)
	pool := NewPool(1<<20, w.shape)
	worker := NewTable(w.shape, pool, NewRuns(w.shape, blob.Local{}, "", pool), 1, never).NewWorker()
	r := w.pack([]row{{"a", 1, []int{0, 1}}, {"b", 1, []int{2, 3}}})
	w.n2.FillBytes(r.Sums[1][w.shape.size():])
	var bad *SumError
	if err := worker.Add(t.Context(), r); !errors.As(err, &bad) || bad.Slot != 1 || bad.Row != 1 {
		t.Errorf("got %v", err)
	}
}

// A block that is not as it was written is refused, whatever byte was changed.
func TestDecodeRefusesDamage(t *testing.T) {
	w := newWorld(t, 2)
	r := w.pack([]row{{"a", 1, []int{0, 1}}, {"bb", 1, []int{2, 3}}})
	e := newEncoder(w.shape, 1<<20)
	for i := range 2 {
		if !appendRow(e, r, i) {
			t.Fatal("no room")
		}
	}
	good := bytes.Clone(e.finish())
	if d, n, err := decode(w.shape, good); err != nil || n != 2 || string(d.key(1)) != "bb" {
		t.Fatal(n, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, _, err := decode(w.shape, bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, _, err := decode(w.shape, good[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut off at %d: %v", i, err)
		}
	}
	// Contents that do not make sense, under a right checksum.
	for name, change := range map[string]func(b []byte){
		"more rows":       func(b []byte) { b[8] = 3 },
		"no rows":         func(b []byte) { b[8] = 0 },
		"more sums":       func(b []byte) { b[12] = 5 },
		"fewer sums":      func(b []byte) { b[12] = 3 },
		"many rows":       func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 1<<31) },
		"many sums":       func(b []byte) { binary.LittleEndian.PutUint32(b[12:], 1<<31) },
		"another length":  func(b []byte) { b[4]++ },
		"no records":      func(b []byte) { clear(b[len(b)-16-32:]) },
		"key ends beyond": func(b []byte) { b[len(b)-16-32-4]++ },
	} {
		bad := bytes.Clone(good)
		change(bad)
		binary.LittleEndian.PutUint32(bad, checksum(bad[4:]))
		if _, _, err := decode(w.shape, bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
