package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Fusion describes the adding up of encrypted tables.
type Fusion struct {
	Options
	In          []string // encrypted tables: files, globs, directories
	Out         string
	RowsPerFile int64    // > 0: Out is a directory of part files of so many records each
	By          []string // id columns to group by; nil: per record id; empty but not nil: one total
	Weights     []Weight
	WeighAll    bool   // Weights must name every input; otherwise those it does not name have the weight 1
	Unmatched   bool   // count the ids that are not in every input
	MinGroup    int64  // drop groups of fewer records
	Rerandomize string // "auto", "always" or "never"; "" is auto
}

// Weight multiplies the values of an input.
type Weight struct {
	File   string // as in Fusion.In
	Weight int64  // not 0
}

// input is one encrypted table of a fusion.
type input struct {
	file   string // or directory of part files
	table  *ctfile.Table
	ids    []arrow.Field // as in the file: lists in blocks
	set    *tableSet     // where its rows are
	weight int64
}

// adds is how many additions a record of this input counts for.
func (in input) adds() int64 {
	w := in.weight
	if w < 0 {
		w = -w
	}
	return codec.SaturatingMul(w, in.table.AddsUsed)
}

// Fuse writes the sum of the inputs. What could overflow is refused: by the footers, before anything is multiplied, or,
// where that depends on the size of groups, at the first row that does not fit.
func Fuse(ctx context.Context, u Fusion) (*Report, error) {
	return u.result(ctx, func(f *fusing) (engine.Stats, error) {
		switch f.kind() {
		case byKey:
			return f.grouped(ctx)
		case oneTotal:
			return f.total(ctx)
		}
		return f.aligned(ctx)
	})
}

// result makes u.Out in some way, in one step or of parts.
func (u Fusion) result(ctx context.Context, way func(*fusing) (engine.Stats, error)) (*Report, error) {
	start := time.Now()
	f, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	f.warnOfQuiet()
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
		return nil, unwrapStage(err)
	}
	for _, in := range f.inputs {
		f.report.Inputs = append(f.report.Inputs, InputReport{in.file, in.table.Rows})
		f.report.Values += in.table.Rows * int64(len(baseMeasures(in.table)))
	}
	f.report.Ciphertexts = f.ciphertexts.Load()
	f.report.finish(start, stats)
	return f.report, nil
}

// fusionKind is a way to fuse.
type fusionKind int

const (
	byKey    fusionKind = iota // records, by id or by some columns of ids
	oneTotal                   // blocks into one sum
	byBlock                    // blocks, each with those at its place
)

func (f *fusing) kind() fusionKind {
	switch {
	case f.inputs[0].table.Layout == Records:
		return byKey
	case f.wantsTotal():
		return oneTotal
	}
	return byBlock
}

// begin checks the request and reads the inputs' footers.
func (u Fusion) begin(ctx context.Context) (*fusing, error) {
	u.Options = u.Options.withDefaults()
	if u.Rerandomize == "" {
		u.Rerandomize = "auto"
	}
	if !slices.Contains([]string{"auto", "always", "never"}, u.Rerandomize) {
		return nil, usage("Choose auto, always or never.", "unknown --rerandomize %s", u.Rerandomize)
	}
	for i, name := range u.By {
		if slices.Contains(u.By[:i], name) {
			return nil, usage("Name every column once.", "column %s is twice in --by", column.Quote(name))
		}
	}
	if err := checkRowsPerFile(u.RowsPerFile); err != nil {
		return nil, err
	}
	if u.MinGroup < 0 {
		return nil, usage("It is a number of records.", "--min-group %d is negative", u.MinGroup)
	}
	if err := plainOutput(u.Out); err != nil {
		return nil, err
	}
	inputs, err := u.inputs(ctx)
	if err != nil {
		return nil, err
	}
	pk, err := tableKey(inputs[0])
	if err != nil {
		return nil, err
	}
	warnOfTestKey(u.Options, pk.Test())
	if err := pk.UseKernel(u.Kernel); err != nil {
		return nil, err
	}
	u.keyed(pk)
	f := &fusing{Fusion: u, pk: pk, inputs: inputs, report: &Report{Out: u.Out, Kernel: pk.Kernel(), Key: keyReport(pk)}}
	f.refresh = u.Rerandomize == "always" || u.Rerandomize == "auto" && len(u.Weights) > 0
	if u.Unmatched && (inputs[0].table.Layout == Blocks || u.By != nil) {
		return nil, usage("In blocks all inputs have the same ids; a group or a total has none.", "--count-unmatched is for records fused by id")
	}
	if err := u.noSizes(inputs); err != nil {
		return nil, err
	}
	if f.kind() == byBlock {
		if u.By != nil {
			return nil, usage("Encrypt with --layout records to group, or give --by '' for one total.", "tables in blocks cannot be grouped by %s", strings.Join(u.By, ", "))
		}
		if u.MinGroup > 0 {
			return nil, usage("Encrypt with --layout records, where a group is a number of rows.", "--min-group needs the records layout")
		}
	}
	return f, nil
}

