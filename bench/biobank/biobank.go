package biobank

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Options say how large the study is.
type Options struct {
	Variants int
	Owners   int
	Samples  int // of each owner
	Bits     int
	Variant  string // of the key
	Seed     uint64
	Threads  int    // of each process; 0 means all cores
	Memory   int64  // budget of each process; 0 means job.MemoryDefault
	Kernel   string // "" means the best available
	TestKey  bool   // allow fewer than 2048 bits
	Dir      string // an existing directory for the files, which stay there; "": a temporary one
	Program  string // cipherfold; "" means this process's own

	Log *slog.Logger // nil discards
}

// Result is what a run measured. Per-variant figures of one owner's file divide by the variants; those of encryption
// are of all owners together, divided by owners and variants.
type Result struct {
	Machine  bench.Machine `json:"machine"`
	Variants int           `json:"variants"`
	Owners   int           `json:"owners"`
	Samples  int           `json:"samples_per_owner"`
	Bits     int           `json:"bits"`
	Variant  string        `json:"variant"`
	Layout   string        `json:"layout"`
	Measures []string      `json:"measures"`
	Steps    []Step        `json:"steps"`
	Equal    int           `json:"variants_equal_to_plain"`
}

// Step is one step of the study.
type Step struct {
	Name       string  `json:"step"` // "encrypt" (all owners, one after the other), "fuse" or "decrypt"
	Processes  int     `json:"processes"`
	Seconds    float64 `json:"seconds"` // wall time of the processes, start to end
	CPU        float64 `json:"cpu_seconds"`
	RSSMiB     float64 `json:"peak_rss_mib"` // of the largest process
	Bytes      int64   `json:"bytes_written"`
	BytesRead  int64   `json:"bytes_read"`
	Variants   int64   `json:"variants"` // that entered: for encrypt and fuse, of all owners
	Nanosecond float64 `json:"ns_per_variant"`
	PerVariant float64 `json:"bytes_written_per_variant"`
}

// measures are what is encrypted: how often the alternative allele was called, and how many alleles were.
var measures = []string{"AC", "AN"}

// Run makes the files, runs the study as processes of this program, and compares every variant with the plain counts.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "cipherfold-biobank-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
	}
	t := &truth{ac: make([]int32, o.Variants), an: make([]int32, o.Variants)}
	file := func(owner int, ext string) string {
		return filepath.Join(dir, fmt.Sprintf("owner%02d%s", owner+1, ext))
	}
	for owner := range o.Owners {
		o.Log.Info("making a VCF file", "owner", owner+1, "of", o.Owners, "variants", o.Variants, "samples", o.Samples)
		if err := o.writeCohort(ctx, file(owner, ".vcf.gz"), owner, t); err != nil {
			return nil, err
		}
	}
	keys := filepath.Join(dir, "keys")
	if err := o.writeKey(ctx, keys); err != nil {
		return nil, err
	}
	r := &Result{Machine: bench.ThisMachine(), Variants: o.Variants, Owners: o.Owners, Samples: o.Samples, Bits: o.Bits, Variant: o.Variant, Layout: slots.Blocks, Measures: measures}
	if o.Threads > 0 {
		r.Machine.Cores = min(r.Machine.Cores, o.Threads)
	}
	encrypt, fuse, decrypt := Step{Name: "encrypt"}, Step{Name: "fuse"}, Step{Name: "decrypt"}
	fused, opened := filepath.Join(dir, "fused.cf.parquet"), filepath.Join(dir, "frequencies.parquet")
	fuseArgs := []string{"fuse", "--out", fused}
	all := int64(o.Variants) * int64(o.Owners)
	for owner := range o.Owners {
		o.Log.Info("encrypting", "owner", owner+1, "of", o.Owners)
		in, out := file(owner, ".vcf.gz"), file(owner, ".cf.parquet")
		args := []string{"encrypt", "--key", filepath.Join(keys, "public.json"), "--in", in, "--out", out, "--id", "chrom,pos,ref,alt", "--layout", slots.Blocks}
		for _, m := range measures {
			args = append(args, "--measure", fmt.Sprintf("%s:max=%d", m, 2*o.Samples))
		}
		if err := o.step(ctx, &encrypt, args, []string{in}, out); err != nil {
			return nil, err
		}
		fuseArgs = append(fuseArgs, "--in", out)
	}
	o.Log.Info("fusing")
	var tables []string
	for owner := range o.Owners {
		tables = append(tables, file(owner, ".cf.parquet"))
	}
	if err := o.step(ctx, &fuse, fuseArgs, tables, fused); err != nil {
		return nil, err
	}
	o.Log.Info("decrypting")
	open := []string{"decrypt", "--key", filepath.Join(keys, "secret.json"), "--in", fused, "--out", opened, "--ratio", "AF=AC/AN"}
	if o.Owners == 1 {
		open = append(open, "--unfused")
	}
	if err := o.step(ctx, &decrypt, open, []string{fused}, opened); err != nil {
		return nil, err
	}
	for _, s := range []*Step{&encrypt, &fuse, &decrypt} {
		s.Variants = all
		written := float64(o.Variants)
		switch s.Name {
		case "decrypt":
			s.Variants = int64(o.Variants)
		case "encrypt":
			written = float64(all)
		}
		s.Nanosecond, s.PerVariant = s.Seconds*1e9/float64(s.Variants), float64(s.Bytes)/written
		r.Steps = append(r.Steps, *s)
	}
	var err error
	r.Equal, err = compare(ctx, opened, t)
	return r, err
}

