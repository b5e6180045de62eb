package sums

import (
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// spill adds rows to a table with little memory, from several goroutines, and merges the runs that went to a disk.
func (w *world) spill(rows []row, disk blob.Disk) (*result, int, error) {
	ctx := context.Background()
	x := setting{memory: PoolBytesMin(w.shape), workers: 2, batch: 200, rowsMax: 300}
	pool := NewPool(x.memory, w.shape)
	runs := NewRuns(w.shape, disk, "scratch", pool)
	defer runs.Close()
	table := NewTable(w.shape, pool, runs, x.workers, never)
	_, err := engine.ForEach(ctx, engine.Loop[[]row]{
		Source: engine.FromSlice(batches(rows, x.batch)),
		Stages: engine.Stage[[]row, engine.None]{Workers: x.workers, New: func(int) (engine.Work[[]row, engine.None], error) {
			worker := table.NewWorker()
			return func(ctx context.Context, b []row) (engine.None, error) {
				return engine.None{}, worker.Add(ctx, w.pack(b))
			}, nil
		}},
	})
	if err != nil {
		return nil, 0, err
	}
	sources, err := table.Sources(ctx, x.workers, x.memory)
	if err != nil {
		return nil, 0, err
	}
	if sources, err = runs.Consolidate(ctx, sources, pool, x.workers); err != nil {
		return nil, 0, err
	}
	n := runs.Len()
	out, err := w.merge(sources, pool, x, nil)
	return out, n, err
}

// Operations on the file of runs fail, are cut short or take longer: the sums are right, or there is an error that names the
// directory and says what happened, and no file is open and no goroutine runs. CIPHERFOLD_THOROUGH asks for every operation where otherwise a
// sample is tried.
func TestFaultsOfRuns(t *testing.T) {
	w := newWorld(t, 1)
	rows := w.rows(mrand.New(mrand.NewPCG(12, 13)), 50000, distributions["all different"])
	want := w.plain(rows)
	random := mrand.New(mrand.NewPCG(14, 15))
	for mode, name := range map[blobtest.Mode]string{blobtest.Fail: "failed", blobtest.Short: "cut short", blobtest.Delay: "late"} {
		succeeded, refused := 0, 0
		for at := int64(1); ; at++ {
			if os.Getenv("CIPHERFOLD_THOROUGH") == "" {
				at += random.Int64N(300)
			}
			disk := &blobtest.Mem{}
			faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: mode}
			leaks := leaktest.Take()
			got, runs, err := w.spill(rows, faulty)
			where := fmt.Sprintf("operation %d %s", at, name)
			leaks.Check(t, where)
			if n := disk.Handles(); n != 0 || len(disk.Names()) > 0 {
				t.Fatalf("%s: %d files are open, there are %q", where, n, disk.Names())
			}
			if err == nil {
				w.check(where, got, want)
				if runs < 9 { // so many that some must be merged first
					t.Fatalf("only %d runs", runs)
				}
			}
			if !faulty.Failed() {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				break
			}
			if err == nil {
				succeeded++
				continue
			}
			refused++
			if !strings.Contains(err.Error(), "scratch") || mode == blobtest.Fail && !errors.Is(err, blobtest.ErrInjected) || mode == blobtest.Delay {
				t.Errorf("%s: unclear error: %v", where, err)
			}
		}
		t.Logf("%s: %d operations, of which %d runs succeeded", name, succeeded+refused, succeeded)
	}
}
