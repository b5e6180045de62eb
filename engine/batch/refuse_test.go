package batch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// halfway is a disk on which the job was stopped at an operation in the middle of it.
func halfway(t *testing.T, at int64) *blobtest.Mem {
	t.Helper()
	disk := newDisk(smallRows)
	faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.Crash}
	if _, err := batch.Run(ctx, newJob(faulty, 10), false); err == nil {
		t.Fatal("the job is done before the crash")
	}
	return disk
}

// stopped is a disk on which the job was stopped as soon as something was there.
func stopped(t *testing.T, there func(*blobtest.Mem) bool) *blobtest.Mem {
	t.Helper()
	for at := int64(60); ; at += 7 {
		if d := halfway(t, at); there(d) {
			return d
		}
	}
}

// crashes stop the job when the first step is under way, and when some steps are done.
var crashes = map[string]func(*blobtest.Mem) bool{
	"early": func(d *blobtest.Mem) bool { return len(parts(d)) == 2 },
	"late":  func(d *blobtest.Mem) bool { _, ok := d.Get("blocks.fused.parquet"); return ok },
}

// resumed is what became of a job that goes on.
func resumed(j *batch.Job) error {
	_, err := batch.Run(ctx, j, true)
	return err
}

// A job whose inputs, steps or keys are not what they were is refused, and goes on when they are put back.
func TestChangedJobs(t *testing.T) {
	w := want(t, smallRows)
	other, err := paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, 512, true)
	if err != nil {
		t.Fatal(err)
	}
	for when, there := range crashes {
		start := stopped(t, there)
		for want, change := range map[string]func(*blobtest.Mem, *batch.Job) (undo func()){
			"in/b.csv: the input changed since the job began": func(d *blobtest.Mem, _ *batch.Job) func() {
				was, _ := d.Get("in/b.csv")
				d.Put("in/b.csv", bytes.Replace(was, []byte("1000"), []byte("1001"), 1))
				return func() { d.Put("in/b.csv", was) }
			},
			"in/b*.csv: no file matches": func(d *blobtest.Mem, _ *batch.Job) func() {
				was, _ := d.Get("in/b.csv")
				if err := d.Remove(ctx, "in/b.csv"); err != nil {
					t.Fatal(err)
				}
				return func() { d.Put("in/b.csv", was) }
			},
			"in/a2.csv: the file is new: it was no input of encrypt-1": func(d *blobtest.Mem, _ *batch.Job) func() {
				was, _ := d.Get("in/a.csv")
				d.Put("in/a2.csv", was)
				return func() { d.Remove(ctx, "in/a2.csv") }
			},
			`layout of encrypt-2 is "records" and was "blocks"`: func(_ *blobtest.Mem, j *batch.Job) func() {
				j.Steps[1].Parameters = map[string]receipt.Values{"out": {"a.blocks.cf.parquet"}, "layout": {"records"}}
				return func() {}
			},
			`by of fuse-1 is "x" and was `: func(_ *blobtest.Mem, j *batch.Job) func() {
				j.Steps[4].Parameters = map[string]receipt.Values{"out": {"blocks.fused.parquet"}, "by": {"x"}}
				return func() {}
			},
			"null of encrypt-1 is \"\" and was not given": func(_ *blobtest.Mem, j *batch.Job) func() {
				j.Steps[0].Parameters = map[string]receipt.Values{"out": {"a.records.cf.parquet"}, "layout": {"records"}, "null": {""}}
				return func() {}
			},
			"it has 9 steps, not 10": func(_ *blobtest.Mem, j *batch.Job) func() {
				j.Steps = j.Steps[:9]
				return func() {}
			},
			"the key changed: ": func(_ *blobtest.Mem, j *batch.Job) func() {
				for i := range j.Steps {
					if j.Steps[i].Key != nil {
						j.Steps[i].Key = func(context.Context) (keys.Key, error) { return keys.Of(other), nil }
					}
				}
				return func() {}
			},
		} {
			t.Run(when+" "+want, func(t *testing.T) {
				disk := clone(start)
				before := disk.Names()
				j := newJob(disk, 10)
				undo := change(disk, j)
				changed := disk.Names()
				err := resumed(j)
				if err == nil {
					t.Fatal("nothing was refused")
				}
				if job.Explain(err).Kind != job.Refused || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
				if f := job.Explain(err); f.Hint == "" && !errors.Is(err, blob.ErrNoMatch) {
					t.Errorf("%v has no hint", err)
				}
				if got := disk.Names(); !slices.Equal(got, changed) {
					t.Errorf("files %q became %q", changed, got)
				}
				undo()
				if got := disk.Names(); !slices.Equal(got, before) {
					t.Fatalf("files %q, want %q", got, before)
				}
				if err := resumed(newJob(disk, 10)); err != nil {
					t.Fatal(err)
				}
				check(t, disk, w)
			})
		}
	}
}

