package job

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// sealing is the encrypting stage.
type sealing struct {
	e           *Encryption
	plan        *plan
	noise       *noising // nil: none
	columns     int
	quantities  []quantity
	missing     []atomic.Int64 // per measure
	ciphertexts atomic.Int64
	records     atomic.Int64
	progress    *engine.Progress
}

// sealed is a chunk encrypted: rows of the table.
type sealed struct {
	ids  []arrow.Array // of the records
	ct   [][]byte      // per ciphertext column
	rows int
	free func()
}

func (s sealed) release() { s.free() }

func (s *sealing) worker(int) (engine.Work[chunk, sealed], error) {
	encryptor := s.e.Key.encryptor()
	adder := s.noise.adder()
	scratch := make([]scaled, len(s.e.Measures))
	var m []uint64
	widest := 0
	for _, c := range s.plan.columns {
		widest = max(widest, len(c.cells))
	}
	values := make([]codec.Int, widest)
	size := s.e.Key.Public.CiphertextSize()
	return func(ctx context.Context, c chunk) (sealed, error) {
		ids := len(s.e.IDs)
		measures := c.measures
		if measures == nil {
			measures = scratch
			for i := range measures {
				if err := scaleColumn(&measures[i], c.batch, ids+i, s.e.Measures[i]); err != nil {
					c.release()
					return sealed{}, err
				}
			}
		}
		var noise func(int, codec.Int) (codec.Int, error)
		if adder != nil && (s.e.Privacy.Groups == nil || c.noise) { // for groups, noise has records of its own
			noise = adder.add
		}
		records := int(c.batch.NumRows())
		rows := (records + s.plan.records - 1) / s.plan.records
		out := sealed{ids: c.batch.Columns()[:ids], rows: rows, free: c.release}
		for i := range s.plan.columns {
			if err := ctx.Err(); err != nil {
				c.release()
				return sealed{}, err
			}
			limbs := s.plan.columns[i].packer.Limbs()
			m = slices.Grow(m[:0], rows*limbs)[:rows*limbs]
			if err := s.plan.packRows(m, i, rows, measures, s.quantities, noise, values); err != nil {
				c.release()
				return sealed{}, fmt.Errorf("packing: %w", err)
			}
			ct := make([]byte, rows*size)
			if err := encryptor.Encrypt(ct, m); err != nil {
				c.release()
				return sealed{}, err
			}
			out.ct = append(out.ct, ct)
		}
		clear(m)
		for i := range measures {
			if c.noise {
				break
			}
			n := int64(0)
			for _, ok := range measures[i].ok {
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

// writeSealed writes rows of ciphertexts with their ids, which become lists in blocks.
func writeSealed(ctx context.Context, w tableWriter, s sealed, records int, blocks bool) error {
	ids := s.ids
	if blocks {
		ids = lists(ids, records)
		defer releaseArrays(ids)
	}
	rec := ctRecord(w.Schema(), ids, s.ct, s.rows)
	defer rec.Release()
	return w.Write(ctx, column.Batch{Record: rec})
}

// ctRecord joins id columns and ciphertext columns into a record, without copying.
func ctRecord(schema *arrow.Schema, ids []arrow.Array, ct [][]byte, rows int) arrow.Record {
	columns := slices.Clone(ids)
	for i, bytes := range ct {
		t := schema.Field(len(ids) + i).Type
		data := array.NewData(t, rows, []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
		columns = append(columns, array.NewFixedSizeBinaryData(data))
		data.Release()
	}
	rec := array.NewRecord(schema, columns, int64(rows))
	releaseArrays(columns[len(ids):])
	return rec
}
