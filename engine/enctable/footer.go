package enctable

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// ReadFooter returns the footer of an encrypted table, and its id columns (lists in blocks).
func ReadFooter(ctx context.Context, o job.Options, file string) (*ctfile.Table, []arrow.Field, error) {
	f, ids, err := readFooter(ctx, o, file)
	return f.Table, ids, err
}

func readFooter(ctx context.Context, o job.Options, file string) (ctfile.Footer, []arrow.Field, error) {
	r, err := ctfile.Open(ctx, o.FS, file, column.ReadOptions{})
	if err != nil {
		return ctfile.Footer{}, nil, err
	}
	return r.Footer(), slices.Clone(r.Schema().Fields()[:len(r.Table().IDs)]), r.Close()
}

// CheckOutput refuses a name for an encrypted table that promises another format.
func CheckOutput(name string) error {
	ext := blob.Ext(name)
	if _, plain := dataset.Formats[ext]; plain && ext != ".parquet" {
		return job.Misuse("Name it something.cf.parquet.", "%s: an encrypted table is always Parquet", name)
	}
	return nil
}

// NewFooter starts the footer of an encrypted table: its scheme and key, and a new id. The job's id is the table's first
// half.
func NewFooter(pk *paillier.PublicKey) ctfile.Table {
	random := make([]byte, ctfile.IDDigits/2)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	id := hex.EncodeToString(random)
	return ctfile.Table{
		Scheme: "paillier", Variant: string(pk.Variant()), Bits: pk.Bits(), Fingerprint: pk.Fingerprint(),
		PublicKey: json.RawMessage(pk.MarshalPublic()), TestKey: pk.Test(), TableID: id, JobID: id[:JobDigits],
	}
}

// JobDigits is the length of a job's id, in hex.
const JobDigits = 16

// RecordType is the type of a record's id: what a block's list is made of.
func RecordType(t arrow.DataType) arrow.DataType {
	if l, ok := t.(*arrow.ListType); ok {
		return l.Elem()
	}
	return t
}