// clone is a disk with the same files.
func clone(d *blobtest.Mem) *blobtest.Mem {
	out := &blobtest.Mem{}
	for _, name := range d.Names() {
		data, _ := d.Get(name)
		out.Put(name, data)
	}
	return out
}

// parts are the files of parts of a disk.
func parts(d *blobtest.Mem) []string {
	return slices.DeleteFunc(d.Names(), func(name string) bool {
		return path.Dir(name) != "dir/parts" || path.Ext(name) != ".parquet"
	})
}

// Parts that were lost or damaged are made again; journals and plans that were damaged are refused.
func TestDamagedDirectories(t *testing.T) {
	w := want(t, smallRows)
	start := stopped(t, crashes["early"])
	for name, damage := range map[string]func(d *blobtest.Mem, part, other string){
		"flipped": func(d *blobtest.Mem, part, _ string) {
			data, _ := d.Get(part)
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
			d.Put(part, data)
		},
		"cut":   func(d *blobtest.Mem, part, _ string) { data, _ := d.Get(part); d.Put(part, data[:len(data)/2]) },
		"empty": func(d *blobtest.Mem, part, _ string) { d.Put(part, nil) },
		"gone":  func(d *blobtest.Mem, part, _ string) { d.Remove(ctx, part) },
		"other": func(d *blobtest.Mem, part, other string) { data, _ := d.Get(other); d.Put(part, data) },
		"all gone": func(d *blobtest.Mem, part, other string) {
			for _, name := range d.Names() {
				if path.Dir(name) == "dir/parts" {
					d.Remove(ctx, name)
				}
			}
		},
	} {
		t.Run("part "+name, func(t *testing.T) {
			disk := clone(start)
			p := parts(disk)
			damage(disk, p[0], p[1])
			if err := resumed(newJob(disk, 10)); err != nil {
				t.Fatal(err)
			}
			check(t, disk, w)
		})
	}
	for want, damage := range map[string]func(d *blobtest.Mem){
		"dir/journal: line 2: the journal is damaged: its checksum is wrong": func(d *blobtest.Mem) {
			data, _ := d.Get("dir/journal")
			lines := bytes.SplitAfter(data, []byte("\n"))
			lines[1] = append([]byte("0"), lines[1][1:]...)
			if lines[1][1] == '0' {
				lines[1][0] = '1'
			}
			lines[1][12] ^= 1
			d.Put("dir/journal", bytes.Join(lines, nil))
		},
		"dir/journal: line 1: the journal belongs to another job.json": func(d *blobtest.Mem) {
			data, _ := d.Get("dir/job.json")
			d.Put("dir/job.json", bytes.Replace(data, []byte(`"name": "test"`), []byte(`"name": "best"`), 1))
		},
		"dir/job.json: the plan is damaged": func(d *blobtest.Mem) {
			data, _ := d.Get("dir/job.json")
			d.Put("dir/job.json", data[:len(data)/2])
		},
		"dir/job.json: version 3 of job directories is not known": func(d *blobtest.Mem) {
			data, _ := d.Get("dir/job.json")
			d.Put("dir/job.json", bytes.Replace(data, []byte(`"version": 2`), []byte(`"version": 3`), 1))
		},
		"dir/job.json: the key of what is sealed in it is gone": func(d *blobtest.Mem) { d.Remove(ctx, "dir/private.key") },
		"dir/job.json: what is sealed in it was changed": func(d *blobtest.Mem) {
			d.Put("dir/private.key", []byte(strings.Repeat("0f", 32)+"\n"))
		},
		"dir/private.key: not 64 hex digits":            func(d *blobtest.Mem) { d.Put("dir/private.key", []byte("key")) },
		"dir/parts/encrypt-1.json: the file is damaged": func(d *blobtest.Mem) { d.Put("dir/parts/encrypt-1.json", []byte("{")) },
		`dir: not a job directory: it has "parts.txt" and no job.json`: func(d *blobtest.Mem) {
			d.Remove(ctx, "dir/job.json")
			d.Put("dir/parts.txt", nil)
		},
	} {
		t.Run(want, func(t *testing.T) {
			disk := clone(start)
			damage(disk)
			err := resumed(newJob(disk, 10))
			if f := job.Explain(err); f.Kind != job.Refused || !strings.Contains(err.Error(), want) || f.Hint == "" {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// A torn last line of the journal is what a crash leaves, wherever it is torn.
func TestTornJournal(t *testing.T) {
	w := want(t, smallRows)
	disk := stopped(t, crashes["early"])
	data, _ := disk.Get("dir/journal")
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for _, cut := range []int{last, last + 1, last + 9, (last + len(data)) / 2, len(data) - 1} {
		again := clone(disk)
		again.Put("dir/journal", data[:cut])
		if err := resumed(newJob(again, 10)); err != nil {
			t.Errorf("cut off after %d of %d bytes: %v", cut, len(data), err)
		}
		check(t, again, w)
	}
}

// A job that is done is done: run again it checks its outputs and inputs.
func TestDoneJobs(t *testing.T) {
	w := want(t, smallRows)
	for want, change := range map[string]func(*blobtest.Mem){
		"": func(*blobtest.Mem) {},
		"blocks.csv: the file changed since the job made it": func(d *blobtest.Mem) { d.Put("blocks.csv", []byte("id\n")) },
		"wards.fused.parquet: the job made this file, and it is gone": func(d *blobtest.Mem) {
			d.Remove(ctx, "wards.fused.parquet")
		},
		"in/a.csv: the input changed since the job began": func(d *blobtest.Mem) { d.Put("in/a.csv", []byte("id\n")) },
	} {
		for _, resume := range []bool{false, true} {
			disk := newDisk(smallRows)
			if _, err := batch.Run(ctx, newJob(disk, 10), false); err != nil {
				t.Fatal(err)
			}
			change(disk)
			before := disk.Names()
			s, err := batch.Run(ctx, newJob(disk, 10), resume)
			if want == "" {
				if err != nil || !s.Already || len(s.Reports()) != 0 {
					t.Errorf("%+v, %v", s, err)
				}
				check(t, disk, w)
			} else if f := job.Explain(err); f.Kind != job.Refused || !strings.Contains(err.Error(), want) || f.Hint == "" {
				t.Errorf("%v, want %q", err, want)
			}
			if after := disk.Names(); !slices.Equal(before, after) {
				t.Errorf("files %q became %q", before, after)
			}
		}
	}
	// Inputs that are gone do not undo what was done with them.
	disk := newDisk(smallRows)
	if _, err := batch.Run(ctx, newJob(disk, 10), false); err != nil {
		t.Fatal(err)
	}
	disk.Remove(ctx, "in/a.csv")
	disk.Remove(ctx, "in/b.csv")
	if s, err := batch.Run(ctx, newJob(disk, 10), false); err != nil || !s.Already {
		t.Errorf("without inputs: %+v, %v", s, err)
	}
}

// Outputs that are in the way are found before any work, and replaced on request.
func TestOutputsInTheWay(t *testing.T) {
	w := want(t, smallRows)
	disk := newDisk(smallRows)
	disk.Put("wards.csv", []byte("precious"))
	_, err := batch.Run(ctx, newJob(disk, 10), false)
	if !errors.Is(err, blob.ErrExists) {
		t.Errorf("%v", err)
	}
	if names := disk.Names(); !slices.Equal(names, []string{"in/a.csv", "in/b.csv", "wards.csv"}) {
		t.Errorf("%q is left", names)
	}
	j := newJob(disk, 10)
	for i := range j.Steps {
		j.Steps[i].Overwrite = true
	}
	if _, err := batch.Run(ctx, j, false); err != nil {
		t.Fatal(err)
	}
	check(t, disk, w)
	// An output that appears while the job is stopped is not the job's.
	disk = stopped(t, crashes["late"])
	disk.Put("wards.csv", []byte("precious"))
	if err := resumed(newJob(disk, 10)); !errors.Is(err, blob.ErrExists) {
		t.Errorf("%v", err)
	}
	if data, _ := disk.Get("wards.csv"); string(data) != "precious" {
		t.Errorf("wards.csv is %d bytes", len(data))
	}
}

// full is a disk with room for so many more bytes.
type full struct {
	blob.Disk
	room *int
}

func (f full) write(name string, p []byte, write func([]byte) (int, error)) (int, error) {
	n := min(len(p), *f.room)
	*f.room -= n
	got, err := write(p[:n])
	if err == nil && n < len(p) {
		err = &blob.Error{Path: name, Kind: blob.ErrDiskFull, Err: syscall.ENOSPC, Hint: "Free some space, or write to another disk."}
	}
	return got, err
}

type fullUpload struct {
	blob.Upload
	disk full
	name string
}

func (u fullUpload) Write(p []byte) (int, error) { return u.disk.write(u.name, p, u.Upload.Write) }

type fullAppender struct {
	blob.Appender
	disk full
	name string
}

func (a fullAppender) Write(p []byte) (int, error) { return a.disk.write(a.name, p, a.Appender.Write) }

func (f full) Create(ctx context.Context, name string, opts blob.CreateOptions) (blob.Upload, error) {
	u, err := f.Disk.Create(ctx, name, opts)
	return fullUpload{u, f, name}, err
}

func (f full) Append(ctx context.Context, name string) (blob.Appender, error) {
	a, err := f.Disk.Append(ctx, name)
	return fullAppender{a, f, name}, err
}

// A full disk ends a job with a hint, and the job goes on when there is space.
func TestFullDisk(t *testing.T) {
	w := want(t, smallRows)
	disk := newDisk(smallRows)
	room := 1 << 30
	if _, err := batch.Run(ctx, newJob(full{disk, &room}, 10), false); err != nil {
		t.Fatal(err)
	}
	used := 1<<30 - room
	failed := 0
	steps := thoroughtest.Pick(3, 12)
	for room := 500; room < used; room += used / steps {
		disk := newDisk(smallRows)
		left := room
		_, err := batch.Run(ctx, newJob(full{disk, &left}, 10), false)
		f := job.Explain(err)
		var stopped *batch.Stopped
		if errors.As(err, &stopped) {
			f = stopped.Explain()
		}
		if f.Kind != job.Failed || !errors.Is(err, blob.ErrDiskFull) || !strings.Contains(f.Hint, "Free some space") || stopped != nil && !strings.Contains(f.Hint, "«run job.toml ‹resume›»") {
			t.Errorf("%d bytes: %v: %+v", room, err, f)
		}
		failed++
		checkWhole(t, disk, w)
		if err := resumed(newJob(disk, 10)); err != nil {
			t.Fatalf("%d bytes: resumed: %v", room, err)
		}
		check(t, disk, w)
	}
	t.Logf("%d jobs on a disk that was too small", failed)
}

// Two runs of one job at a time: the second one is refused.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	local := func() *batch.Job {
		j := newJob(blob.Local{}, 10)
		j.Dir = filepath.Join(dir, "dir")
		for i := range j.Steps {
			switch r := j.Steps[i].Request.(type) {
			case *encrypt.Request:
				r.In[0], r.Out = filepath.Join(dir, r.In[0]), filepath.Join(dir, r.Out)
			case *fuse.Request:
				r.In[0], r.Out = filepath.Join(dir, r.In[0]), filepath.Join(dir, r.Out)
			case *decrypt.Request:
				r.In, r.Out = filepath.Join(dir, r.In), filepath.Join(dir, r.Out)
			default:
				t.Fatalf("step %d is a %T", i, r)
			}
		}
		return j
	}
	for name, text := range owners(smallRows) {
		if err := (blob.Local{}).MakeDir(ctx, filepath.Join(dir, "in")); err != nil {
			t.Fatal(err)
		}
		u, err := blob.Local{}.Create(ctx, filepath.Join(dir, name), blob.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := u.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	first := local()
	key := first.Steps[0].Key
	tried := false
	first.Steps[0].Key = func(ctx context.Context) (keys.Key, error) {
		if !tried {
			tried = true
			for name, second := range map[string]func() error{
				"run":   func() error { _, err := batch.Run(ctx, local(), true); return err },
				"merge": func() error { _, err := batch.Merge(ctx, local()); return err },
			} {
				if err := second(); !refused(err, "another program is running this job") || hint(err) == "" {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		return key(ctx)
	}
	if _, err := batch.Run(ctx, first, false); err != nil {
		t.Fatal(err)
	}
	if !tried {
		t.Error("nothing was tried")
	}
	if s, err := batch.Run(ctx, local(), false); err != nil || !s.Already {
		t.Errorf("%+v, %v", s, err)
	}
}
