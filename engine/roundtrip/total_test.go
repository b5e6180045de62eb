package roundtrip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// The total of a table of blocks opens as the total, while the sums of its single slots, which a plain product of the
// ciphertexts would show the key holder, are gone.
func TestTotalHidesSlots(t *testing.T) {
	b := newBench(t, paillier.DJN)
	rows := [][]string{{"id", "x"}}
	for i := range 200 {
		rows = append(rows, []string{fmt.Sprint(i), fmt.Sprint(i)})
	}
	in := b.encrypt(b.table("a.csv", rows), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "x:max=1000")}, Layout: slots.Blocks})
	out := b.fuse("total.cf.parquet", fuse.Request{In: []string{in}, By: []string{}})
	if got := b.decrypt(out)[0]; got["x_sum"] != "19900" || got["x_count"] != "200" {
		t.Fatalf("%v", got)
	}

	r, err := ctfile.Open(context.Background(), blob.Local{}, in, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	table := r.Table()
	var slots []codec.Slot
	for s := range table.BlockRecords {
		for _, m := range table.Measures {
			slots = append(slots, codec.Slot{Offset: m.Offset + s*m.Stride, Width: m.Width})
		}
	}
	packer, err := codec.NewPacker(b.key.Public().NWords(), slots)
	if err != nil {
		t.Fatal(err)
	}
	open := func(ct []byte) ([]codec.Int, error) {
		m := make([]uint64, b.key.Public().PlaintextLimbs())
		if err := b.key.NewDecryptor().Decrypt(m, ct); err != nil {
			t.Fatal(err)
		}
		values := make([]codec.Int, len(slots))
		return values, packer.Unpack(values, m)
	}
	plain := make([]byte, b.key.Public().CiphertextSize())
	if err := b.key.Public().NewEvaluator().Sum(plain, ciphertexts(t, in)[0]); err != nil {
		t.Fatal(err)
	}
	if values, err := open(plain); err != nil || values[0].Cmp(codec.FromInt64(0)) == 0 && values[2].Cmp(codec.FromInt64(0)) == 0 {
		t.Fatalf("the plain product should show slots: %v, %v", values, err)
	}
	masked := ciphertexts(t, out)[0]
	if _, err := open(masked); !errors.Is(err, codec.ErrSlotOverflow) {
		t.Errorf("the released total still unpacks into slots: %v", err)
	}
	again := ciphertexts(t, b.fuse("again.cf.parquet", fuse.Request{In: []string{in}, By: []string{}}))[0]
	if bytes.Equal(masked, again) {
		t.Error("two releases have the same mask")
	}
	if _, err := b.tryFuse("sum.cf.parquet", fuse.Request{In: []string{out, b.path("again.cf.parquet")}}); err == nil {
		t.Error("totals were added up, though their masks could leave the plaintext space")
	}
	if slices.Contains(b.files(), "sum.cf.parquet") {
		t.Error("a refused fusion left a file")
	}
}
