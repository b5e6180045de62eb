package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/batch/jobfile"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// shout is the request of a verb that only this test knows. It writes the lines of a file in capitals.
type shout struct {
	job.Options
	In, Out string
}

func (s *shout) Files() job.StepFiles {
	return job.StepFiles{In: []string{s.In}, Out: s.Out, PartExtension: ".txt"}
}

type shouting struct{ shout }

func (s *shout) begin(o job.Options, _ string, _ func(context.Context) (keys.Key, error)) *shouting {
	return &shouting{shout{o, s.In, s.Out}}
}

// loudness is what the parts agree on.
type loudness struct {
	Marks int `json:"marks"` // exclamation marks after every line
}

func (*loudness) KeyFingerprint() string { return "" }
func (*loudness) Once() bool             { return false }

// lines are those of a file, with their ends.
func (s *shouting) lines(ctx context.Context, name string) ([]string, error) {
	file, err := s.FS.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	return slices.Collect(strings.Lines(string(data))), err
}

func (s *shouting) write(ctx context.Context, name, text string) error {
	u, err := s.FS.Create(ctx, name, blob.CreateOptions{Overwrite: s.Overwrite})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := io.WriteString(u, text); err != nil {
		return err
	}
	return u.Commit(ctx)
}

func (s *shouting) Survey(ctx context.Context) (*job.Division, error) {
	lines, err := s.lines(ctx, s.In)
	return &job.Division{Rows: int64(len(lines)), Align: 1, RowsBytes: 1, PartBytes: 4, PartsMax: 1000, Found: &loudness{Marks: 2}}, err
}

