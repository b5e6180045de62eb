package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/johannesboyne/gofakes3"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/parquetio"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

var noPrefix gofakes3.Prefix

const (
	owners     = 2
	poolValues = 40_000 // encrypted for each owner
	batchRows  = 2048   // blocks that are written at a time
	valueMax   = 1<<31 - 1
)

// idFields are the id columns of the tables.
var idFields = []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}

// pattern is what the tables are made of: a pool of encrypted blocks for each owner, repeated in an order of its own.
// So row i of the fusion depends only on i modulo the size of the pools.
type pattern struct {
	options
	key   *paillier.SecretKey
	pools []*pool
	size  int64 // blocks of a pool
	block int   // records of a block
	rows  int64 // blocks of each table
}

// pool is the blocks of an owner.
type pool struct {
	table  *ctfile.Table
	cts    []byte // of the one column
	values []int64
}

// blockOf is which block of an owner's pool is in a row.
func (p *pattern) blockOf(owner int, row int64) int64 {
	if owner == 0 {
		return row % p.size
	}
	return (7*row + 3) % p.size
}

func newPattern(ctx context.Context, o options, key *paillier.SecretKey) (*pattern, error) {
	p := &pattern{options: o, key: key}
	for owner := range owners {
		x, err := p.newPool(ctx, owner)
		if err != nil {
			return nil, err
		}
		p.pools = append(p.pools, x)
	}
	t := p.pools[0].table
	if len(t.Columns) != 1 {
		return nil, fmt.Errorf("a table of one measure has %d ciphertext columns", len(t.Columns))
	}
	p.block = t.BlockRecords
	p.size = poolValues / int64(p.block) // whole blocks
	if p.size%7 == 0 {
		p.size-- // the second owner's order visits all blocks
	}
	p.rows = max(2, o.bytes/int64(owners*t.CiphertextBytes()))
	return p, nil
}

