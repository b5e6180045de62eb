package sums

import (
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
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
		Stage: engine.Stage[[]row, engine.None]{Workers: x.workers, New: func(int) (engine.Work[[]row, engine.None], error) {
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
// directory and says what happened, and no file is open and no goroutine runs. An exhaustive run tries every operation where otherwise a
// sample is tried.
func TestFaultsOfRuns(t *testing.T) {
	w := newWorld(t, 1)
	rows := w.rows(mrand.New(mrand.NewPCG(12, 13)), 50000, distributions["all different"])
	want := w.plain(rows)
	random := mrand.New(mrand.NewPCG(14, 15))
	for mode, name := range map[blobtest.Mode]string{blobtest.Fail: "failed", blobtest.Short: "cut short", blobtest.Delay: "late"} {
		succeeded, refused := 0, 0
		for at := int64(1); ; at++ {
			if !thoroughtest.AtLeast(thoroughtest.Exhaustive) {
				at += random.Int64N(thoroughtest.Pick[int64](800, 400))
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

// full is a disk whose scratch files have room for so many bytes.
type full struct {
	blob.Disk
	room int64
}

type fullScratch struct {
	blob.Scratch
	room int64
}

func (f full) Scratch(ctx context.Context, dir string) (blob.Scratch, error) {
	s, err := f.Disk.Scratch(ctx, dir)
	return fullScratch{s, f.room}, err
}

func (s fullScratch) Write(p []byte) (int, error) {
	if s.Size()+int64(len(p)) <= s.room {
		return s.Scratch.Write(p)
	}
	n, err := s.Scratch.Write(p[:max(0, s.room-s.Size())])
	return n, errors.Join(&blob.Error{Path: "scratch", Kind: blob.ErrDiskFull, Err: syscall.ENOSPC, Hint: "Free some space, or write to another disk."}, err)
}

// A disk that is full while sums are written, or while runs are merged into longer ones, is told as that; with room for all
// of it the sums are right.
func TestFullDisk(t *testing.T) {
	w := newWorld(t, 1)
	rows := w.rows(mrand.New(mrand.NewPCG(16, 17)), 50000, distributions["all different"])
	succeeded := 0
	for _, room := range []int64{100 << 10, 9 << 20, 64 << 20} {
		disk := &blobtest.Mem{}
		leaks := leaktest.Take()
		got, _, err := w.spill(rows, full{disk, room})
		leaks.Check(t, fmt.Sprint(room))
		if disk.Handles() != 0 || len(disk.Names()) > 0 {
			t.Errorf("%d bytes: %d files are open, there are %q", room, disk.Handles(), disk.Names())
		}
		if err == nil {
			succeeded++
			w.check(fmt.Sprint(room), got, w.plain(rows))
		} else if !errors.Is(err, blob.ErrDiskFull) || !strings.Contains(err.Error(), "scratch: ") {
			t.Errorf("%d bytes: %v", room, err)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d of the disks were large enough", succeeded)
	}
}
