package batch_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// encrypted is a disk with encrypted tables of a record each, whose x is 1, 2, 4 and so on.
func encrypted(t *testing.T, names ...string) *blobtest.Mem {
	t.Helper()
	disk := &blobtest.Mem{}
	for i, name := range names {
		disk.Put("x.csv", fmt.Appendf(nil, "id,x\n%d,%d\n", i, 1<<i))
		_, err := encrypt.Run(ctx, encrypt.Request{Options: job.Options{FS: disk, Disk: disk}, Key: keys.Of(testKey()), Spec: dataset.Spec{In: []string{"x.csv"}, IDs: []string{"id"}, Measures: []slots.Measure{{Name: "x", Bound: 1000}}}, Out: name})
		if err != nil {
			t.Fatal(err)
		}
	}
	disk.Remove(ctx, "x.csv")
	return disk
}

// totalJob adds up all that patterns stand for, and opens the sum.
func totalJob(disk *blobtest.Mem, out string, in ...string) *batch.Job {
	key := func(context.Context) (keys.Key, error) { return keys.Of(testKey()), nil }
	return &batch.Job{Name: "test", File: "job.toml", Dir: "dir", Options: job.Options{FS: disk, Disk: disk, Threads: 2}, Steps: []batch.Step{
		{Overwrite: true, Request: &fuse.Request{In: in, Out: out, By: []string{}}},
		{Overwrite: true, Key: key, Request: &decrypt.Request{Unfused: true, In: out, Out: "sum.csv"}},
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
		j.Steps[0].Key = func(ctx context.Context) (keys.Key, error) { // which is called when the job has its list of inputs
			disk.Put("in/a2.csv", []byte("id,ward,x,y\n1000,a,5,5\n"))
			table, _ := late.Get("z.records.cf.parquet")
			disk.Put("z.records.cf.parquet", table)
			return key(ctx)
		}
		var log strings.Builder
		j.Options.Log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := batch.Run(ctx, j, false); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"in/a2.csv", "z.records.cf.parquet"} {
			if !strings.Contains(log.String(), `msg="a file came when the job had begun, and is not in it" file=`+file) {
				t.Errorf("nothing is said of %s: %s", file, log.String())
			}
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
	start := encrypted(t, "t/a.cf.parquet", "t/b.cf.parquet")
	for at := int64(1); ; at++ {
		disk := clone(start)
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
			j.Steps[0].Request.(*fuse.Request).In = []string{"t/a.cf.parquet", "t/./fused.cf.parquet"}
		},
		"fuse-1 reads t/*.cf.parquet, which is its own output": func(j *batch.Job) {
			j.Steps[0].Request.(*fuse.Request).Out, j.Steps[0].Request.(*fuse.Request).RowsPerFile = "t", 5
		},
		"would write dir/journal into the job directory dir":      func(j *batch.Job) { j.Steps[1].Request.(*decrypt.Request).Out = "dir/journal" },
		"would write x/../dir/parts/a.csv into the job directory": func(j *batch.Job) { j.Steps[1].Request.(*decrypt.Request).Out = "x/../dir/parts/a.csv" },
		"would write dir into the job directory dir": func(j *batch.Job) {
			j.Steps[1].Request.(*decrypt.Request).Out, j.Steps[1].Request.(*decrypt.Request).RowsPerFile = "dir", 5
		},
		"fuse-1 and decrypt-1 write to the same file, t/../sum.csv": func(j *batch.Job) {
			j.Steps[0].Request.(*fuse.Request).Out, j.Steps[1].Request.(*decrypt.Request).Out = "sum.csv", "t/../sum.csv"
		},
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
			{Request: &encrypt.Request{Spec: dataset.Spec{In: []string{"a.csv"}}, Out: x.out}}, {Request: &fuse.Request{In: []string{x.in}, Out: "fused.cf.parquet"}},
		}}
		in, _ := j.Files(context.Background()) // that are made by no step
		if reads := len(in) == 1; reads != x.reads {
			t.Errorf("%s and %s: %v", x.in, x.out, reads)
		}
	}
}

