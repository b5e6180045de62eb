package update

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// EncryptRequest describes the encryption of a member's vector.
type EncryptRequest struct {
	job.Options
	Round    string // file of the description
	Identity func(context.Context) (*round.Identity, error)

	In     []string // table with the vector
	Column string   // of the numbers; "" means the only one of floating-point numbers
	Tensor string   // column with the names of tensors; "" means that there are none
	Nulls  []string
	Weight int64 // of the member, such as the number of its records; 0 means 1

	Out    string // the update
	Shares string // shares of its key, for helpers
}

// itemBytes is about how much ciphertext the engine works on at a time.
const itemBytes = 256 << 10

// itemBlocks is how many blocks those are.
func itemBlocks(s *ringlwe.Set) int { return max(1, itemBytes/s.BlockBytes()) }

// Encrypt encrypts a member's vector under a fresh key, and shares the key. The key is kept nowhere.
func Encrypt(ctx context.Context, e EncryptRequest) (*job.Report, error) {
	start := time.Now()
	e.Options = e.Options.WithDefaults()
	r, err := round.Read(ctx, e.FS, e.Round)
	if err != nil {
		return nil, err
	}
	id, err := e.Identity(ctx)
	if err != nil {
		return nil, err
	}
	member, err := memberOf(r, id, e.Round)
	if err != nil {
		return nil, err
	}
	if e.Weight == 0 {
		e.Weight = 1
	}
	if e.Weight < 1 || e.Weight > member.WeightMax {
		return nil, job.Misuse("The round's description says how much it can be.", "‹weight› %d is not 1 to the %d that the round allows %s", e.Weight, member.WeightMax, column.Quote(member.Name))
	}
	if err := job.CheckOutput(ctx, e.FS, e.Out, append(slices.Clone(e.In), e.Round)); err != nil {
		return nil, err
	}
	v, err := openVector(ctx, e.Options, e.In, e.Nulls, e.Column, e.Tensor)
	if err != nil {
		return nil, err
	}
	q, err := r.Quantizer()
	if err != nil {
		return nil, err
	}
	if err := q.Weigh(e.Weight); err != nil {
		return nil, err
	}
	footer := r.Footer(updatefile.Update, v.column, v.typeName(), []updatefile.Member{{Name: member.Name, WeightMax: member.WeightMax, Weight: 1}})
	if e.Tensor != "" || r.NormMax > 0 {
		tensors, norm, err := v.survey(ctx, r.Parameters)
		if err != nil {
			return nil, err
		}
		if footer.Tensors = tensors; r.NormMax > 0 {
			if err := q.Shrink(norm, r.NormMax); err != nil {
				return nil, column.Refuse(v.source.Files[0], "%w", err).InColumn(v.column).WithHint("Training has diverged, or the numbers are too large.")
			}
		}
	}
	set := r.Set()
	out, err := updatefile.Create(ctx, e.FS, e.Out, footer, int64(set.Capacity()), column.WriteOptions{Overwrite: e.Overwrite})
	if err != nil {
		return nil, err
	}
	defer out.Close()
	shares, err := e.FS.Create(ctx, e.Shares, blob.CreateOptions{Overwrite: e.Overwrite})
	if err != nil {
		return nil, err
	}
	defer shares.Abort()
	rows, err := v.source.OpenFiles(ctx, []string{v.column})
	if err != nil {
		return nil, err
	}
	key := set.NewKey(ringlwe.NewStream())
	defer key.Erase()
	source := &chunks{v: v, r: rows, most: itemBlocks(set) * set.Capacity(), left: r.Parameters, length: r.Parameters}
	stats, err := e.encrypt(ctx, r, key, q, source, out)
	if err = errors.Join(job.UnwrapStage(err), source.close()); err != nil {
		return nil, err
	}
	if err := out.Commit(ctx); err != nil {
		return nil, err
	}
	split, err := key.Share(len(r.Members), r.Threshold, ringlwe.NewStream())
	if err != nil {
		return nil, err
	}
	sealed, err := r.NewShares(id, out.Digest(), split)
	if err != nil {
		return nil, err
	}
	for _, s := range split {
		clear(s)
	}
	if _, err := shares.Write(sealed.Document()); err != nil {
		return nil, err
	}
	if err := shares.Commit(ctx); err != nil {
		return nil, err
	}
	report := &job.Report{Out: e.Out, Records: r.Parameters, Values: r.Parameters, Ciphertexts: footer.Blocks, Key: keyReport(r), Measures: []string{v.column}}
	for _, f := range v.source.Files {
		in := job.InputReport{File: f}
		if len(v.source.Files) == 1 {
			in.Rows = r.Parameters
		}
		report.Inputs = append(report.Inputs, in)
	}
	report.Finish(start, stats)
	return report, nil
}

