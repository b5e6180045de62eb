package update

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// FuseRequest describes a sum of updates.
type FuseRequest struct {
	job.Options
	Round   string            // file of the description
	In      []string          // updates, or sums of updates of other members
	Weights map[string]uint64 // of members, chosen now; 1 for those that are not named
	Out     string
}

// ParseWeights reads NAME=W.
func ParseWeights(list []string) (map[string]uint64, error) {
	weights := map[string]uint64{}
	for _, s := range list {
		i := strings.LastIndex(s, "=")
		if i < 1 {
			return nil, job.Misuse("Write MEMBER=W.", "‹weight› %s is not MEMBER=W", column.Quote(s))
		}
		w, err := strconv.ParseUint(s[i+1:], 10, 64)
		if err != nil || w == 0 {
			return nil, job.Misuse("Leave a member's update out to give it no weight.", "‹weight› %s: %s is not a whole number from 1", column.Quote(s), column.Quote(s[i+1:]))
		}
		if _, twice := weights[s[:i]]; twice {
			return nil, job.Misuse("Name every member once.", "‹weight› names %s twice", column.Quote(s[:i]))
		}
		weights[s[:i]] = w
	}
	return weights, nil
}

// input is a file of a sum.
type input struct {
	file   string
	footer *updatefile.Footer
	digest string
	weight uint64
}