// Lists of samples and keys of tokens are inputs: other ones are refused wherever the job goes on, and the receipt names
// the lists.
func TestSideFiles(t *testing.T) {
	disk := &blobtest.Mem{}
	var vcf strings.Builder
	vcf.WriteString("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\tC\n")
	for i := range 20 {
		fmt.Fprintf(&vcf, "1\t%d\t.\tA\tG\t.\t.\t.\tGT\t0/1\t1/1\t0/0\n", 100+i)
	}
	disk.Put("in.vcf", []byte(vcf.String()))
	disk.Put("samples.txt", []byte("A\nB\n"))
	options := job.Options{FS: disk, Disk: disk, Threads: 2}
	for _, name := range []string{"token.json", "other.json"} {
		if _, err := ids.CreateTokenKey(ctx, options, name); err != nil {
			t.Fatal(err)
		}
	}
	newJob := func() *batch.Job {
		return &batch.Job{Name: "test", File: "job.toml", Dir: "dir", PartRows: 5, Options: options, Steps: []batch.Step{{
			Key:     func(context.Context) (keys.Key, error) { return keys.Of(testKey()), nil },
			Request: &encrypt.Request{Spec: dataset.Spec{In: []string{"in.vcf"}, IDs: []string{"chrom", "pos", "ref", "alt"}, VCF: dataset.VCF{Samples: "samples.txt"}, TokenKey: "token.json", Measures: []slots.Measure{{Name: "AC", Bound: 100}}}, Out: "out.cf.parquet", TokenSamples: true},
		}}}
	}
	if _, err := batch.Shard(ctx, newJob(), 1, 2); err != nil {
		t.Fatal(err)
	}
	token, _ := disk.Get("token.json")
	if plan, _ := disk.Get("dir/job.json"); !strings.Contains(string(plan), `"token_check"`) || strings.Contains(string(plan), string(token[len(token)/2:len(token)/2+20])) {
		t.Errorf("the plan is %s", plan)
	}
	other, _ := disk.Get("other.json")
	for _, x := range []struct{ file, text, want string }{
		{"samples.txt", "B\nA\n", "samples.txt: the input changed since the job began"},
		{"samples.txt", "A\nC\n", "samples.txt: the input changed since the job began"},
		{"samples.txt", "", "samples.txt: the file is gone: it was an input of encrypt-1"},
		{"token.json", string(other), "token.json: the key changed: encrypt-1 was begun with tokens of the check value "},
	} {
		was, _ := disk.Get(x.file)
		if disk.Remove(ctx, x.file); x.text != "" {
			disk.Put(x.file, []byte(x.text))
		}
		if _, err := batch.Shard(ctx, newJob(), 2, 2); !refused(err, x.want) {
			t.Errorf("%q: %v", x.text, err)
		}
		if _, err := batch.Merge(ctx, newJob()); !refused(err, x.want) {
			t.Errorf("merged with %q: %v", x.text, err)
		}
		disk.Put(x.file, was)
	}
	if _, err := batch.Shard(ctx, newJob(), 2, 2); err != nil {
		t.Fatal(err)
	}
	disk.Remove(ctx, "token.json") // who merges need not have it
	j := newJob()
	j.Signer = func(ctx context.Context) (*receipt.Signer, error) {
		return receipt.LoadOrCreateSigner(ctx, filepath.Join(t.TempDir(), "receipt.key"))
	}
	if m, err := batch.Merge(ctx, j); err != nil || !m.Finished {
		t.Fatalf("%+v, %v", m, err)
	}
	data, _ := disk.Get("dir/receipt.json")
	report, err := receipt.Verify(ctx, disk, data, receipt.VerifyOptions{Name: "receipt.json", Private: privateOf(t, disk)})
	if err != nil {
		t.Fatal(err)
	}
	if in := report.Receipt.Steps[0].Inputs; !slices.Equal(in, []string{"in.vcf", "samples.txt"}) || len(report.Receipt.Inputs) != 2 {
		t.Errorf("the receipt names %q", in)
	}
}

