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
	modulus := randomModulus(bits)
	var list []*contender
	for _, k := range kernels {
		list = append(list, products(k.New(modulus), k.Name, bench.OpMontMul, bench.OpMontSqr)...)
	}
	return list
}

// squares are the multiplication and squaring of a kernel modulo the square of a random number of so many bits, in the way
// that ciphertexts are multiplied.
func squares(bits int, k bigmod.Implementation) []*contender {
	root := randomModulus(bits)
	if k.NewSquare != nil {
		return products(k.NewSquare(root), k.Name, bench.OpSquareMul, bench.OpSquareSqr)
	}
	square, err := root.Square()
	if err != nil {
		panic("bench: the square of a modulus of half the longest length: " + err.Error())
	}
	return products(k.New(square), k.Name, bench.OpSquareMul, bench.OpSquareSqr)
}

func randomModulus(bits int) *bigmod.Modulus {
	be := make([]byte, bits/8)
	rand.NewChaCha8([32]byte{}).Read(be)
	be[0] |= 0x80
	be[len(be)-1] |= 1
	modulus, err := bigmod.NewModulus(be)
	if err != nil {
		panic("bench: a modulus of full length: " + err.Error())
	}
	return modulus
}

// products are the multiplication and squaring of a ring.
func products(ring bigmod.Ring, kernel, opMul, opSqr string) []*contender {
	random := rand.NewChaCha8([32]byte{1})
	limbs := ring.Modulus().Limbs()
	words := make([]uint64, residuesRows*limbs)
	for i := range words {
		words[i] = random.Uint64()
	}
	x, z := ring.NewVec(residuesRows), ring.NewVec(residuesRows)
	ring.SetWide(x, words, limbs)
	ring.SetWide(z, words, limbs)
	var list []*contender
	add := func(op string, f func()) {
		list = append(list, &contender{
			Result:  bench.Result{Impl: bench.Cipherfold, Kernel: kernel, Op: op, Bits: 64 * limbs, Threads: 1},
			rowsMin: residuesRows, rowsMax: residuesMax,
			run: func(rows int) (int, error) {
				for range rows / residuesRows {
					f()
				}
				return rows, nil
			},
		})
	}
	add(opMul, func() { ring.Mul(z, z, x) })
	add(opSqr, func() { ring.Sqr(z, z) })
	return list
}
