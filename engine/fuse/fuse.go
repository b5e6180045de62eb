// Package fuse adds up encrypted tables without a key: per record, per group, block by block, or into one total.
//
// Run does it in one step. Rows counts the rows, Part folds a range of them into a file of partial sums, and Join
// merges these. The result is that of Run, byte by byte, except for what is random.
package fuse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Request describes the adding up of encrypted tables.
type Request struct {
	job.Options
	In          []string // encrypted tables: files, globs, directories
	Out         string
	RowsPerFile int64    // > 0: Out is a directory of part files of so many records each
	By          []string // id columns to group by; nil: per record id; empty but not nil: one total
	Weights     []Weight
	WeighAll    bool   // Weights must name every input; otherwise those it does not name have the weight 1
	Unmatched   bool   // count the ids that are not in every input
	MinGroup    int64  // drop groups of fewer records
	Rerandomize string // "auto", "always" or "never"; "" is auto
	Trust       string // a trust file: inputs of others are refused; "" takes any

	// Sign reads the key of the aggregator, who signs the result; nil signs nothing.
	Sign func(context.Context) (*trust.Signer, error)

	// AllowRepeats lets a table be in the sum more than once. Then the sum has no guarantee of privacy.
	AllowRepeats bool
}

// Weight multiplies the values of an input.
type Weight struct {
	File   string // as in Fusion.In
	Weight int64  // not 0
}

// Run writes the sum of the inputs. What could overflow is refused: by the footers, before anything is multiplied, or,
// if it depends on the size of groups, at the first row that does not fit.
func Run(ctx context.Context, u Request) (*job.Report, error) {
	return u.result(ctx, func(f *fusion) (engine.Stats, error) {
		switch f.kind() {
		case byKey:
			return f.grouped(ctx)
		case oneTotal:
			return f.total(ctx)
		}
		return f.aligned(ctx)
	})
}

// result makes u.Out, in one step or from parts.
func (u Request) result(ctx context.Context, way func(*fusion) (engine.Stats, error)) (*job.Report, error) {
	start := time.Now()
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	if u.Sign != nil {
		if f.seal.Signer, err = u.Sign(ctx); err != nil {
			return nil, err
		}
	}
	f.warnOfQuiet()
	enctable.WarnOfUnidentified(f.request.Options, &f.sum, f.request.Out)
	if err := f.fillTables(ctx); err != nil {
		return nil, err
	}
	if u.Unmatched {
		n, err := f.unmatched(ctx)
		if err != nil {
			return nil, err
		}
		f.report.Unmatched = &n
	}
	stats, err := way(f)
	if err != nil {
		return nil, job.UnwrapStage(err)
	}
	for _, in := range f.inputs {
		f.report.Inputs = append(f.report.Inputs, job.InputReport{File: in.File, Rows: in.Table.Rows})
		f.report.Values += in.Table.Rows * int64(len(slots.BaseMeasures(in.Table)))
	}
	f.report.Originals = enctable.DescribeOriginals(&f.sum)
	f.report.Ciphertexts = f.ciphertexts.Load()
	f.report.Finish(start, stats)
	return f.report, nil
}

// fusionKind is a way to fuse.
type fusionKind int

const (
	byKey    fusionKind = iota // records, by id or by some columns of ids
	oneTotal                   // blocks into one sum
	byBlock                    // blocks, each with those at its place
)

func (f *fusion) kind() fusionKind {
	switch {
	case f.inputs[0].Table.Layout == slots.Records:
		return byKey
	case f.request.wantsTotal():
		return oneTotal
	}
	return byBlock
}

