package analyze_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cipherfold/cipherfold/engine/analyze"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/slots"
)

// An owner sums up its own table in the clear.
func ExampleSummarize() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	table, out := filepath.Join(dir, "north.csv"), filepath.Join(dir, "summary.csv")
	if err := os.WriteFile(table, []byte("ward,rate\na,60\nb,80\na,71\n"), 0o600); err != nil {
		panic(err)
	}
	report, err := analyze.Summarize(context.Background(), analyze.Summary{
		Spec: dataset.Spec{In: []string{table}, IDs: []string{"ward"}, Measures: []slots.Measure{{Name: "rate", Bound: 300}}, Squares: []string{"rate"}},
		Out:  out,
	})
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(out)
	fmt.Println(report.Records, "records")
	fmt.Print(string(text), err)
	// Output:
	// 2 records
	// ward,rate_sum,rate_count,rate_mean,rate_var
	// a,131,2,65.5,60.5
	// b,80,1,80,
	// <nil>
}
