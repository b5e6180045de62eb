package encrypt

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// encryptStage is the encrypting stage.
type encryptStage struct {
	e           *Request
	plan        *slots.Plan
	noise       *privacy.Noise // nil: none
	columns     int
	quantities  []slots.Quantity
	missing     []atomic.Int64 // per measure
	ciphertexts atomic.Int64
	records     atomic.Int64
	progress    *engine.Progress
}

func (s *encryptStage) worker(int) (engine.Work[chunk, enctable.Rows], error) {
	encryptor := s.e.Key.Encryptor()
	adder := s.noise.Adder()
	scratch := make([]slots.Scaled, len(s.e.Measures))
	var m []uint64
	widest := 0
	for _, c := range s.plan.Columns {
		widest = max(widest, len(c.Cells))
	}
	values := make([]codec.Int, widest)
	size := s.e.Key.Public.CiphertextSize()
	return func(ctx context.Context, c chunk) (enctable.Rows, error) {
		ids := len(s.e.IDs)
		measures := c.measures
		if measures == nil {
			measures = scratch
			for i := range measures {
				if err := slots.ScaleColumn(&measures[i], c.batch, ids+i, s.e.Measures[i]); err != nil {
					c.release()
					return enctable.Rows{}, err
				}
			}
		}
		var noise func(int, codec.Int) (codec.Int, error)
		if adder != nil && (s.e.Privacy.Groups == nil || c.noise) { // for groups, noise has records of its own
			noise = adder.Add
		}
		records := int(c.batch.NumRows())
		rows := (records + s.plan.Records - 1) / s.plan.Records
		out := enctable.Rows{IDs: c.batch.Columns()[:ids], Rows: rows, Free: c.release}
		for i := range s.plan.Columns {
			if err := ctx.Err(); err != nil {
				c.release()
				return enctable.Rows{}, err
			}
			limbs := s.plan.Columns[i].Packer.Limbs()
			m = slices.Grow(m[:0], rows*limbs)[:rows*limbs]
			if err := s.plan.PackRows(m, i, rows, measures, s.quantities, noise, values); err != nil {
				c.release()
				return enctable.Rows{}, fmt.Errorf("packing: %w", err)
			}
			ct := make([]byte, rows*size)
			if err := encryptor.Encrypt(ct, m); err != nil {
				c.release()
				return enctable.Rows{}, err
			}
			out.Ciphertexts = append(out.Ciphertexts, ct)
		}
		clear(m)
		for i := range measures {
			if c.noise {
				break
			}
			n := int64(0)
			for _, ok := range measures[i].Ok {
				if !ok {
					n++
				}
			}
			s.missing[i].Add(n)
		}
		s.ciphertexts.Add(int64(rows * s.columns))
		s.progress.Items.Add(int64(rows * s.columns))
		s.records.Add(int64(records))
		s.progress.Done.Add(int64(records))
		return out, nil
	}, nil
}
