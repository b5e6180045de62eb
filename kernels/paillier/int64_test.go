package paillier

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Numbers of either sign come back, also as sums, and a sum beyond 64 bits is refused by its index.
func TestInt64(t *testing.T) {
	values := []int64{0, 1, -1, 42, -42, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 32, -1 << 32}
	forKeys(t, func(t *testing.T, sk *SecretKey) {
		dec, eval := sk.NewDecryptor(), sk.Public().NewEvaluator()
		for _, enc := range []*Encryptor{sk.NewEncryptor(), sk.Public().NewEncryptor()} {
			ct, err := enc.EncryptInt64(values)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := dec.DecryptInt64(ct); err != nil || !slices.Equal(got, values) {
				t.Fatalf("%v, %v", got, err)
			}
			// The same through Encrypt and Decrypt: a negative number is N less its magnitude.
			m := make([]uint64, len(values)*sk.Public().PlaintextLimbs())
			if err := dec.Decrypt(m, ct); err != nil || m[0] != 0 || m[sk.Public().PlaintextLimbs()] != 1 {
				t.Fatal(m[0], err)
			}
			one, err := enc.EncryptInt64([]int64{1, 2, -3, -1, 1, 0, 0, 1, -1, 0, 0})
			if err != nil {
				t.Fatal(err)
			}
			sums := make([]byte, len(ct))
			if err := eval.Fold(sums, ct, one); err != nil {
				t.Fatal(err)
			}
			want := []int64{1, 3, -4, 41, -41, math.MaxInt64, math.MinInt64, math.MaxInt64, math.MinInt64, 1 << 32, -1 << 32}
			if got, err := dec.DecryptInt64(sums); err != nil || !slices.Equal(got, want) {
				t.Fatalf("sums %v, %v", got, err)
			}
			for _, far := range []int64{1, -1} { // MaxInt64+1 and MinInt64-1
				beyond, err := enc.EncryptInt64([]int64{0, 0, 0, 0, 0, max(far, 0), min(far, 0), 0, 0, 0, 0})
				if err != nil {
					t.Fatal(err)
				}
				if err := eval.Fold(sums, ct, beyond); err != nil {
					t.Fatal(err)
				}
				at := 5
				if far < 0 {
					at = 6
				}
				var e *Int64Error
				if got, err := dec.DecryptInt64(sums); !errors.As(err, &e) || e.Index != at {
					t.Errorf("%v, %v; want an error at %d", got, err, at)
				}
			}
		}
	})
}