// A wrong key, of a shard or of a run, is refused and spoils nothing: with the right one the job goes on.
func TestWrongKeys(t *testing.T) {
	other, err := paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, 512, true)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(context.Context) (keys.Key, error) { return keys.Of(other), nil }
	for name, work := range map[string]func(j *batch.Job) error{
		"shard": func(j *batch.Job) error {
			for i := 1; i <= 2; i++ {
				if _, err := batch.Shard(ctx, j, i, 2); err != nil {
					return err
				}
			}
			_, err := batch.Merge(ctx, j)
			return err
		},
		"run": func(j *batch.Job) error { return resumed(j) },
	} {
		disk := encrypted(t, "a.cf.parquet", "b.cf.parquet")
		newJob := func() *batch.Job {
			j := totalJob(disk, "fused.cf.parquet", "?.cf.parquet")
			j.Steps[0].Request.(*fuse.Request).By, j.PartRows = nil, 1
			return j
		}
		j := newJob()
		j.Steps[1].Key = wrong
		if name == "shard" {
			if err := work(j); err != nil { // the fusion, which has no key
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := work(j); !refused(err, "key") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := work(newJob()); err != nil {
			t.Errorf("%s, with the right key: %v", name, err)
		}
		if data, _ := disk.Get("sum.csv"); strings.Count(string(data), "\n") != 3 {
			t.Errorf("%s: %q", name, data)
		}
	}
	// An encryption is under the key of the shard that began it.
	disk := newDisk(smallRows)
	if _, err := batch.Shard(ctx, newJob(disk, 10), 1, 2); err != nil {
		t.Fatal(err)
	}
	j := newJob(disk, 10)
	for i := range j.Steps {
		if j.Steps[i].Key != nil {
			j.Steps[i].Key = wrong
		}
	}
	if _, err := batch.Shard(ctx, j, 2, 2); !refused(err, "the key changed: encrypt-1 was begun under key ") {
		t.Errorf("%v", err)
	}
	if _, err := batch.Shard(ctx, newJob(disk, 10), 2, 2); err != nil {
		t.Error(err)
	}
}

// versioned is a disk that tells one state of a file from another, as real ones do.
type versioned struct{ *blobtest.Mem }

type versionedFile struct {
	blob.File
	version string
}

func (f versionedFile) Version() string { return f.version }

func (d versioned) Open(ctx context.Context, name string) (blob.File, error) {
	f, err := d.Mem.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, _ := d.Get(name)
	return versionedFile{f, fmt.Sprintf("%x", sha256.Sum256(data))}, nil
}

// A step that writes a directory of part files is done again when its files had their names and that was not noted.
func TestDirectoriesAreMadeAgain(t *testing.T) {
	newJob := func(disk blob.Disk) *batch.Job {
		key := func(context.Context) (keys.Key, error) { return keys.Of(testKey()), nil }
		return &batch.Job{Name: "test", File: "job.toml", Dir: "dir", Options: job.Options{FS: disk, Disk: disk, Threads: 2}, Steps: []batch.Step{
			{Key: key, Request: &encrypt.Request{Spec: dataset.Spec{In: []string{"in/a.csv"}, IDs: []string{"id"}, Measures: []slots.Measure{{Name: "x", Bound: 1000}}}, Out: "parts", RowsPerFile: 5}},
			{Key: key, Request: &decrypt.Request{Unfused: true, In: "parts", Out: "x.csv"}},
		}}
	}
	again := 0
	for at := int64(1); ; at++ {
		disk := newDisk(12)
		faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.CrashAfter}
		_, err := batch.Run(ctx, newJob(faulty), false)
		if !faulty.Failed() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		was, there := disk.Get("parts/part-00000.cf.parquet")
		if err := resumed(newJob(versioned{disk})); err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		if data, _ := disk.Get("x.csv"); strings.Count(string(data), "\n") != 13 {
			t.Errorf("operation %d: %q", at, data)
		}
		if now, _ := disk.Get("parts/part-00000.cf.parquet"); there && string(now) != string(was) {
			again++
		}
	}
	if again == 0 {
		t.Error("no directory was made again")
	}
}
