package spill

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/parquetio"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Options say what Run measures.
type Options struct {
	Rows       []int // of each owner; one run of everything for each
	RowsPerKey int   // of each owner's table: it has Rows/RowsPerKey different keys
	Owners     int
	Bits       int
	Order      string // of the rows: OrderRandom, OrderCyclic, OrderSorted or OrderSkewed
	Memory     int64  // budget of the fusion that is measured
	Threads    int    // of each process; 0 means all cores
	Rounds     int    // the median of so many is reported
	TestKey    bool   // allow fewer than 2048 bits
	Dir        string // for the tables; "" means the system's directory for temporary files
	Program    string // cipherfold; "" means this process's own

	Log *slog.Logger // nil discards
}

// spillFree is a budget that nothing reaches.
const spillFree = 1 << 40

// spillPool is how many ciphertexts the tables are made of. All were encrypted. A table repeats them, so that a table
// of many rows can be made in the time that it takes to write it. Adding and moving ciphertexts takes as long as
// without repetition.
const spillPool = 1 << 16

// Run measures fusions by group in little memory: owners' encrypted tables in the records layout, of two measures in
// one ciphertext, are fused by their key with the given budget and, for comparison, with more than is needed. Both results
// are the same bytes; they are decrypted, and every group's sums and counts compared with plain ones. The tables are
// evicted from the system's file cache before each fusion where the system offers that.
func Run(ctx context.Context, o Options) (*bench.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	bench.WarnUnknownCommit(o.Log)
	dir, err := os.MkdirTemp(o.Dir, "cipherfold-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Results: []bench.Result{}, Pipeline: []bench.Stage{}}
	f.Machine.Cores = bench.CoresUsed(o.Threads)
	s := &spilling{Options: o, dir: dir}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	for _, rows := range o.Rows {
		run, err := s.measure(ctx, rows)
		if err != nil {
			return nil, err
		}
		f.Spill = append(f.Spill, *run)
	}
	return f, nil
}

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Program == "" {
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	if !slices.Contains(bench.Orders, o.Order) {
		return &job.UsageError{Cause: fmt.Sprintf("unknown order %q", o.Order), Hint: fmt.Sprintf("There are %v.", bench.Orders)}
	}
	for _, n := range append([]int{o.RowsPerKey, o.Owners, o.Bits, o.Rounds, len(o.Rows)}, o.Rows...) {
		if n < 1 {
			return &job.UsageError{Cause: fmt.Sprintf("%d rows per key, %d owners, %d bits, %d rounds, rows %v", o.RowsPerKey, o.Owners, o.Bits, o.Rounds, o.Rows), Hint: "All must be positive."}
		}
	}
	return nil
}

// spilling is a measurement under way.
type spilling struct {
	Options
	dir    string
	table  *ctfile.Table // of the pool
	cts    []byte
	values [2][]int64 // of the pool's ciphertexts
}

// Names within the directory.
const (
	spillKeys  = "keys"
	spillIDs   = "group"
	spillFused = "fused.cf.parquet"
)

var spillMeasures = [2]string{"a", "b"}

// spillMax bounds the values.
const spillMax = 1_000_000

func (s *spilling) path(name string) string { return filepath.Join(s.dir, name) }

func (s *spilling) owner(i int) string { return s.path(fmt.Sprintf("owner%d.cf.parquet", i)) }

// prepare makes a key and the pool.
func (s *spilling) prepare(ctx context.Context) error {
	sk, err := paillier.GenerateKey(ctx, nil, paillier.MHL, s.Bits, s.TestKey)
	if err != nil {
		return err
	}
	if err := os.Mkdir(s.path(spillKeys), 0o700); err != nil {
		return err
	}
	if _, _, err := keys.Write(ctx, job.Options{}, s.path(spillKeys), sk, nil); err != nil {
		return err
	}
	plain, sealed := s.path("pool.parquet"), s.path("pool.cf.parquet")
	if err := s.writePool(ctx, plain); err != nil {
		return err
	}
	e := encrypt.Request{Options: job.Options{Threads: s.Threads}, Key: keys.Of(sk), Spec: dataset.Spec{In: []string{plain}, IDs: []string{spillIDs}}, Out: sealed, Layout: slots.Records}
	for _, name := range spillMeasures {
		m, err := slots.ParseMeasure(fmt.Sprintf("%s:max=%d", name, spillMax))
		if err != nil {
			return err
		}
		e.Measures = append(e.Measures, m)
	}
	if _, err := encrypt.Run(ctx, e); err != nil {
		return err
	}
	r, err := ctfile.Open(ctx, blob.Local{}, sealed, column.ReadOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	s.table = r.Table()
	if n := len(s.table.Columns); n != 1 {
		return fmt.Errorf("two measures of %d bits take %d ciphertexts, not one", s.Bits, n)
	}
	return column.Each(ctx, r, func(b column.Batch) error {
		s.cts = append(s.cts, column.FixedBytes(b.Column(1))...)
		return nil
	})
}

// writePool writes the pool's values as a plain table.
func (s *spilling) writePool(ctx context.Context, name string) error {
	fields := []arrow.Field{{Name: spillIDs, Type: arrow.PrimitiveTypes.Int64}}
	for _, m := range spillMeasures {
		fields = append(fields, arrow.Field{Name: m, Type: arrow.PrimitiveTypes.Int64})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	random := spillRandom(-1)
	for i := range spillPool {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		for m := range spillMeasures {
			v := random.Int64N(2*spillMax+1) - spillMax
			s.values[m] = append(s.values[m], v)
			b.Field(1 + m).(*array.Int64Builder).Append(v)
		}
	}
	w, err := parquetio.Create(ctx, blob.Local{}, name, b.Schema(), column.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Close()
	batch := column.Batch{Record: b.NewRecord()}
	defer batch.Release()
	if err := w.Write(ctx, batch); err != nil {
		return err
	}
	return w.Commit(ctx)
}

// spillRandom is a stream of numbers, the same in every run.
func spillRandom(owner int) *rand.Rand {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(owner))
	copy(seed[8:], "spill")
	return rand.New(rand.NewChaCha8(seed))
}

// row is the key and the ciphertext of row i of an owner's table, of which the rows are asked for one after the other.
func (s *spilling) row(random *rand.Rand, i, rows int) (key, ct int) {
	keys := max(1, rows/s.RowsPerKey)
	switch s.Order {
	case bench.OrderCyclic:
		key = i % keys
	case bench.OrderSorted:
		key = min(i/s.RowsPerKey, keys-1)
	case bench.OrderSkewed:
		if i%2 == 1 {
			key = random.IntN(keys)
		}
	default:
		key = random.IntN(keys)
	}
	return key, random.IntN(spillPool)
}

// writeOwner writes an owner's encrypted table.
func (s *spilling) writeOwner(ctx context.Context, owner, rows int) error {
	t := *s.table
	t.Rows, t.JobID, t.Source, t.TableID = int64(rows), fmt.Sprintf("owner %d", owner), "", fmt.Sprintf("%032x", owner)
	w, err := ctfile.Create(ctx, blob.Local{}, s.owner(owner), t, []arrow.Field{{Name: spillIDs, Type: arrow.PrimitiveTypes.Int64}}, ctfile.Options{Overwrite: true})
	if err != nil {
		return err
	}
	defer w.Close()
	random := spillRandom(owner)
	size := t.CiphertextBytes()
	return bench.WriteRows(ctx, w, w.Schema(), rows, func(b *array.RecordBuilder, i int) {
		key, ct := s.row(random, i, rows)
		b.Field(0).(*array.Int64Builder).Append(int64(key))
		b.Field(1).(*array.FixedSizeBinaryBuilder).Append(s.cts[ct*size : (ct+1)*size])
	})
}

// measure makes tables of so many rows and fuses them.
func (s *spilling) measure(ctx context.Context, rows int) (*bench.SpillRun, error) {
	s.Log.Info("making tables", "rows", rows, "owners", s.Owners, "order", s.Order)
	run := &bench.SpillRun{Rows: rows, Owners: s.Owners, Keys: max(1, rows/s.RowsPerKey), Bits: s.Bits, Order: s.Order, MemoryMiB: float64(s.Memory) / (1 << 20)}
	for owner := range s.Owners {
		if err := s.writeOwner(ctx, owner, rows); err != nil {
			return nil, err
		}
	}
	var bounded, free []*bench.JobProcess
	var digest []byte
	for round := range s.Rounds {
		for _, budget := range []int64{s.Memory, spillFree} {
			s.Log.Info("fusing", "rows", rows, "memory", budget, "round", round+1, "of", s.Rounds)
			c, sum, err := s.fuse(ctx, budget)
			if err != nil {
				return nil, err
			}
			if budget == spillFree {
				free = append(free, c)
			} else {
				bounded = append(bounded, c)
			}
			if digest == nil {
				digest = sum
			} else if !bytes.Equal(digest, sum) {
				return nil, fmt.Errorf("%d rows: two fusions of the same tables give different files", rows)
			}
		}
	}
	run.Bounded, run.Free = medianFusion(bounded, rows*s.Owners), medianFusion(free, rows*s.Owners)
	for owner := range s.Owners {
		if err := os.Remove(s.owner(owner)); err != nil {
			return nil, err
		}
	}
	s.Log.Info("decrypting and comparing every group", "rows", rows)
	var err error
	run.Groups, err = s.compare(ctx, rows)
	return run, err
}

// args completes a command line.
func (s *spilling) args(args ...string) []string {
	args = append(args, "--json", "--quiet", "--overwrite")
	if s.Threads > 0 {
		args = append(args, "--threads", strconv.Itoa(s.Threads))
	}
	return args
}

// fuse runs one fusion and returns what its process did, and the digest of its result.
func (s *spilling) fuse(ctx context.Context, budget int64) (*bench.JobProcess, []byte, error) {
	args := s.args("fuse", "--by", spillIDs, "--out", s.path(spillFused), "--tmp-dir", s.dir, "--memory", strconv.FormatInt(budget, 10)+"B")
	for owner := range s.Owners {
		if err := evict(s.owner(owner)); err != nil {
			return nil, nil, err
		}
		args = append(args, "--in", s.owner(owner))
	}
	c, err := bench.RunJob(ctx, s.Program, args)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(s.path(spillFused))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return c, h.Sum(nil), err
}

// medianFusion is the one of the median time.
func medianFusion(list []*bench.JobProcess, rows int) bench.Fusion {
	slices.SortFunc(list, func(a, b *bench.JobProcess) int {
		switch {
		case a.Seconds < b.Seconds:
			return -1
		case a.Seconds > b.Seconds:
			return 1
		}
		return 0
	})
	c := list[(len(list)-1)/2]
	peak := 0.0
	for _, x := range list {
		peak = max(peak, x.RSSMiB)
	}
	return bench.Fusion{
		Seconds: bench.Significant(c.Seconds), RowsPerS: bench.Significant(float64(rows) / c.Seconds), PeakRSSMiB: bench.Significant(peak),
		SpilledMiB: bench.Significant(float64(c.Report.Spilled) / (1 << 20)), CPUSeconds: bench.Significant(c.CPU),
	}
}

// compare decrypts the result and compares every group with plain sums.
func (s *spilling) compare(ctx context.Context, rows int) (groups int, err error) {
	opened := s.path("opened.parquet")
	args := s.args("decrypt", "--key", filepath.Join(s.path(spillKeys), "secret.json"), "--in", s.path(spillFused), "--out", opened)
	if s.Owners == 1 {
		args = append(args, "--unfused")
	}
	if _, err := bench.RunJob(ctx, s.Program, args); err != nil {
		return 0, err
	}
	keys := max(1, rows/s.RowsPerKey)
	var sums [2][]int64
	sums[0], sums[1] = make([]int64, keys), make([]int64, keys)
	counts := make([]int64, keys)
	for owner := range s.Owners {
		random := spillRandom(owner)
		for i := range rows {
			key, ct := s.row(random, i, rows)
			counts[key]++
			for m := range sums {
				sums[m][key] += s.values[m][ct]
			}
		}
	}
	names := []string{spillIDs}
	for _, m := range spillMeasures {
		names = append(names, m+"_sum", m+"_count")
	}
	r, err := parquetio.Open(ctx, blob.Local{}, opened, column.ReadOptions{Columns: names})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	key := 0
	err = column.Each(ctx, r, func(b column.Batch) error {
		var columns [5]*array.Int64
		for i := range columns {
			var ok bool
			if columns[i], ok = b.Column(i).(*array.Int64); !ok {
				return fmt.Errorf("column %s is of type %s", b.ColumnName(i), b.Column(i).DataType())
			}
		}
		for i := range int(b.NumRows()) {
			for key < keys && counts[key] == 0 {
				key++
			}
			if key == keys || columns[0].Value(i) != int64(key) {
				return fmt.Errorf("group %d where %d should be", columns[0].Value(i), key)
			}
			for m := range sums {
				if sum, n := columns[1+2*m].Value(i), columns[2+2*m].Value(i); sum != sums[m][key] || n != counts[key] {
					return fmt.Errorf("group %d, %s: sum %d of %d values; the plain sum is %d of %d", key, spillMeasures[m], sum, n, sums[m][key], counts[key])
				}
			}
			key++
			groups++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for ; key < keys; key++ {
		if counts[key] > 0 {
			return 0, fmt.Errorf("group %d is missing", key)
		}
	}
	return groups, nil
}
