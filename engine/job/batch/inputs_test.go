package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/job/batch"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// encrypted is a disk with encrypted tables of a record each, whose x is 1, 2, 4 and so on.
func encrypted(t *testing.T, names ...string) *blobtest.Mem {
	t.Helper()
	disk := &blobtest.Mem{}
	for i, name := range names {
		disk.Put("x.csv", fmt.Appendf(nil, "id,x\n%d,%d\n", i, 1<<i))
		_, err := job.Encrypt(ctx, job.Encryption{Options: job.Options{FS: disk, Disk: disk}, Key: job.KeyOf(testKey()), In: []string{"x.csv"}, Out: name,
			IDs: []string{"id"}, Measures: []job.Measure{{Name: "x", Bound: 1000}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	disk.Remove(ctx, "x.csv")
	return disk
}

// totalJob adds up all that patterns stand for, and opens the sum.
func totalJob(disk *blobtest.Mem, out string, in ...string) *batch.Job {
	key := func(context.Context) (job.Key, error) { return job.KeyOf(testKey()), nil }
	return &batch.Job{Name: "test", File: "job.toml", Dir: "dir", Options: job.Options{FS: disk, Disk: disk, Threads: 2}, Steps: []batch.Step{
		{Overwrite: true, Fuse: &job.Fusion{In: in, Out: out, By: []string{}}},
		{Overwrite: true, Key: key, Decrypt: &job.Decryption{In: out, Out: "sum.csv"}},
	}}
}

// sum is what such a job found.
func sum(t *testing.T, disk *blobtest.Mem) string {
	t.Helper()
	data, _ := disk.Get("sum.csv")
	_, row, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(row)
}

// A file that comes when the job has begun is in none of its steps and parts.
func TestLateFiles(t *testing.T) {
	w := want(t, smallRows)
	for _, partRows := range []int64{0, 10} {
		disk := newDisk(smallRows)
		late := encrypted(t, "z.records.cf.parquet")
		j := newJob(disk, partRows)
		key := j.Steps[0].Key
		j.Steps[0].Key = func(ctx context.Context) (job.Key, error) { // which is called when the job has its list of inputs
			disk.Put("in/a2.csv", []byte("id,ward,x,y\n1000,a,5,5\n"))
			table, _ := late.Get("z.records.cf.parquet")
			disk.Put("z.records.cf.parquet", table)
			return key(ctx)
		}
		if _, err := batch.Run(ctx, j, false); err != nil {
			t.Fatal(err)
		}
		disk.Remove(ctx, "in/a2.csv")
		check(t, disk, w)
	}
}

// A fusion of all tables in a directory into one of them, night after night, never adds its own result.
func TestOwnOutput(t *testing.T) {
	for _, pattern := range []string{"t/*.cf.parquet", "t", "t/"} {
		disk := encrypted(t, "t/a.cf.parquet", "t/b.cf.parquet")
		for night := range 3 {
			j := totalJob(disk, "t/fused.cf.parquet", pattern)
			j.Dir = fmt.Sprint("dir", night)
			if _, err := batch.Run(ctx, j, false); err != nil {
				t.Fatalf("%s: %v", pattern, err)
			}
			if got := sum(t, disk); !strings.HasPrefix(got, "3,") {
				t.Errorf("%s, night %d: %q", pattern, night, got)
			}
		}
	}
	// Wherever it was stopped before, also when the result had its name and was not noted as done.
	for at := int64(1); ; at++ {
		disk := encrypted(t, "t/a.cf.parquet", "t/b.cf.parquet")
		faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.CrashAfter}
		j := totalJob(disk, "t/fused.cf.parquet", "t/*.cf.parquet")
		j.Options.FS, j.Options.Disk = faulty, faulty
		_, err := batch.Run(ctx, j, false)
		if !faulty.Failed() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err := resumed(totalJob(disk, "t/fused.cf.parquet", "t/*.cf.parquet")); err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		if got := sum(t, disk); !strings.HasPrefix(got, "3,") {
			t.Errorf("operation %d: %q", at, got)
		}
	}
}

// Jobs that could not work are refused as such, and leave nothing.
func TestImpossibleJobs(t *testing.T) {
	for want, change := range map[string]func(*batch.Job){
		"fuse-1 reads t/./fused.cf.parquet, which is its own output": func(j *batch.Job) {
			j.Steps[0].Fuse.In = []string{"t/a.cf.parquet", "t/./fused.cf.parquet"}
		},
		"fuse-1 reads t/*.cf.parquet, which is its own output":      func(j *batch.Job) { j.Steps[0].Fuse.Out, j.Steps[0].Fuse.RowsPerFile = "t", 5 },
		"would write dir/journal into the job directory dir":        func(j *batch.Job) { j.Steps[1].Decrypt.Out = "dir/journal" },
		"would write x/../dir/parts/a.csv into the job directory":   func(j *batch.Job) { j.Steps[1].Decrypt.Out = "x/../dir/parts/a.csv" },
		"would write dir into the job directory dir":                func(j *batch.Job) { j.Steps[1].Decrypt.Out, j.Steps[1].Decrypt.RowsPerFile = "dir", 5 },
		"fuse-1 and decrypt-1 write to the same file, t/../sum.csv": func(j *batch.Job) { j.Steps[0].Fuse.Out, j.Steps[1].Decrypt.Out = "sum.csv", "t/../sum.csv" },
	} {
		disk := encrypted(t, "t/a.cf.parquet", "t/b.cf.parquet")
		before := fmt.Sprint(disk.Names())
		j := totalJob(disk, "t/fused.cf.parquet", "t/*.cf.parquet")
		change(j)
		_, err := batch.Run(ctx, j, false)
		var usage *job.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || usage.Hint == "" {
			t.Errorf("%v, want %q", err, want)
		}
		if after := fmt.Sprint(disk.Names()); after != before {
			t.Errorf("%s: files %s became %s", want, before, after)
		}
	}
}

// Names in object stores stand for outputs as names on a disk do.
func TestOutputsInStores(t *testing.T) {
	for _, x := range []struct {
		in, out string
		reads   bool
	}{
		{"s3://b/dir", "s3://b/dir/x.cf.parquet", true},
		{"s3://b/dir/", "s3://b/dir/x.cf.parquet", true},
		{"s3://b", "s3://b/x.cf.parquet", true},
		{"s3://b/dir/*.cf.parquet", "s3://b/dir/x.cf.parquet", true},
		{"s3://b/dir?region=x", "s3://b/dir/x.cf.parquet?region=x", true},
		{"s3://b/dir", "s3://b/dir/ward=a/x.cf.parquet", true},
		{"s3://b/dir", "s3://c/dir/x.cf.parquet", false},
		{"s3://b/dir", "s3://b/dir/more/x.cf.parquet", false},
		{"s3://b/*.cf.parquet", "s3://b/_x.cf.parquet", false},
		{"b/dir", "s3://b/dir/x.cf.parquet", false},
		{"dir", "dir/ward=a/site=b/x.cf.parquet", true},
		{"d*", "./dir", true},
	} {
		j := &batch.Job{Steps: []batch.Step{
			{Encrypt: &job.Encryption{In: []string{"a.csv"}, Out: x.out}}, {Fuse: &job.Fusion{In: []string{x.in}, Out: "fused.cf.parquet"}},
		}}
		in, _ := j.Files() // that are made by no step
		if reads := len(in) == 1; reads != x.reads {
			t.Errorf("%s and %s: %v", x.in, x.out, reads)
		}
	}
}
