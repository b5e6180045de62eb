package roundtrip_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// wideTable writes rows of many measures, and returns the sum of each by tissue.
func wideTable(b *bench, name string, rows, measures int) (file string, sums map[string][]int64) {
	sums = map[string][]int64{}
	var text strings.Builder
	text.WriteString("sample,tissue")
	for m := range measures {
		fmt.Fprintf(&text, ",gene%d", m)
	}
	text.WriteByte('\n')
	for r := range rows {
		tissue := "t" + strconv.Itoa(r%2)
		if sums[tissue] == nil {
			sums[tissue] = make([]int64, measures)
		}
		fmt.Fprintf(&text, "%s%d,%s", name, r, tissue)
		for m := range measures {
			v := int64((r+3)*(m+7)*len(name)) % 2000
			sums[tissue][m] += v
			fmt.Fprintf(&text, ",%d", v)
		}
		text.WriteByte('\n')
	}
	return b.write(name+".csv", text.String()), sums
}

// What a study of wide tables allocates grows as its measures do, and its sums are right.
func TestWideTables(t *testing.T) {
	type cost struct{ objects, bytes float64 }
	const few, many, rows = 500, 2000, 4
	costs := map[int]map[string]cost{}
	for _, n := range []int{few, few, many} { // first once for what is made only once
		b := newBench(t, paillier.DJN)
		b.options = job.Options{Threads: 1, Memory: 128 << 20}
		costs[n] = map[string]cost{}
		step := func(name string, do func()) {
			var before, after runtime.MemStats
			runtime.GC() // twice, so that pools are empty:
			runtime.GC() // buffers that come from them are not counted
			runtime.ReadMemStats(&before)
			do()
			runtime.ReadMemStats(&after)
			costs[n][name] = cost{float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)}
		}
		want := map[string][]int64{}
		var sealed []string
		for _, name := range []string{"a", "bb"} {
			file, sums := wideTable(b, name, rows, n)
			for tissue, list := range sums {
				if want[tissue] == nil {
					want[tissue] = make([]int64, n)
				}
				for m, v := range list {
					want[tissue][m] += v
				}
			}
			step("encrypt", func() {
				sealed = append(sealed, b.encrypt(file, encrypt.Request{Spec: dataset.Spec{IDs: []string{"sample", "tissue"}, Measures: measures(t, "*:max=2000:range=0..")}}))
			})
		}
		var fused string
		step("fuse", func() { fused = b.fuse("fused.cf.parquet", fuse.Request{In: sealed, By: []string{"tissue"}}) })
		var result []map[string]string
		step("decrypt", func() { result = b.decrypt(fused) })
		if len(result) != len(want) {
			t.Fatalf("%d groups, want %d", len(result), len(want))
		}
		for _, row := range result {
			for m, sum := range want[row["tissue"]] {
				name := "gene" + strconv.Itoa(m)
				if row[name+"_sum"] != strconv.FormatInt(sum, 10) || row[name+"_count"] != strconv.Itoa(rows) {
					t.Fatalf("%s of %s: sum %s of %s, want %d of %d", name, row["tissue"], row[name+"_sum"], row[name+"_count"], sum, rows)
				}
			}
		}
	}
	for step, of := range costs[many] {
		was := costs[few][step]
		const most = 1.3 * many / few // what is the same for all tables makes it less; quadratic is 4 times that
		if objects, bytes := of.objects/was.objects, of.bytes/was.bytes; objects > most || bytes > most {
			t.Errorf("%s: %d times the measures take %.1f times the objects (%.0f) and %.1f times the bytes (%.0f)", step, many/few, objects, of.objects, bytes, of.bytes)
		} else {
			t.Logf("%s: %.2f times the objects, %.2f times the bytes, %.0f bytes a measure", step, objects, bytes, of.bytes/many)
		}
	}
}