// Fuse adds up updates, without a key.
func Fuse(ctx context.Context, f FuseRequest) (*job.Report, error) {
	start := time.Now()
	f.Options = f.Options.WithDefaults()
	r, err := round.Read(ctx, f.FS, f.Round)
	if err != nil {
		return nil, err
	}
	files, err := inputFiles(ctx, f.Options, f.In)
	if err != nil {
		return nil, err
	}
	if err := job.CheckOutput(ctx, f.FS, f.Out, append(slices.Clone(files), f.Round)); err != nil {
		return nil, err
	}
	inputs, footer, err := f.survey(ctx, r, files)
	if err != nil {
		return nil, err
	}
	if n := len(footer.Members); n < r.Minimum {
		f.Log.Warn("this sum cannot be opened yet: it has fewer members than the round asks for", "members", n, "minimum", r.Minimum)
	} else if uneven := r.Uneven(footer); uneven != "" {
		f.Log.Warn("this sum cannot be opened", "because", uneven)
	}
	set := r.Set()
	blocks, err := f.itemBlocks(set, len(inputs))
	if err != nil {
		return nil, err
	}
	readers := make([]*updatefile.Reader, len(inputs))
	for i, in := range inputs {
		if readers[i], err = updatefile.Open(ctx, f.FS, in.file, column.ReadOptions{BatchRows: blocks}); err != nil {
			return nil, err
		}
		defer readers[i].Close()
		if readers[i].Digest() != in.digest {
			return nil, column.Refuse(in.file, "the file was changed while it was read").WithHint("Run the same command again.")
		}
	}
	out, err := updatefile.Create(ctx, f.FS, f.Out, *footer, int64(set.Capacity()), column.WriteOptions{Overwrite: f.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()
	stats, err := f.fold(ctx, r, inputs, readers, out)
	if err != nil {
		return nil, job.UnwrapStage(err)
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	report := &job.Report{Out: f.Out, Records: r.Parameters, Values: r.Parameters * int64(len(inputs)), Ciphertexts: footer.Blocks * int64(len(inputs)), Key: keyReport(r)}
	for _, in := range inputs {
		report.Inputs = append(report.Inputs, job.InputReport{File: in.file, Rows: r.Parameters})
	}
	report.Finish(start, stats)
	return report, nil
}

// inputFiles expands paths, globs and directories. A file that comes twice is refused.
func inputFiles(ctx context.Context, o job.Options, patterns []string) ([]string, error) {
	var all []string
	var uses blob.Uses
	for _, p := range patterns {
		files, err := o.FS.List(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := job.Once(ctx, o.FS, &uses, file, job.HintOnce); err != nil {
				return nil, err
			}
		}
		all = append(all, files...)
	}
	if len(all) == 0 {
		return nil, job.Misuse("Name at least one file.", "no input")
	}
	return all, nil
}

// survey reads the footers and makes that of the sum. Members are those of all inputs, each once.
func (f *FuseRequest) survey(ctx context.Context, r *round.Round, files []string) ([]input, *updatefile.Footer, error) {
	var inputs []input
	var members []updatefile.Member
	where := map[string]string{} // members to the files that they are in
	for _, file := range files {
		footer, digest, err := updatefile.ReadFooter(ctx, f.FS, file)
		if err != nil {
			return nil, nil, err
		}
		if err := r.CheckFooter(file, footer); err != nil {
			return nil, nil, err
		}
		in := input{file, footer, digest, 1}
		if len(inputs) > 0 {
			if err := sameVector(inputs[0], in); err != nil {
				return nil, nil, err
			}
		}
		for _, m := range footer.Members {
			if other, twice := where[m.Name]; twice {
				return nil, nil, column.Refuse(file, "%s is in %s, too: it would count twice", column.Quote(m.Name), other).WithHint("Give one update of every member.")
			}
			where[m.Name] = file
			w, weighed := f.Weights[m.Name]
			switch {
			case weighed && footer.Kind == updatefile.Sum:
				return nil, nil, job.Misuse("Give weights where single updates are fused.", "‹weight› %s=%d: the member is in %s, which is a sum already", m.Name, w, file)
			case weighed:
				m.Weight, in.weight = w, w
			}
			if m.Weight > r.AlphaMax {
				return nil, nil, job.Misuse("The round's description says how large weights can be.", "‹weight› %s=%d: the round allows %d", m.Name, m.Weight, r.AlphaMax)
			}
			if footer.Kind == updatefile.Update {
				m.SHA256 = digest
			}
			members = append(members, m)
		}
		inputs = append(inputs, in)
	}
	for name := range f.Weights {
		if where[name] == "" {
			return nil, nil, job.Misuse("Name members whose updates are fused.", "‹weight› names %s, of whom there is no update", column.Quote(name))
		}
	}
	slices.SortFunc(members, func(a, b updatefile.Member) int { return cmp.Compare(r.Index(a.Name), r.Index(b.Name)) })
	footer := r.Footer(updatefile.Sum, inputs[0].footer.Column, inputs[0].footer.Type, members)
	footer.Tensors = inputs[0].footer.Tensors
	return inputs, &footer, nil
}

// sameVector refuses vectors that are not of the same numbers.
func sameVector(a, b input) error {
	const hint = "All members must have vectors of the same numbers, in the same order and of the same type."
	x, y := a.footer, b.footer
	switch {
	case x.Column != y.Column:
		return column.Refuse(b.file, "the numbers are those of column %s, and in %s those of %s", column.Quote(y.Column), a.file, column.Quote(x.Column)).WithHint(hint)
	case x.Type != y.Type:
		return column.Refuse(b.file, "the numbers are of type %s, and in %s of type %s", y.Type, a.file, x.Type).WithHint(hint)
	case len(x.Tensors) != len(y.Tensors):
		return column.Refuse(b.file, "the vector has %d tensors, and in %s %d", len(y.Tensors), a.file, len(x.Tensors)).WithHint(hint)
	}
	for i := range x.Tensors {
		if x.Tensors[i] != y.Tensors[i] {
			return column.Refuse(b.file, "tensor %d is %s of %d numbers, and in %s %s of %d", i+1, column.Quote(y.Tensors[i].Name), y.Tensors[i].Length,
				a.file, column.Quote(x.Tensors[i].Name), x.Tensors[i].Length).WithHint(hint)
		}
	}
	return nil
}

// readerBytes is about how much memory an open file takes beside its blocks.
const readerBytes = 2 << 20

// itemBlocks is how many blocks of each input fit the memory, for those in flight.
func (f *FuseRequest) itemBlocks(set *ringlwe.Set, inputs int) (int, error) {
	inFlight := int64(2*f.Threads + 2)
	left := f.Memory - int64(inputs)*readerBytes
	each := int64(inputs+1) * int64(set.BlockBytes()) * inFlight
	if left < each {
		return 0, &engine.BudgetError{What: "the blocks of " + strconv.Itoa(inputs) + " files", Need: int64(inputs)*readerBytes + each, Have: f.Memory, Limit: f.Memory}
	}
	return int(min(left/each, int64(itemBlocks(set)))), nil
}

// lockstep are the same blocks of all inputs.
type lockstep []updatefile.Blocks

func (l lockstep) release() {
	for _, b := range l {
		b.Release()
	}
}

// fold adds up blocks of all inputs, side by side, and writes them.
func (f *FuseRequest) fold(ctx context.Context, r *round.Round, inputs []input, readers []*updatefile.Reader, out *updatefile.Writer) (engine.Stats, error) {
	set := r.Set()
	size := set.BlockBytes()
	progress := &engine.Progress{}
	progress.Total.Store(r.Parameters)
	defer f.Watch("fuse", progress)()
	return engine.Run(ctx, engine.Pipeline[lockstep, []byte]{
		Source: engine.Source[lockstep]{Name: "read", Next: func(ctx context.Context) (lockstep, error) {
			var l lockstep
			for _, reader := range readers {
				b, err := reader.Read(ctx)
				if err != nil { // all have the same number of blocks, so all end together
					l.release()
					return nil, err
				}
				l = append(l, b)
			}
			return l, nil
		}},
		Stage: engine.Stage[lockstep, []byte]{Name: "fold", Workers: f.Threads, Discard: lockstep.release, New: func(int) (engine.Work[lockstep, []byte], error) {
			sum := set.NewSum()
			return func(ctx context.Context, l lockstep) ([]byte, error) {
				defer l.release()
				sums := make([]byte, len(l[0].Bytes))
				for b := 0; b < len(sums)/size; b++ {
					sum.Reset()
					for i, blocks := range l {
						if err := sum.Add(blocks.Bytes[b*size:(b+1)*size], inputs[i].weight); err != nil {
							return nil, blocks.Refuse(b, "%w", err).WithHint("The file is damaged, or its maker has made it so. Get it again, or leave it out.")
						}
					}
					sum.Bytes(sums[b*size : (b+1)*size])
				}
				progress.Done.Add(min(int64(len(sums)/size)*int64(set.Capacity()), r.Parameters))
				return sums, nil
			}, nil
		}},
		Sink: engine.Sink[[]byte]{Name: "write", Put: out.Write},
	})
}