// begin checks the request and reads the inputs' footers.
func (u Request) begin(ctx context.Context) (*fusion, error) {
	u.Options = u.Options.WithDefaults()
	if u.Rerandomize == "" {
		u.Rerandomize = "auto"
	}
	if !slices.Contains([]string{"auto", "always", "never"}, u.Rerandomize) {
		return nil, job.Misuse("Choose auto, always or never.", "unknown ‹rerandomize› %s", u.Rerandomize)
	}
	for i, name := range u.By {
		if slices.Contains(u.By[:i], name) {
			return nil, job.Misuse("Name every column once.", "column %s is twice in ‹by›", column.Quote(name))
		}
	}
	if err := job.CheckRowsPerFile(u.RowsPerFile); err != nil {
		return nil, err
	}
	if u.MinGroup < 0 {
		return nil, job.Misuse("It is a number of records.", "‹min_group› %d is negative", u.MinGroup)
	}
	if err := enctable.CheckOutput(u.Out); err != nil {
		return nil, err
	}
	inputs, err := u.inputs(ctx)
	if err != nil {
		return nil, err
	}
	pk, err := enctable.PublicKey(inputs[0])
	if err != nil {
		return nil, err
	}
	keys.WarnOfTestKey(u.Options, pk.Test())
	if err := pk.UseKernel(u.Kernel); err != nil {
		return nil, err
	}
	u.AnnounceKey(pk)
	f := &fusion{request: u, pk: pk, inputs: inputs, randomizers: fuseRandomizers(inputs), report: &job.Report{Out: u.Out, Kernel: pk.Kernel(), Key: job.DescribeKey(pk)}}
	f.refresh = u.Rerandomize == "always" || u.Rerandomize == "auto" && len(u.Weights) > 0
	if u.Unmatched && (inputs[0].Table.Layout == slots.Blocks || u.By != nil) {
		return nil, job.Misuse("In blocks all inputs have the same ids; a group or a total has none.", "‹count_unmatched› is for records fused by id")
	}
	var all []trust.Input
	for _, in := range inputs {
		if err := sameKeyAndLayout(inputs[0], in); err != nil {
			return nil, err
		}
		all = append(all, in.Set.Trusted())
	}
	if f.seal.Carried, err = trust.Collect(all); err != nil {
		return nil, err
	}
	if u.Trust != "" {
		policy, err := trust.ReadPolicy(ctx, u.FS, u.Trust)
		if err != nil {
			return nil, err
		}
		unsigned, err := policy.CheckInputs(all)
		if err != nil {
			return nil, err
		}
		for _, name := range unsigned {
			enctable.WarnOfUnsignedMeasures(u.Options, name)
		}
	}
	if err := enctable.SumOf(&f.sum, inputs, u.AllowRepeats); err != nil {
		return nil, err
	}
	f.sum.TableID = enctable.SumID(inputs, fmt.Sprintf("by %q from %d in %d", u.By, u.MinGroup, u.RowsPerFile), f.refresh || f.kind() == oneTotal)
	if err := u.noSizes(inputs); err != nil {
		return nil, err
	}
	if f.kind() == byBlock {
		if u.By != nil {
			return nil, job.Misuse("Encrypt with ‹layout› records to group, or give ‹total=true› for one total.", "tables in blocks cannot be grouped by %s", strings.Join(u.By, ", "))
		}
		if u.MinGroup > 0 {
			return nil, job.Misuse("Encrypt with ‹layout› records, where a group is a number of rows.", "‹min_group› needs the records layout")
		}
	}
	return f, nil
}

// wantsTotal says that everything goes into one sum.
func (u *Request) wantsTotal() bool { return u.By != nil && len(u.By) == 0 }

// inputs opens every input's footer and assigns its weight.
func (u *Request) inputs(ctx context.Context) ([]enctable.Input, error) {
	var out []enctable.Input
	index := map[string]int{}
	var uses blob.Uses
	identify := func(name string) (string, error) {
		id, err := blob.Identify(ctx, u.FS, name)
		return id.Key(), err
	}
	for _, pattern := range u.In {
		sets, err := enctable.Find(ctx, u.Options, pattern)
		if err != nil {
			return nil, err
		}
		for i := range sets {
			s := &sets[i]
			for _, file := range s.Files {
				if err := job.Once(ctx, u.FS, &uses, file, "To count it twice, give ‹weight› FILE=2."); err != nil {
					return nil, err
				}
			}
			if err := job.CheckOutput(ctx, u.FS, u.Out, s.Files); err != nil {
				var same *job.UsageError
				if filepath.Clean(pattern) == filepath.Clean(u.Out) || !errors.As(err, &same) {
					return nil, err
				}
				return nil, job.Misuse("Give the output a name that the pattern does not match, or a directory of its own.", "%v: %s stands for it", err, pattern)
			}
			key, err := identify(s.Name)
			if err != nil {
				return nil, err
			}
			index[key] = len(out)
			in := enctable.Input{File: s.Name, Table: s.Table, IDs: s.IDs, Set: s, Weight: 1}
			if _, err := enctable.PublicKey(in); err != nil { // every footer's key, as its size is that of the ciphertexts
				return nil, err
			}
			out = append(out, in)
		}
	}
	if len(out) == 0 {
		return nil, job.Misuse("Name at least one encrypted table.", "no input")
	}
	weighted := map[int]bool{}
	for _, w := range u.Weights {
		key, err := identify(w.File)
		if err != nil {
			return nil, err
		}
		i, ok := index[key]
		switch {
		case !ok:
			return nil, job.Misuse("Write the file as in ‹in›.", "‹weight› for %s, which is no input", w.File)
		case weighted[i]:
			return nil, job.Misuse("Give a file one weight.", "two weights for %s", w.File)
		case w.Weight == 0:
			return nil, job.Misuse("Leave the input out.", "weight 0 for %s", w.File)
		}
		weighted[i] = true
		out[i].Weight = w.Weight
	}
	for i, in := range out {
		if u.WeighAll && !weighted[i] {
			return nil, job.Misuse("Weights that are not whole numbers are relative to each other: give every input one.", "%s has no weight", in.File)
		}
	}
	return out, nil
}

