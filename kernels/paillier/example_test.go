package paillier_test

import (
	"context"
	"fmt"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Two owners encrypt, somebody without the secret key adds up, the key holder decrypts the sums.
func Example() {
	// A key of 512 bits is for examples and tests. Use 3072 bits, and false.
	sk, err := paillier.GenerateKey(context.Background(), nil, paillier.DJN, 512, true)
	if err != nil {
		panic(err)
	}
	pk := sk.Public()

	north, err := pk.NewEncryptor().EncryptInt64([]int64{3, -5, 1000})
	if err != nil {
		panic(err)
	}
	south, err := pk.NewEncryptor().EncryptInt64([]int64{4, -6, 337})
	if err != nil {
		panic(err)
	}

	sums := make([]byte, 3*pk.CiphertextSize())
	if err := pk.NewEvaluator().Fold(sums, north, south); err != nil {
		panic(err)
	}

	plain, err := sk.NewDecryptor().DecryptInt64(sums)
	fmt.Println(plain, err)
	// Output: [7 -11 1337] <nil>
}

// A weighted sum of one batch: 2·10 - 3·1.
func ExampleEvaluator_WeightedSum() {
	sk, err := paillier.GenerateKey(context.Background(), nil, paillier.MHL, 512, true)
	if err != nil {
		panic(err)
	}
	pk := sk.Public()
	ct, err := pk.NewEncryptor().EncryptInt64([]int64{10, 1})
	if err != nil {
		panic(err)
	}
	sum := make([]byte, pk.CiphertextSize())
	if err := pk.NewEvaluator().WeightedSum(sum, ct, paillier.Int64Scalars([]int64{2, -3})); err != nil {
		panic(err)
	}
	plain, err := sk.NewDecryptor().DecryptInt64(sum)
	fmt.Println(plain, err)
	// Output: [17] <nil>
}
