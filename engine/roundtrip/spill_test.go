package roundtrip_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// stock is encrypted values of which large tables are made quickly: each row repeats one of them.
type stock struct {
	table  *ctfile.Table
	values []int64
	cts    [][]byte // per column of the table: all ciphertexts

	written int // tables, which have their number as id
}

// newStock encrypts 256 values of each measure.
func newStock(b *bench, names ...string) *stock {
	b.Helper()
	s := &stock{}
	rows := [][]string{append([]string{"id"}, names...)}
	specs := []string{}
	for _, name := range names {
		specs = append(specs, name+":max=1000")
	}
	for i := range 256 {
		s.values = append(s.values, int64(i*7%2001-1000))
		row := []string{strconv.Itoa(i)}
		for range names {
			row = append(row, strconv.FormatInt(s.values[i], 10))
		}
		rows = append(rows, row)
	}
	in := b.encrypt(b.table("stock-"+names[0]+".csv", rows), encrypt.Request{Key: keys.Of(b.key), Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(b, specs...)}})
	r, err := ctfile.Open(context.Background(), blob.Local{}, in, column.ReadOptions{BatchRows: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	s.table = r.Table()
	batch, err := r.Read(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer batch.Release()
	for c := range s.table.Columns {
		s.cts = append(s.cts, bytes.Clone(column.FixedBytes(batch.Column(1+c))))
	}
	return s
}

// stockRow is a row of a table made of a stock: its id, a text of it, and which value it has.
type stockRow struct {
	id    int64
	value int
}

// write makes a table of rows.
func (s *stock) write(b *bench, name string, rows []stockRow) string {
	b.Helper()
	t := *s.table
	t.IDs = []string{"id", "name"}
	t.Rows, t.JobID, t.TableID = int64(len(rows)), "stock", s.table.TableID[:16]+fmt.Sprintf("%016x", s.written) // which the result's are derived from
	s.written++
	w, err := ctfile.Create(context.Background(), blob.Local{}, b.path(name), t, []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String}},
		ctfile.Options{RowGroupBytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	builder := array.NewRecordBuilder(memory.DefaultAllocator, w.Schema())
	defer builder.Release()
	size := t.CiphertextBytes()
	for _, r := range rows {
		builder.Field(0).(*array.Int64Builder).Append(r.id)
		builder.Field(1).(*array.StringBuilder).Append(stockName(r.id))
		for c, cts := range s.cts {
			builder.Field(2 + c).(*array.FixedSizeBinaryBuilder).Append(cts[r.value*size : (r.value+1)*size])
		}
	}
	rec := builder.NewRecord()
	defer rec.Release()
	if err := w.Write(context.Background(), column.Batch{Record: rec}); err != nil {
		b.Fatal(err)
	}
	if err := w.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
	return b.path(name)
}

// stockName is the text that goes with an id: another order.
func stockName(id int64) string { return fmt.Sprint("n", id*id%97) }

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sortedRows are rows in the order of their ids.
func sortedRows(rows []stockRow) []stockRow {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b stockRow) int { return cmp.Compare(a.id, b.id) })
	return rows
}

// smallMemory is a budget that a table of eighty thousand groups outgrows. It depends on the size of the keys.
var smallMemory = thoroughtest.Pick[int64](81<<20, 92<<20)

// The file that comes out is the same, byte by byte, whatever the memory, the threads, and the order and the number of the
// inputs and of their rows; and its sums are right.
func TestFusionByGroupIsTheSameWhateverTheWay(t *testing.T) {
	b := newBench(t, paillier.MHL)
	s := newStock(b, "x")
	random := rand.New(rand.NewPCG(1, 2))
	const rows, ids = 100000, 400000
	all := make([]stockRow, rows)
	want := map[int64][2]int64{}
	for i := range all {
		all[i] = stockRow{random.Int64N(ids) - ids/2, random.IntN(256)}
		if i%8 == 0 {
			all[i].id = 42 // much of one group
		}
		w := want[all[i].id]
		want[all[i].id] = [2]int64{w[0] + s.values[all[i].value], w[1] + 1}
	}
	sorted := sortedRows(all)
	pair := func(one string, rows []stockRow, two string, more []stockRow) []string {
		s.written = 0 // all pairs have the same ids
		return []string{s.write(b, one, rows), s.write(b, two, more)}
	}
	inputs := map[string][]string{
		"two":     pair("a", all[:rows/3], "b", all[rows/3:]),
		"sorted":  pair("s1", sorted[:rows/4], "s2", sorted[rows/4:]),
		"crossed": pair("c1", sortedRows(all[:rows/2]), "c2", sortedRows(all[rows/2:])),
		"half":    pair("h1", sortedRows(all[:rows/10]), "h2", all[rows/10:]),
	}
	inputs["back"] = []string{inputs["two"][1], inputs["two"][0]}
	type way struct {
		inputs  string
		memory  int64
		threads int
		spills  bool
	}
	id := []way{
		{"two", 1 << 30, 3, false}, {"two", smallMemory, 1, true}, {"two", smallMemory, 2, true}, {"back", smallMemory, 2, true},
		{"sorted", smallMemory, 1, false}, {"sorted", smallMemory, 2, false}, {"crossed", smallMemory, 2, false}, {"crossed", 1 << 30, 3, false},
		{"half", smallMemory, 2, true}, {"half", 1 << 30, 3, false},
	}
	if !thoroughtest.AtLeast(thoroughtest.Thorough) {
		id = []way{id[0], id[2], id[6]}
	}
	for _, x := range []struct {
		by   []string
		ways []way
	}{
		{[]string{"id"}, id},
		{[]string{"name", "id"}, []way{{"two", 1 << 30, 2, false}, {"sorted", smallMemory, 2, true}}},
		{[]string{"name"}, []way{{"two", 1 << 30, 3, false}, {"back", smallMemory, 1, false}, {"sorted", smallMemory, 2, false}}},
		{[]string{}, []way{{"two", 1 << 30, 3, false}, {"sorted", smallMemory, 1, false}}},
	} {
		var first []byte
		for _, w := range x.ways {
			b.options = job.Options{Memory: w.memory, Threads: w.threads, Overwrite: true}
			out := b.path("out.cf.parquet")
			report, err := fuse.Run(context.Background(), fuse.Request{Options: b.options, In: inputs[w.inputs], Out: out, By: x.by})
			if err != nil {
				t.Fatal(err)
			}
			if (report.Spilled > 0) != w.spills {
				t.Errorf("by %q, %+v: %d bytes in a temporary file", x.by, w, report.Spilled)
			}
			data := readFile(t, out)
			if first == nil {
				first = data
			}
			if !bytes.Equal(data, first) {
				t.Fatalf("by %q, %+v: another file", x.by, w)
			}
		}
	}
	b.options = job.Options{Overwrite: true}
	var last int64 = -1 << 62
	groups := 0
	for _, row := range b.decrypt(b.fuse("out.cf.parquet", fuse.Request{In: inputs["two"], By: []string{"id"}})) {
		id, err := strconv.ParseInt(row["id"], 10, 64)
		if err != nil || id <= last {
			t.Fatalf("group %s after %d", row["id"], last)
		}
		last = id
		if w := want[id]; row["x_sum"] != strconv.FormatInt(w[0], 10) || row["x_count"] != strconv.FormatInt(w[1], 10) {
			t.Fatalf("group %d: %s of %s, want %v", id, row["x_sum"], row["x_count"], w)
		}
		groups++
	}
	if groups != len(want) {
		t.Errorf("%d groups, want %d", groups, len(want))
	}
}
