package fuse

import (
	"context"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/io/column"
)

// unmatched counts the ids that are not in every input: how many, and not which. It reads ids only, and holds them in memory.
func (f *fusion) unmatched(ctx context.Context) (int64, error) {
	idColumns := f.inputs[0].Table.IDs
	index := engine.NewGroups(engine.NewBudget(f.Memory))
	defer index.Free()
	var inputs, last []int32 // per id: in how many inputs it is, and 1 + the last of these
	progress := &engine.Progress{}
	for _, in := range f.inputs {
		progress.Total.Add(in.Table.Rows)
	}
	defer f.Watch("count unmatched", progress)()
	for i, in := range f.inputs {
		if err := comparable(f.inputs[0], in); err != nil {
			return 0, err
		}
		r, err := f.reader(ctx, in, dataset.BatchRows, idColumns...)
		if err != nil {
			return 0, err
		}
		var key []byte
		err = column.Each(ctx, r, func(b column.Batch) error {
			for row := range int(b.NumRows()) {
				key = ids.AppendKey(key[:0], b.Columns(), row)
				n, added, err := index.Index(key)
				if err != nil {
					return err
				}
				if added {
					inputs, last = append(inputs, 0), append(last, 0)
				}
				if last[n] != int32(i+1) {
					inputs[n]++
					last[n] = int32(i + 1)
				}
			}
			progress.Done.Add(b.NumRows())
			return nil
		})
		r.Close()
		if err != nil {
			return 0, err
		}
	}
	count := int64(0)
	for _, n := range inputs {
		if int(n) < len(f.inputs) {
			count++
		}
	}
	return count, nil
}