// wantsTotal says that everything goes into one sum.
func (u *Fusion) wantsTotal() bool { return u.By != nil && len(u.By) == 0 }

// inputs opens every input's footer and gives it its weight.
func (u *Fusion) inputs(ctx context.Context) ([]input, error) {
	var out []input
	index := map[string]int{}
	seen := map[string]bool{} // files
	for _, pattern := range u.In {
		sets, err := readTables(ctx, u.Options, pattern)
		if err != nil {
			return nil, err
		}
		for i := range sets {
			s := &sets[i]
			for _, file := range s.files {
				if seen[filepath.Clean(file)] {
					return nil, usage("To count it twice, give --weight FILE=2.", "%s is given twice", file)
				}
				seen[filepath.Clean(file)] = true
			}
			if err := notAnInput(u.Out, s.files); err != nil {
				if filepath.Clean(pattern) == filepath.Clean(u.Out) {
					return nil, err
				}
				return nil, usage("Give the output a name that the pattern does not match, or a directory of its own.", "%v: %s stands for it", err, pattern)
			}
			index[filepath.Clean(s.name)] = len(out)
			in := input{file: s.name, table: s.table, ids: s.ids, set: s, weight: 1}
			if _, err := tableKey(in); err != nil { // every footer's key, as its size is that of the ciphertexts
				return nil, err
			}
			out = append(out, in)
		}
	}
	if len(out) == 0 {
		return nil, usage("Name at least one encrypted table.", "no input")
	}
	weighted := map[int]bool{}
	for _, w := range u.Weights {
		i, ok := index[filepath.Clean(w.File)]
		switch {
		case !ok:
			return nil, usage("Write the file as in --in.", "--weight for %s, which is no input", w.File)
		case weighted[i]:
			return nil, usage("Give a file one weight.", "two weights for %s", w.File)
		case w.Weight == 0:
			return nil, usage("Leave the input out.", "weight 0 for %s", w.File)
		}
		weighted[i] = true
		out[i].weight = w.Weight
	}
	for i, in := range out {
		if u.WeighAll && !weighted[i] {
			return nil, usage("Weights that are not whole numbers are relative to each other: give every input one.", "%s has no weight", in.file)
		}
	}
	return out, nil
}

// tableKey returns the public key that a table carries, checked against its fingerprint.
func tableKey(in input) (*paillier.PublicKey, error) {
	key, err := paillier.ParseKey(in.table.PublicKey)
	if err != nil {
		return nil, refuseKey(in.file, err)
	}
	pk := key.Public()
	if _, secret := key.(*paillier.SecretKey); secret {
		return nil, column.Refuse(in.file, "the footer holds a secret key").WithHint("Destroy this file and make a new key.")
	}
	if pk.Fingerprint() != in.table.Fingerprint || pk.Bits() != in.table.Bits || string(pk.Variant()) != in.table.Variant {
		return nil, column.Refuse(in.file, "the footer's key is not the one it names").WithHint("The footer was changed; encrypt again.")
	}
	return pk, nil
}

// fusing is a fusion under way.
type fusing struct {
	Fusion
	pk          *paillier.PublicKey
	inputs      []input
	refresh     bool // re-randomise the result
	ciphertexts atomic.Int64
	progress    engine.Progress
	report      *Report
}

// headroom refuses a fusion in which a sum would have more additions than its slots have room for.
func headroom(t *ctfile.Table, inputs []input, adds int64, what string) error {
	if adds <= t.MaxAdds {
		t.AddsUsed = adds
		return nil
	}
	file := inputs[0].file
	for _, in := range inputs {
		if in.table.MaxAdds == t.MaxAdds {
			file = in.file
			break
		}
	}
	e := column.Refuse(file, "no headroom: %s takes %d additions, a weight counting as many, and the slots have room for %d", what, adds, t.MaxAdds)
	if adds > maxAddsLimit {
		return e.WithHint("Use smaller weights or fewer records: slots can be made for 2^40 additions at most.")
	}
	return e.WithHint("Encrypt again with --max-adds %d or more, for every owner alike.", adds)
}

// reader opens an input with the named columns, none meaning all, in batches of `rows` rows.
func (f *fusing) reader(ctx context.Context, in input, rows int, columns ...string) (column.Reader, error) {
	return in.set.open(ctx, f.Options, rows, columns...)
}

// jobID names the result: the same for the same fusion, unless that makes random numbers.
func (f *fusing) jobID() string {
	if f.refresh {
		return newTable(f.pk).JobID
	}
	var inputs []string
	for _, in := range f.inputs {
		inputs = append(inputs, fmt.Sprintf("%s*%d", in.table.JobID, in.weight))
	}
	slices.Sort(inputs)
	digest := sha256.Sum256(fmt.Appendf(nil, "%q by %q from %d", inputs, f.By, f.MinGroup))
	return hex.EncodeToString(digest[:8])
}

// columnBytes returns the ciphertexts of an input's c-th ciphertext column in a batch.
func columnBytes(b column.Batch, ids, c int) []byte { return column.FixedBytes(b.Column(ids + c)) }
