package encrypt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// An owner encrypts a column of a table under the public key.
func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "north.csv")
	if err := os.WriteFile(table, []byte("patient,ward,rate\np1,a,61\np2,b,\np3,a,70\n"), 0o600); err != nil {
		panic(err)
	}
	sk, err := paillier.GenerateKey(ctx, nil, paillier.DJN, 512, true) // for tests only: use 3072 bits
	if err != nil {
		panic(err)
	}

	report, err := encrypt.Run(ctx, encrypt.Request{
		Spec: dataset.Spec{
			In:       []string{table},
			IDs:      []string{"patient", "ward"},
			Measures: []slots.Measure{{Name: "rate", Bound: 300}},
		},
		Key: keys.Of(sk.Public()),
		Out: filepath.Join(dir, "north.cf.parquet"),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Records, "records,", report.Ciphertexts, "ciphertexts,", report.Missing["rate"], "missing")
	// Output: 3 records, 3 ciphertexts, 1 missing
}
