package paillier

import (
	"context"
	"fmt"
	"math/big"
	"testing"
)

func BenchmarkKey(b *testing.B) {
	for _, variant := range []Variant{Textbook, DJN, MHL} {
		for _, bits := range []int{2048, 3072} {
			b.Run(fmt.Sprintf("%s/%d", variant, bits), func(b *testing.B) {
				for b.Loop() {
					if _, err := GenerateKey(context.Background(), nil, variant, bits, false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkWorkers reports nanoseconds per ciphertext.
func BenchmarkWorkers(b *testing.B) {
	const rows = 256
	for _, variant := range []Variant{Textbook, DJN, MHL} {
		for _, bits := range []int{2048, 3072} {
			sk := testKey(b, variant, bits)
			pk := sk.Public()
			m := make([]uint64, rows*pk.PlaintextLimbs())
			ct := make([]byte, rows*pk.CiphertextSize())
			other, one := make([]byte, len(ct)), make([]byte, pk.CiphertextSize())
			w := make([]int64, rows)
			groups := make([]int32, rows)
			for i := range w {
				w[i] = int64(i)*0x123456789 - 1<<40
				groups[i] = int32(i % 50)
			}
			public, owner, e, d := pk.NewEncryptor(), sk.NewEncryptor(), pk.NewEvaluator(), sk.NewDecryptor()
			sums := pk.NewAccumulator(50)
			for _, bench := range []struct {
				name string
				f    func() error
			}{
				{"encrypt", func() error { return public.Encrypt(ct, m) }},
				{"encrypt-owner", func() error { return owner.Encrypt(ct, m) }},
				{"decrypt", func() error { return d.Decrypt(m, ct) }},
				{"check", func() error { return e.Check(ct) }},
				{"fold", func() error { return e.Fold(other, ct, ct, ct, ct) }},
				{"sum", func() error { return e.Sum(one, ct) }},
				{"group", func() error { return sums.Add(groups, ct) }},
				{"weighted-sum-64", func() error { return e.WeightedSum(one, ct, Int64Scalars(w)) }},
				{"weighted-fold", func() error { return e.WeightedFold(other, []int64{3, -5}, ct, ct) }},
				{"mul-64", func() error { return e.MulPlain(other, ct, big.NewInt(0x7edcba9876543210)) }},
				{"mul-each-64", func() error { return e.MulEach(other, ct, Int64Scalars(w)) }},
				{"negate", func() error { return e.Negate(other, ct) }},
				{"rerandomize", func() error { return e.Rerandomize(other, ct) }},
				{"rerandomize-own", func() error { return e.RerandomizeOf(other, ct, OwnRandomizers) }},
			} {
				b.Run(fmt.Sprintf("%s/%d/%s", variant, bits, bench.name), func(b *testing.B) {
					if err := bench.f(); err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					for b.Loop() {
						if err := bench.f(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/ciphertext")
				})
			}
		}
	}
}