func (s *shouting) Parts(ctx context.Context, found job.Findings, ranges []job.Range, name func(job.Range) string, done func(job.Range, *job.Report) error) error {
	lines, err := s.lines(ctx, s.In)
	if err != nil {
		return err
	}
	marks := strings.Repeat("!", found.(*loudness).Marks) + "\n"
	for _, r := range ranges {
		var text strings.Builder
		for _, line := range lines[r.From:r.To] {
			text.WriteString(strings.ToUpper(strings.TrimSpace(line)) + marks)
		}
		if err := s.write(ctx, name(r), text.String()); err != nil {
			return err
		}
		if err := done(r, &job.Report{Out: name(r), Records: r.To - r.From, Values: r.To - r.From}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shouting) Join(ctx context.Context, _ job.Findings, files []string) (*job.Report, error) {
	var all []string
	for _, file := range files {
		lines, err := s.lines(ctx, file)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return &job.Report{Out: s.Out, Records: int64(len(all))}, s.write(ctx, s.Out, strings.Join(all, ""))
}

func (s *shouting) Whole(ctx context.Context, found job.Findings) (report *job.Report, err error) {
	lines, err := s.lines(ctx, s.In)
	if err != nil {
		return nil, err
	}
	err = s.Parts(ctx, found, []job.Range{{To: int64(len(lines))}}, func(job.Range) string { return s.Out }, func(_ job.Range, r *job.Report) error {
		report = r
		return nil
	})
	return report, err
}

func (s *shouting) Workload(ctx context.Context, known job.StepKnown) (*job.Workload, error) {
	if known.Waits {
		t := known.Tables[s.In]
		return &job.Workload{Records: t.Records, Ciphertexts: t.Rows, Out: &t}, nil
	}
	lines, err := s.lines(ctx, s.In)
	n := int64(len(lines))
	return &job.Workload{Records: n, Ciphertexts: n, Out: &job.TableEstimate{TableSurvey: job.TableSurvey{Records: n, Rows: n}}}, err
}

// registerShout adds the row of the verb to the registry, as a new verb of the program would, until the test ends.
func registerShout(t *testing.T) {
	before := verbs
	verbs = append(slices.Clip(before), row("shout", (*shout).begin, func() job.Findings { return new(loudness) }, nil))
	t.Cleanup(func() { verbs = before })
}

const shoutLines = 25

// shouted is what shouting once, and twice, makes of a disk's file in.txt.
func shouted(t *testing.T, disk *blobtest.Mem) {
	t.Helper()
	var once, twice bytes.Buffer
	for i := range shoutLines {
		fmt.Fprintf(&once, "LINE %d!!\n", i)
		fmt.Fprintf(&twice, "LINE %d!!!!\n", i)
	}
	for name, want := range map[string]string{"once.txt": once.String(), "twice.txt": twice.String()} {
		if got, _ := disk.Get(name); string(got) != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if n := disk.Handles(); n != 0 {
		t.Errorf("%d files are left open", n)
	}
	for _, name := range disk.Names() {
		if strings.HasPrefix(name, "dir/parts/") || strings.HasPrefix(name, "dir/journal.") {
			t.Errorf("stray file %s", name)
		}
	}
}

func shoutDisk() *blobtest.Mem {
	disk := &blobtest.Mem{}
	var text bytes.Buffer
	for i := range shoutLines {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	disk.Put("in.txt", text.Bytes())
	return disk
}

// shoutJob has two steps, of which the second one, written first, reads what the first one makes.
func shoutJob(disk blob.Disk, partRows int64) *Job {
	return &Job{Name: "loud", File: "job.toml", Dir: "dir", PartRows: partRows, Options: job.Options{FS: disk, Disk: disk}, Steps: []Step{
		{Request: &shout{In: "once.txt", Out: "twice.txt"}, Parameters: map[string]receipt.Values{"out": {"twice.txt"}}},
		{Request: &shout{In: "in.txt", Out: "once.txt"}, Parameters: map[string]receipt.Values{"out": {"once.txt"}}},
	}}
}

// A verb that has a row in the registry can be a step of a job, in every way that there is to do one: whole, in parts, after
// a fault of the disk, by shards. Nothing else in this package knows it.
func TestAnotherVerb(t *testing.T) {
	registerShout(t)
	for _, partRows := range []int64{0, 3, 1000} {
		disk := shoutDisk()
		s, err := Run(ctx, shoutJob(disk, partRows), false)
		if err != nil {
			t.Fatal(err)
		}
		shouted(t, disk)
		if len(s.Steps) != 2 || s.Steps[0].Name != "shout-1" || s.Steps[0].Report.Records != shoutLines || s.Steps[0].Report.Values != shoutLines {
			t.Errorf("%+v", s)
		}
		if s, err := Run(ctx, shoutJob(disk, partRows), false); err != nil || !s.Already {
			t.Errorf("again: %+v, %v", s, err)
		}
	}
	const text = "version = 1\n[job]\n[[shout]]\nin = \"in.txt\"\n"
	schemas := map[string]jobfile.Schema{"job": {}, "shout": {"in": jobfile.Text}}
	file, err := jobfile.Parse("job.toml", []byte(text), Verbs(), schemas, nil)
	if err != nil || len(file.Steps) != 1 || file.Steps[0].Name != "shout" {
		t.Errorf("%+v, %v", file, err)
	}
}

func TestAnotherVerbWithFaults(t *testing.T) {
	registerShout(t)
	faults := 0
	for at := int64(1); ; at++ {
		disk := shoutDisk()
		faulty := &blobtest.Faulty{FS: disk, FailAt: at, Mode: blobtest.CrashAfter}
		_, err := Run(ctx, shoutJob(faulty, 10), false)
		if !faulty.Failed() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		faults++
		if err != nil && !errors.Is(err, blobtest.ErrInjected) {
			t.Fatalf("operation %d: %v", at, err)
		}
		if _, err := Run(ctx, shoutJob(disk, 10), true); err != nil {
			t.Fatalf("operation %d: resumed: %v", at, err)
		}
		shouted(t, disk)
	}
	if faults < 20 {
		t.Errorf("only %d operations", faults)
	}
}

func TestAnotherVerbInShards(t *testing.T) {
	registerShout(t)
	disk := shoutDisk()
	const n = 3
	e, err := shoutJob(disk, 0).Estimate(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	if first, second := e.Steps[0], e.Steps[1]; first.Name != "shout-2" || first.State != Ready || first.Parts != 9 || first.Records != shoutLines || second.State != Waits || second.Records != shoutLines {
		t.Errorf("%+v", e)
	}
	vault, err := receipt.ReadVault(ctx, disk, "dir/private.key")
	if err != nil {
		t.Fatal(err)
	}
	file, _ := disk.Get("dir/parts/shout-2.json")
	text, err := vault.Open("shout-2.json", strings.TrimSpace(strings.TrimPrefix(string(file), sealedPartition)))
	if err != nil || string(text) != `{"rows":25,"part_rows":3,"shards":3,"shout":{"marks":2}}` || strings.Contains(string(file), "rows") {
		t.Errorf("divided as %s, in the file %s: %v", text, file, err)
	}
	for level := 1; level <= 2; level++ {
		for i := n; i >= 1; i-- {
			if _, err := Merge(ctx, shoutJob(disk, 0)); level == 1 && err == nil {
				t.Errorf("merged without shard %d", i)
			}
			s, err := Shard(ctx, shoutJob(disk, 0), i, n)
			if err != nil || s.Level != level || s.Parts == 0 {
				t.Fatalf("shard %d, level %d: %+v, %v", i, level, s, err)
			}
		}
		m, err := Merge(ctx, shoutJob(disk, 0))
		if err != nil || m.Level != level || m.Finished != (level == 2) {
			t.Fatalf("level %d: %+v, %v", level, m, err)
		}
	}
	shouted(t, disk)
	status, err := Inspect(ctx, job.Options{FS: disk, Disk: disk}, "dir")
	if err != nil || !status.Finished {
		t.Errorf("%+v, %v", status, err)
	}
	verbs = verbs[:len(verbs)-1]
	if _, err := Inspect(ctx, job.Options{FS: disk, Disk: disk}, "dir"); err == nil || !strings.Contains(err.Error(), `does not know the verb "shout"`) {
		t.Errorf("without the verb: %v", err)
	}
}