// newPool makes random values, the same in every run, and encrypts them.
func (p *pattern) newPool(ctx context.Context, owner int) (*pool, error) {
	x := &pool{}
	state := uint64(owner + 1)
	var text bytes.Buffer
	text.WriteString("id,value\n")
	for id := range poolValues {
		state = state*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
		v := int64(state>>33) - 1<<30
		x.values = append(x.values, v)
		fmt.Fprintf(&text, "%d,%d\n", id, v)
	}
	plain, sealed := filepath.Join(p.dir, "pool.csv"), filepath.Join(p.dir, "pool.cf.parquet")
	defer os.Remove(plain)
	defer os.Remove(sealed)
	if err := os.WriteFile(plain, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	measure, err := slots.ParseMeasure("value:max=" + strconv.Itoa(valueMax))
	if err != nil {
		return nil, err
	}
	e := encrypt.Request{Key: keys.Of(p.key), Spec: dataset.Spec{In: []string{plain}, IDs: []string{"id"}, Measures: []slots.Measure{measure}}, Out: sealed, Layout: slots.Blocks}
	if _, err := encrypt.Run(ctx, e); err != nil {
		return nil, err
	}
	r, err := ctfile.Open(ctx, blob.Local{}, sealed, column.ReadOptions{BatchRows: poolValues})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := r.Read(ctx)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	x.table = r.Table()
	x.cts = bytes.Clone(column.FixedBytes(b.Column(1)))
	return x, nil
}

// write makes an owner's table and returns its size in bytes.
func (p *pattern) write(ctx context.Context, owner int, name string) (int64, error) {
	x := p.pools[owner]
	t := *x.table
	t.Rows, t.JobID, t.TableID = 0, fmt.Sprintf("%016x", owner), fmt.Sprintf("%032x", owner)
	w, err := ctfile.Create(ctx, blob.Local{}, name, t, idFields, ctfile.Options{})
	if err != nil {
		return 0, err
	}
	defer w.Close()
	size := int64(t.CiphertextBytes())
	for first := int64(0); first < p.rows; first += batchRows {
		n := min(batchRows, p.rows-first)
		var cts []byte
		for row := first; row < first+n; row++ {
			at := p.blockOf(owner, row) * size
			cts = append(cts, x.cts[at:at+size]...)
		}
		if err := p.writeBatch(ctx, w, first, n, cts); err != nil {
			return 0, err
		}
	}
	if err := w.Commit(ctx); err != nil {
		return 0, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeBatch writes n blocks of consecutive ids.
func (p *pattern) writeBatch(ctx context.Context, w *ctfile.Writer, first, n int64, cts []byte) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, w.Schema())
	defer b.Release()
	ids := b.Field(0).(*array.ListBuilder)
	values := ids.ValueBuilder().(*array.Int64Builder)
	sealed := b.Field(1).(*array.FixedSizeBinaryBuilder)
	size := int64(len(cts)) / n
	for row := range n {
		ids.Append(true)
		for k := range p.block {
			values.Append((first+row)*int64(p.block) + int64(k))
		}
		sealed.Append(cts[row*size : (row+1)*size])
	}
	batch := column.Batch{Record: b.NewRecord()}
	defer batch.Release()
	return w.Write(ctx, batch)
}

// check compares a fusion with its expected value: its ids; every ciphertext with the one of the same kind among the
// first; and the sums of these, decrypted, with the plain sums.
func (p *pattern) check(ctx context.Context, fs blob.FS, name string) (blocks, records int64, err error) {
	r, err := ctfile.Open(ctx, fs, name, column.ReadOptions{BatchRows: batchRows, Threads: 2})
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	t := *r.Table()
	if t.Rows != p.rows*int64(p.block) {
		return 0, 0, fmt.Errorf("the result has %d records, not %d", t.Rows, p.rows*int64(p.block))
	}
	kinds := min(p.size, p.rows)
	first := filepath.Join(p.dir, "first.cf.parquet")
	t.Rows = 0
	w, err := ctfile.Create(ctx, blob.Local{}, first, t, idFields, ctfile.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(first)
	defer w.Close()
	size := int64(t.CiphertextBytes())
	var kept []byte // the ciphertexts of the first rows
	row := int64(0)
	err = column.Each(ctx, r, func(b column.Batch) error {
		cts := column.FixedBytes(b.Column(1))
		if err := p.checkIDs(b, row); err != nil {
			return err
		}
		for i := range b.NumRows() {
			ct := cts[i*size : (i+1)*size]
			if row+i < kinds {
				kept = append(kept, ct...)
			} else if at := (row + i) % p.size * size; !bytes.Equal(ct, kept[at:at+size]) {
				return fmt.Errorf("block %d is not what block %d is", row+i, (row+i)%p.size)
			}
		}
		row += b.NumRows()
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if row != p.rows {
		return 0, 0, fmt.Errorf("the result has %d blocks, not %d", row, p.rows)
	}
	if err := p.writeBatch(ctx, w, 0, kinds, kept); err != nil {
		return 0, 0, err
	}
	if err := w.Commit(ctx); err != nil {
		return 0, 0, err
	}
	records, err = p.checkSums(ctx, first, kinds)
	return row, records, err
}

func (p *pattern) checkIDs(b column.Batch, row int64) error {
	ids, ok := b.Column(0).(*array.List)
	if !ok {
		return errors.New("the ids are no lists")
	}
	values, ok := ids.ListValues().(*array.Int64)
	if !ok {
		return errors.New("the ids are no integers")
	}
	for i := range int(b.NumRows()) {
		from, to := ids.ValueOffsets(i)
		if to-from != int64(p.block) {
			return fmt.Errorf("block %d has %d ids", row+int64(i), to-from)
		}
		for k := from; k < to; k++ {
			if want := (row+int64(i))*int64(p.block) + k - from; values.Value(int(k)) != want {
				return fmt.Errorf("id %d where %d should be", values.Value(int(k)), want)
			}
		}
	}
	return nil
}

// checkSums decrypts a table of the first blocks and compares every sum and count.
func (p *pattern) checkSums(ctx context.Context, name string, kinds int64) (int64, error) {
	out := filepath.Join(p.dir, "first.parquet")
	defer os.Remove(out)
	if _, err := decrypt.Run(ctx, decrypt.Request{Key: keys.Of(p.key), In: name, Out: out, Unfused: true}); err != nil {
		return 0, err
	}
	r, err := parquetio.Open(ctx, blob.Local{}, out, column.ReadOptions{Columns: []string{"id", "value_sum", "value_count"}})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	records := int64(0)
	err = column.Each(ctx, r, func(b column.Batch) error {
		ids, sums, counts := b.Column(0).(*array.Int64), b.Column(1).(*array.Int64), b.Column(2).(*array.Int64)
		for i := range int(b.NumRows()) {
			row, k := records/int64(p.block), records%int64(p.block)
			want := int64(0)
			for owner, x := range p.pools {
				want += x.values[p.blockOf(owner, row)*int64(p.block)+k]
			}
			if ids.Value(i) != records || sums.Value(i) != want || counts.Value(i) != owners {
				return fmt.Errorf("record %d (id %d) has the sum %d of %d; the plain sum is %d of %d", records, ids.Value(i), sums.Value(i), counts.Value(i), want, owners)
			}
			records++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if records != kinds*int64(p.block) {
		return 0, fmt.Errorf("%d records were decrypted, not %d", records, kinds*int64(p.block))
	}
	return records, nil
}
