package update

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// OpenRequest describes the opening of a sum.
type OpenRequest struct {
	job.Options
	Round   string   // file of the description
	In      string   // the sum
	Answers []string // of helpers
	Out     string   // the mean: .parquet, .arrow, .csv or .tsv
}

// Opened is what the opening of a sum tells beside the mean.
type Opened struct {
	Members []string `json:"members"`
	Weight  int64    `json:"weight"`  // of the mean: the sum of the members' weights
	Step    float64  `json:"step"`    // the mean is within this of the mean of the clipped numbers
	Certain bool     `json:"certain"` // no noise can have changed it; else with probability 2^-64 for a number
}

// Open writes the weighted mean of the vectors in a sum.
func Open(ctx context.Context, o OpenRequest) (*job.Report, *Opened, error) {
	start := time.Now()
	o.Options = o.Options.WithDefaults()
	r, err := round.Read(ctx, o.FS, o.Round)
	if err != nil {
		return nil, nil, err
	}
	opening, footer, err := readSum(ctx, o.FS, r, o.In)
	if err != nil {
		return nil, nil, err
	}
	files, err := inputFiles(ctx, o.Options, o.Answers)
	if err != nil {
		return nil, nil, err
	}
	if err := job.CheckOutput(ctx, o.FS, o.Out, append(slices.Clone(files), o.Round, o.In)); err != nil {
		return nil, nil, err
	}
	keys, err := o.keySum(ctx, r, opening, files)
	if err != nil {
		return nil, nil, err
	}
	weights, alphas := opening.Weights()
	certain, err := r.Set().CheckNoise(weights)
	if err != nil {
		return nil, nil, column.Refuse(o.In, "%w", err).WithHint("Fuse the updates again, with smaller weights.")
	}
	in, err := updatefile.Open(ctx, o.FS, o.In, column.ReadOptions{BatchRows: itemBlocks(r.Set())})
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	out, err := dataset.CreateClear(ctx, o.Options, o.Out, 0, vectorSchema(footer))
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	q, err := r.Quantizer()
	if err != nil {
		return nil, nil, err
	}
	p := &opener{o: &o, r: r, q: q, footer: footer, keys: keys, check: int64(alphas) * r.Largest()}
	stats, err := p.run(ctx, in, out)
	if err != nil {
		return nil, nil, job.UnwrapStage(err)
	}
	if err := out.Commit(ctx); err != nil {
		return nil, nil, err
	}
	report := &job.Report{Out: o.Out, Records: r.Parameters, Values: r.Parameters, Ciphertexts: footer.Blocks, Key: keyReport(r),
		Inputs: []job.InputReport{{File: o.In, Rows: r.Parameters}}}
	for _, file := range files {
		report.Inputs = append(report.Inputs, job.InputReport{File: file, Rows: 1})
	}
	report.Finish(start, stats)
	opened := &Opened{Weight: p.weight, Step: q.Step(), Certain: certain}
	for _, m := range opening.Inputs {
		opened.Members = append(opened.Members, m.Member)
	}
	return report, opened, nil
}

// keySum reads the answers and makes the sum of the keys of them.
func (o *OpenRequest) keySum(ctx context.Context, r *round.Round, opening round.Opening, files []string) ([]int64, error) {
	var answers []*round.Answer
	from := map[string]string{}
	for _, file := range files {
		a, err := r.ReadAnswer(ctx, o.FS, file)
		if err != nil {
			return nil, err
		}
		if a.Opening.Digest() != opening.Digest() {
			return nil, column.Refuse(file, "%s answers for another sum than %s: other updates or weights", column.Quote(a.Helper), o.In).WithHint("Give answers for this sum.")
		}
		if other := from[a.Helper]; other != "" {
			return nil, column.Refuse(file, "%s answers in %s, too", column.Quote(a.Helper), other).WithHint("Give one answer of every helper.")
		}
		from[a.Helper] = file
		answers = append(answers, a)
	}
	if len(answers) < r.Threshold {
		return nil, column.Refuse(o.In, "%d helpers answer, and opening needs %d", len(answers), r.Threshold).WithHint("Ask more members to answer («fl answer»).")
	}
	keys, err := r.KeySum(opening, answers)
	if err != nil {
		return nil, column.Refuse(o.In, "%w", err).WithHint("An answer is wrong, or a member's shares were. Try other helpers, or fuse without that member in another round.")
	}
	return keys, nil
}

