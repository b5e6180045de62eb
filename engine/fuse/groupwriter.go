package fuse

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
)

// finished are rows of the result of a fusion by group.
type finished struct {
	keys sums.Keys
	most int64    // additions of one of them
	ct   [][]byte // per column of the result
}

// groupWriter writes finished rows in batches of one size, whatever sizes they come in: where a file's pages end depends on
// the batches that it was written in, and the result does not depend on how it was come by.
type groupWriter struct {
	out  enctable.Writer
	keys *ids.KeyBuilder
	rows int // of a batch
	held int // rows that wait for more
	size int
	ct   [][]byte // of those; per column
}

func newGroupWriter(out enctable.Writer, fields []arrow.Field, rows int) *groupWriter {
	return &groupWriter{out: out, keys: ids.NewKeyBuilder(fields), rows: rows, size: out.Table().CiphertextBytes(), ct: make([][]byte, len(out.Table().Columns))}
}

func (w *groupWriter) put(ctx context.Context, f *finished) error {
	t := w.out.Table()
	t.AddsUsed = max(t.AddsUsed, f.most) // before these rows are in a file whose footer has it
	for at, n := 0, f.keys.Len(); at < n; {
		more := min(n-at, w.rows-w.held)
		for i := range more {
			if err := w.keys.Append(f.keys.At(at + i)); err != nil {
				return err
			}
		}
		for c, ct := range f.ct {
			if w.ct[c] == nil {
				w.ct[c] = make([]byte, 0, w.rows*w.size)
			}
			w.ct[c] = append(w.ct[c], ct[at*w.size:(at+more)*w.size]...)
		}
		at, w.held = at+more, w.held+more
		if w.held == w.rows {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what waits.
func (w *groupWriter) flush(ctx context.Context) error {
	if w.held == 0 {
		return nil
	}
	idColumns := w.keys.Arrays()
	defer ids.Release(idColumns)
	err := enctable.WriteRows(ctx, w.out, enctable.Rows{Ids: idColumns, Ct: w.ct, Rows: w.held}, 0, false)
	for c := range w.ct {
		w.ct[c] = w.ct[c][:0] // the writer has copied them
	}
	w.held = 0
	return err
}

// release frees what was not written.
func (w *groupWriter) release() { ids.Release(w.keys.Arrays()) }