func (o *Options) check() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Memory == 0 {
		o.Memory = job.MemoryDefault
	}
	if o.Program == "" {
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	if o.Variants < 1 || o.Owners < 1 || o.Samples < 1 || o.Samples > 1<<20 || o.Owners > 1024 {
		return &job.UsageError{Cause: fmt.Sprintf("%d variants of %d owners with %d samples each", o.Variants, o.Owners, o.Samples), Hint: "All must be positive; owners up to 1024, samples up to 1048576."}
	}
	return nil
}

// writeKey makes a key and puts its files into a directory.
func (o *Options) writeKey(ctx context.Context, dir string) error {
	variant, err := paillier.ParseVariant(o.Variant)
	if err != nil {
		return &job.UsageError{Cause: "unknown variant " + o.Variant, Hint: "Choose djn, mhl or textbook."}
	}
	sk, err := paillier.GenerateKey(ctx, nil, variant, o.Bits, o.TestKey)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	_, _, err = keys.Write(ctx, job.Options{}, dir, sk, nil)
	return err
}

// step runs one process and adds what it took.
func (o *Options) step(ctx context.Context, s *Step, args, in []string, out string) error {
	args = append(args, "--json", "--quiet", "--memory", strconv.FormatInt(o.Memory, 10)+"B")
	if o.Threads > 0 {
		args = append(args, "--threads", strconv.Itoa(o.Threads))
	}
	if o.Kernel != "" {
		args = append(args, "--kernel", o.Kernel)
	}
	var report job.Report
	p, err := bench.RunProcess(ctx, o.Program, args, &report)
	if err != nil {
		return err
	}
	if report.Records != int64(o.Variants) {
		return fmt.Errorf("%s: %d records, %d were made", s.Name, report.Records, o.Variants)
	}
	s.Processes++
	s.Seconds += p.Seconds
	s.CPU += p.CPU
	s.RSSMiB = max(s.RSSMiB, p.RSSMiB)
	for _, name := range in {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		s.BytesRead += info.Size()
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	s.Bytes += info.Size()
	return nil
}

// compare checks every decrypted count against the plain one, and returns the number of variants.
func compare(ctx context.Context, name string, t *truth) (int, error) {
	r, err := parquetio.Open(ctx, blob.Local{}, name, column.ReadOptions{Columns: []string{"AC_sum", "AN_sum", "AF"}})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	v := 0
	err = column.Each(ctx, r, func(b column.Batch) error {
		ac, an, af := b.Column(0).(*array.Int64), b.Column(1).(*array.Int64), b.Column(2).(*array.Float64)
		for i := range int(b.NumRows()) {
			if v >= len(t.ac) || ac.Value(i) != int64(t.ac[v]) || an.Value(i) != int64(t.an[v]) ||
				t.an[v] > 0 && af.Value(i) != float64(t.ac[v])/float64(t.an[v]) || t.an[v] == 0 && af.IsValid(i) {
				return fmt.Errorf("variant %d: AC %d of AN %d decrypted, not the plain counts", v+1, ac.Value(i), an.Value(i))
			}
			v++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if v != len(t.ac) {
		return 0, fmt.Errorf("%d variants decrypted, %d were made", v, len(t.ac))
	}
	return v, nil
}

// Print writes the result for people.
func (r *Result) Print(w io.Writer) {
	fmt.Fprintf(w, "%d variants, %d owners with %d samples each; key %s, %d bits; layout %s; measures AC and AN\n", r.Variants, r.Owners, r.Samples, r.Variant, r.Bits, r.Layout)
	fmt.Fprintf(w, "%s, %d cores\n\n", r.Machine.CPU, r.Machine.Cores)
	fmt.Fprintf(w, "%-8s %9s %10s %11s %14s %14s %14s\n", "step", "processes", "seconds", "peak MiB", "ns/variant", "MB written", "bytes/variant")
	total := 0.0
	for _, s := range r.Steps {
		fmt.Fprintf(w, "%-8s %9d %10.1f %11.0f %14.0f %14.1f %14.2f\n", s.Name, s.Processes, s.Seconds, s.RSSMiB, s.Nanosecond, float64(s.Bytes)/1e6, s.PerVariant)
		total += s.Seconds
	}
	fmt.Fprintf(w, "%-8s %9s %10.1f\n\n", "all", "", total)
	fmt.Fprintf(w, "%d of %d variants equal to plain: AC, AN and AF\n", r.Equal, r.Variants)
}