// memberOf finds whose identity it is in a round.
func memberOf(r *round.Round, id *round.Identity, file string) (round.Member, error) {
	card := id.Card()
	i := r.Index(card.Name)
	if i < 0 {
		return round.Member{}, column.Refuse(file, "%s is no member of the round", column.Quote(card.Name)).WithHint("Give the key of a member, or the description of another round.")
	}
	if r.Members[i].Fingerprint() != card.Fingerprint() {
		return round.Member{}, column.Refuse(file, "%s has another card in the round than the one that belongs to this key", column.Quote(card.Name)).
			WithHint("Somebody took the name, or the key was made anew. Send whoever makes the rounds the card %s….", card.Fingerprint()[:16])
	}
	return r.Members[i], nil
}

// keyReport names the round in place of a key.
func keyReport(r *round.Round) job.KeyReport {
	return job.KeyReport{Fingerprint: r.Digest(), Scheme: round.Scheme, Variant: r.SetName}
}

// item are some blocks: the numbers that go into them, or what comes out.
type item struct {
	first  int64 // block
	chunk  chunk
	blocks []byte
}

// encrypt runs the stages.
func (e *EncryptRequest) encrypt(ctx context.Context, r *round.Round, key *ringlwe.Key, q *ringlwe.Quantizer, source *chunks, out *updatefile.Writer) (engine.Stats, error) {
	set := r.Set()
	public := set.NewPublic(r.Network, r.Number)
	head := ringlwe.Head{Weight: e.Weight, Check: q.Largest()}
	progress := &engine.Progress{}
	progress.Total.Store(r.Parameters)
	defer e.Watch("encrypt", progress)()
	var next int64
	// Items that are written are used again: allocating them would take more time than encrypting.
	var used sync.Pool
	return engine.Run(ctx, engine.Pipeline[*item, *item]{
		Source: engine.Source[*item]{Name: "read", Next: func(ctx context.Context) (*item, error) {
			i, ok := used.Get().(*item)
			if !ok {
				i = new(item)
			}
			var err error
			i.first = next
			i.chunk, err = source.next(ctx, i.chunk)
			next += set.Blocks(int64(i.chunk.len()))
			return i, err
		}},
		Stage: engine.Stage[*item, *item]{Name: "encrypt", Workers: e.Threads, New: func(int) (engine.Work[*item, *item], error) {
			random := ringlwe.NewStream()
			encryptor := key.NewEncryptor(public, random)
			values := make([]int64, set.Capacity())
			return func(ctx context.Context, in *item) (*item, error) {
				n := int(set.Blocks(int64(in.chunk.len())))
				in.blocks = slices.Grow(in.blocks[:0], n*set.BlockBytes())[:n*set.BlockBytes()]
				for b := range n {
					if err := ctx.Err(); err != nil {
						return nil, err
					}
					from := b * set.Capacity()
					to := min(in.chunk.len(), from+set.Capacity())
					v := values[:to-from]
					if len(in.chunk.single) > 0 {
						q.Float32(v, in.chunk.single[from:to], random)
					} else {
						q.Float64(v, in.chunk.double[from:to], random)
					}
					if err := encryptor.Encrypt(in.blocks[b*set.BlockBytes():(b+1)*set.BlockBytes()], uint64(in.first)+uint64(b), head, v); err != nil {
						return nil, err
					}
				}
				clear(values)
				progress.Done.Add(int64(in.chunk.len()))
				return in, nil
			}, nil
		}},
		Sink: engine.Sink[*item]{Name: "write", Put: func(ctx context.Context, i *item) error {
			err := out.Write(ctx, i.blocks)
			used.Put(i)
			return err
		}},
	})
}
