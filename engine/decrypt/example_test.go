package decrypt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// The holder of the secret key opens a fused table. The statistics are exact.
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
	for owner, rows := range map[string]string{"north": "p1,a,60\np2,b,80\n", "south": "p3,a,71\np4,b,\n"} {
		table, out := filepath.Join(dir, owner+".csv"), filepath.Join(dir, owner+".cf.parquet")
		if err := os.WriteFile(table, []byte("patient,ward,rate\n"+rows), 0o600); err != nil {
			panic(err)
		}
		if _, err := encrypt.Run(ctx, encrypt.Request{
			Spec: dataset.Spec{In: []string{table}, IDs: []string{"patient", "ward"}, Measures: []slots.Measure{{Name: "rate", Bound: 300}}},
			Key:  keys.Of(sk.Public()), Out: out,
		}); err != nil {
			panic(err)
		}
		encrypted = append(encrypted, out)
	}
	fused := filepath.Join(dir, "fused.cf.parquet")
	if _, err := fuse.Run(ctx, fuse.Request{In: encrypted, By: []string{"ward"}, Out: fused}); err != nil {
		panic(err)
	}

	out := filepath.Join(dir, "sums.csv")
	if _, err := decrypt.Run(ctx, decrypt.Request{Key: keys.Of(sk), In: fused, Out: out}); err != nil {
		panic(err)
	}
	text, err := os.ReadFile(out)
	fmt.Print(string(text), err)
	// Output:
	// ward,rate_sum,rate_count,rate_mean
	// a,131,2,65.5
	// b,80,1,80
	// <nil>
}
