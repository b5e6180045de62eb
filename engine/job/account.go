package job

import (
	"context"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// InputReport is how much of an input a job read.
type InputReport struct {
	File string `json:"file"`
	Rows int64  `json:"rows,omitempty"` // records, not blocks, of an encrypted table
}

// KeyReport names the key that a job worked with.
type KeyReport struct {
	Fingerprint string `json:"fingerprint"`
	Scheme      string `json:"scheme"`
	Variant     string `json:"variant"`
	Bits        int    `json:"bits"`
	TestKey     bool   `json:"test_key,omitempty"`
}

func DescribeKey(pk *paillier.PublicKey) KeyReport {
	return KeyReport{Fingerprint: pk.Fingerprint(), Scheme: "paillier", Variant: string(pk.Variant()), Bits: pk.Bits(), TestKey: pk.Test()}
}

// AnnounceKey reports the key and the arithmetic of the job to its observer.
func (o Options) AnnounceKey(pk *paillier.PublicKey) {
	if o.Keyed != nil {
		o.Keyed(DescribeKey(pk), pk.Kernel())
	}
}

// RowCounter counts the rows of each file of a source. A file that is read again, in a second pass, is counted again
// from 0.
type RowCounter struct {
	Files []InputReport
	index map[string]int
}

func NewRowCounter() *RowCounter { return &RowCounter{index: map[string]int{}} }

// Count returns r, counted as the rows of the named file.
func (c *RowCounter) Count(name string, r column.Reader) column.Reader {
	i, ok := c.index[name]
	if !ok {
		i = len(c.Files)
		c.index[name] = i
		c.Files = append(c.Files, InputReport{File: name})
	}
	c.Files[i].Rows = 0
	return &countedReader{Reader: r, count: c, file: i}
}

type countedReader struct {
	column.Reader
	count *RowCounter
	file  int
}

func (r *countedReader) Read(ctx context.Context) (column.Batch, error) {
	b, err := r.Reader.Read(ctx)
	if err == nil {
		r.count.Files[r.file].Rows += b.NumRows()
	}
	return b, err
}

// File returns the name of the file, for column.FileOf.
func (r *countedReader) File() string { return r.count.Files[r.file].File }