// fusion is a fusion under way.
type fusion struct {
	request     Request
	pk          *paillier.PublicKey
	inputs      []enctable.Input
	seal        trust.Seal           // of the result
	sum         ctfile.Table         // of the result: TableID, and which tables are in it
	refresh     bool                 // re-randomise the result
	randomizers paillier.Randomizers // what is known of those of the inputs
	ciphertexts atomic.Int64
	progress    engine.Progress
	report      *job.Report
}

// headroom refuses a fusion in which a sum would have more additions than its slots have room for.
func headroom(t *ctfile.Table, inputs []enctable.Input, adds int64, what string) error {
	if adds <= t.MaxAdds {
		t.AddsUsed = adds
		return nil
	}
	file := inputs[0].File
	for _, in := range inputs {
		if in.Table.MaxAdds == t.MaxAdds {
			file = in.File
			break
		}
	}
	e := column.Refuse(file, "no headroom: %s takes %d additions, a weight counting as many, and the slots have room for %d", what, adds, t.MaxAdds)
	if adds > slots.MaxAddsLimit {
		return e.WithHint("Use smaller weights or fewer records: slots can be made for 2^40 additions at most.")
	}
	return e.WithHint("Encrypt again with ‹max_adds› %d or more, for every owner alike.", adds)
}

// reader opens an input with the named columns, none meaning all, in batches of `rows` rows.
func (f *fusion) reader(ctx context.Context, in enctable.Input, rows int, columns ...string) (column.Reader, error) {
	return in.Set.Open(ctx, f.request.Options, rows, columns...)
}

// identify puts into the result's footer which tables are in it.
func (f *fusion) identify(t *ctfile.Table) {
	t.TableID, t.Originals, t.Unidentified, t.Repeats = f.sum.TableID, f.sum.Originals, f.sum.Unidentified, f.sum.Repeats
}

// jobID names the result. It is the same for the same fusion, unless that uses random numbers.
func (f *fusion) jobID() string {
	if f.refresh {
		return enctable.NewFooter(f.pk).JobID
	}
	var inputs []string
	for _, in := range f.inputs {
		inputs = append(inputs, fmt.Sprintf("%s*%d", in.Table.JobID, in.Weight))
	}
	slices.Sort(inputs)
	digest := sha256.Sum256(fmt.Appendf(nil, "%q by %q from %d", inputs, f.request.By, f.request.MinGroup))
	return hex.EncodeToString(digest[:8])
}

// columnBytes returns the ciphertexts of an input's c-th ciphertext column in a batch.
func columnBytes(b column.Batch, ids, c int) []byte { return column.FixedBytes(b.Column(ids + c)) }

// Survey checks a fusion by the inputs' footers alone, and returns what they say.
func Survey(ctx context.Context, u Request) ([]job.TableSurvey, error) {
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	var out []job.TableSurvey
	for _, in := range f.inputs {
		t := in.Table
		out = append(out, job.TableSurvey{
			Name: in.File, Key: job.DescribeKey(f.pk), Layout: t.Layout, Records: t.Rows, Rows: t.FileRows(), Columns: len(t.Columns),
			CiphertextBytes: f.pk.CiphertextSize(), AddsUsed: in.Adds(), MaxAdds: t.MaxAdds,
		})
	}
	return out, nil
}
