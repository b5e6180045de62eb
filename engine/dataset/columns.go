package dataset

import (
	"context"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Column is a column of a table as its file has it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // as Arrow names it
}

// Columns returns the columns of a table, encrypted or not, without reading its rows.
func Columns(ctx context.Context, o job.Options, name string) ([]Column, error) {
	o = o.WithDefaults()
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	r, err := f.open(ctx, o.FS, name, column.ReadOptions{})
	if err != nil {
		return nil, err
	}
	var out []Column
	for _, field := range r.Schema().Fields() {
		out = append(out, Column{field.Name, column.TypeName(field)})
	}
	return out, r.Close()
}

// streamed are the extensions of formats that are read from the first byte to the last.
var streamed = []string{".csv", ".csv.gz", ".tsv", ".tsv.gz", ".vcf", ".vcf.gz"}

// StreamedBytes returns the total bytes of the files that patterns mean, if all are of formats that are read from the
// first byte to the last. Then the bytes read tell how far a job is. Otherwise it returns 0.
func StreamedBytes(ctx context.Context, o job.Options, patterns []string) int64 {
	o = o.WithDefaults()
	total := int64(0)
	for _, pattern := range patterns {
		files, err := o.FS.List(ctx, pattern)
		if err != nil {
			return 0
		}
		for _, file := range files {
			if !slices.Contains(streamed, blob.Ext(file)) {
				return 0
			}
			f, err := o.FS.Open(ctx, file)
			if err != nil {
				return 0
			}
			total += f.Size()
			f.Close()
		}
	}
	return total
}
