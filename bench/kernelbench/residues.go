package kernelbench

import (
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bigmod"
)

// residuesRows is how many residues are multiplied at a time: as many as workers take, within the second-level cache.
const residuesRows = 64

// residuesMax is the most residues that are multiplied between two looks at the clock.
const residuesMax = 1 << 14

// residues are the Montgomery multiplication and squaring of every kernel, for a random modulus of so many bits.
func residues(bits int, kernels []bigmod.Implementation) []*contender {
	random := rand.NewChaCha8([32]byte{})
	be := make([]byte, bits/8)
	random.Read(be)
	be[0] |= 0x80
	be[len(be)-1] |= 1
	modulus, err := bigmod.NewModulus(be)
	if err != nil {
		panic("bench: a modulus of full length: " + err.Error())
	}
	var list []*contender
	for _, k := range kernels {
		ring := k.New(modulus)
		limbs := modulus.Limbs()
		words := make([]uint64, residuesRows*limbs)
		for i := range words {
			words[i] = random.Uint64()
		}
		x, z := ring.NewVec(residuesRows), ring.NewVec(residuesRows)
		ring.SetWide(x, words, limbs)
		ring.SetWide(z, words, limbs)
		add := func(op string, f func()) {
			list = append(list, &contender{
				Result:  bench.Result{Impl: bench.Cipherfold, Kernel: k.Name, Op: op, Bits: bits, Threads: 1},
				rowsMin: residuesRows, rowsMax: residuesMax,
				run: func(rows int) (int, error) {
					for range rows / residuesRows {
						f()
					}
					return rows, nil
				},
			})
		}
		add(bench.OpMontMul, func() { ring.Mul(z, z, x) })
		add(bench.OpMontSqr, func() { ring.Sqr(z, z) })
	}
	return list
}
