package fuse_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// An aggregator adds up the encrypted tables of two owners by ward. It has no key.
func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	sk, err := paillier.GenerateKey(ctx, nil, paillier.DJN, 512, true) // for tests only: use 3072 bits
	if err != nil {
		panic(err)
	}
	var encrypted []string
	for owner, rows := range map[string]string{"north": "p1,a,61\np2,b,80\n", "south": "q1,a,70\nq2,b,75\nq3,b,66\n"} {
		table := filepath.Join(dir, owner+".csv")
		if err := os.WriteFile(table, []byte("patient,ward,rate\n"+rows), 0o600); err != nil {
			panic(err)
		}
		out := filepath.Join(dir, owner+".cf.parquet")
		if _, err := encrypt.Run(ctx, encrypt.Request{
			Spec: dataset.Spec{In: []string{table}, IDs: []string{"patient", "ward"}, Measures: []slots.Measure{{Name: "rate", Bound: 300}}},
			Key:  keys.Of(sk.Public()), Out: out,
		}); err != nil {
			panic(err)
		}
		encrypted = append(encrypted, out)
	}

	report, err := fuse.Run(ctx, fuse.Request{In: encrypted, By: []string{"ward"}, Out: filepath.Join(dir, "fused.cf.parquet")})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Ciphertexts, "ciphertexts into", report.Records, "wards")
	// Output: 5 ciphertexts into 2 wards
}