// vectorSchema are the columns of a mean.
func vectorSchema(f *updatefile.Footer) *arrow.Schema {
	typ := arrow.DataType(arrow.PrimitiveTypes.Float64)
	if f.Type == "float" {
		typ = arrow.PrimitiveTypes.Float32
	}
	fields := []arrow.Field{{Name: f.Column, Type: typ}}
	if len(f.Tensors) > 0 {
		name := "tensor"
		if f.Column == name {
			name = "tensor_name"
		}
		fields = slices.Insert(fields, 0, arrow.Field{Name: name, Type: arrow.BinaryTypes.String})
	}
	return arrow.NewSchema(fields, nil)
}

// opener opens the blocks of a sum.
type opener struct {
	o      *OpenRequest
	r      *round.Round
	q      *ringlwe.Quantizer
	footer *updatefile.Footer
	keys   []int64
	check  int64

	mu     sync.Mutex
	weight int64 // that all blocks have; 0 before the first
}

// total notes the sum of the weights of a block, which all blocks have in common.
func (p *opener) total(weight int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.weight == 0 {
		p.weight = weight
	}
	least, most := int64(0), int64(0)
	for _, m := range p.footer.Members {
		least += int64(m.Weight)
		most += int64(m.Weight) * m.WeightMax
	}
	return p.weight == weight && weight >= least && weight <= most
}

// opened are some numbers of the mean.
type opened struct {
	first int64
	sums  []int64
}

func (p *opener) run(ctx context.Context, in *updatefile.Reader, out column.Writer) (engine.Stats, error) {
	set := p.r.Set()
	size, capacity := set.BlockBytes(), set.Capacity()
	public := set.NewPublic(p.r.Network, p.r.Number)
	progress := &engine.Progress{}
	progress.Total.Store(p.r.Parameters)
	defer p.o.Watch("open", progress)()
	schema := vectorSchema(p.footer)
	names := tensorNames{list: p.footer.Tensors}
	return engine.Run(ctx, engine.Pipeline[updatefile.Blocks, opened]{
		Source: engine.Source[updatefile.Blocks]{Name: "read", Next: in.Read},
		Stage: engine.Stage[updatefile.Blocks, opened]{Name: "open", Workers: p.o.Threads, Discard: updatefile.Blocks.Release, New: func(int) (engine.Work[updatefile.Blocks, opened], error) {
			opener := set.NewOpener(public, p.keys)
			return func(ctx context.Context, blocks updatefile.Blocks) (opened, error) {
				defer blocks.Release()
				n := len(blocks.Bytes) / size
				sums := make([]int64, n*capacity)
				for b := range n {
					if err := ctx.Err(); err != nil {
						return opened{}, err
					}
					weight, err := opener.Open(sums[b*capacity:(b+1)*capacity], uint64(blocks.First)+uint64(b), blocks.Bytes[b*size:(b+1)*size], p.check)
					if err == nil && !p.total(weight) {
						err = ringlwe.ErrCheck
					}
					if err != nil {
						return opened{}, blocks.Refuse(b, "%w", err).WithHint("A member's update or the sum is wrong. Fuse the updates again, and compare their digests with the members'.")
					}
				}
				first := blocks.First * int64(capacity)
				sums = sums[:min(int64(len(sums)), p.r.Parameters-first)]
				progress.Done.Add(int64(len(sums)))
				return opened{first, sums}, nil
			}, nil
		}},
		Sink: engine.Sink[opened]{Name: "write", Put: func(ctx context.Context, x opened) error {
			return p.write(ctx, out, schema, &names, x)
		}},
	})
}

// writeRows is how many rows of a mean are written at a time.
const writeRows = 64 << 10

// write writes numbers of the mean.
func (p *opener) write(ctx context.Context, out column.Writer, schema *arrow.Schema, names *tensorNames, x opened) error {
	for len(x.sums) > 0 {
		sums := x.sums[:min(len(x.sums), writeRows)]
		x.sums = x.sums[len(sums):]
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		b.Reserve(len(sums))
		switch f := b.Field(schema.NumFields() - 1).(type) {
		case *array.Float32Builder:
			for _, s := range sums {
				f.UnsafeAppend(float32(p.q.Mean(s, p.weight)))
			}
		case *array.Float64Builder:
			for _, s := range sums {
				f.UnsafeAppend(p.q.Mean(s, p.weight))
			}
		}
		if schema.NumFields() == 2 {
			names.append(b.Field(0).(*array.StringBuilder), len(sums))
		}
		record := b.NewRecord()
		b.Release()
		err := out.Write(ctx, column.Batch{Record: record})
		record.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// tensorNames gives each number the name of its tensor.
type tensorNames struct {
	list []updatefile.Tensor
	at   int
	used int64 // of the current tensor
}

func (t *tensorNames) append(b *array.StringBuilder, n int) {
	for range n {
		if t.used == t.list[t.at].Length {
			t.at, t.used = t.at+1, 0
		}
		b.Append(t.list[t.at].Name)
		t.used++
	}
}
