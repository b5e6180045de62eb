package mont52

import (
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/bigmod"
)

func newRand(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 52)) }

// lengths are lengths of moduli in bits: every 512 from 1024 to 8192, and others that give odd and extreme numbers of limbs.
func lengths() []int {
	list := []int{3, 829, 1025, 1087, 1573, 2049, 2081, 3121, 4093, 4109, 6187, 8190, 8191}
	for bits := 1024; bits <= bigmod.MaxBits; bits += 512 {
		list = append(list, bits)
	}
	return list
}

// moduli are odd numbers of exactly the given length: random ones, and those whose limbs are all ones or almost all
// zero, so that the multiples of the modulus in the reduction are extreme too.
func moduli(rng *rand.Rand, bits int) []*big.Int {
	ones := new(big.Int).Sub(pow2(bits), big.NewInt(1))
	random := randomBelow(rng, pow2(bits))
	random.SetBit(random, bits-1, 1).SetBit(random, 0, 1)
	list := []*big.Int{random, ones, new(big.Int).SetBit(pow2(bits-1), 0, 1)}
	if bits > 2*limbBits*longLag {
		run := new(big.Int).Sub(pow2(limbBits*longLag), big.NewInt(1))
		list = append(list,
			new(big.Int).SetBit(new(big.Int).Sub(ones, run), 0, 1), // 2^k - 2^676 + 1: M is m·(2^676-1)
			new(big.Int).Add(pow2(bits-1), run))                    // 2^(k-1) + 2^676 - 1: M is m
	}
	return list
}

func pow2(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

// randomBelow is a number below m, with long runs of ones and zeros two times in three.
func randomBelow(rng *rand.Rand, m *big.Int) *big.Int {
	be := make([]byte, (m.BitLen()+7)/8)
	style := rng.IntN(3)
	for i := range be {
		switch be[i] = byte(rng.Uint32()); {
		case style == 1:
			be[i] = byte(int8(be[i]) >> 7)
		case style == 2 && i/13%2 == 0:
			be[i] = 255
		}
	}
	x := new(big.Int).SetBytes(be)
	return x.Mod(x, m)
}

// edges are residues at which carries and borrows run far.
func edges(m *big.Int) []*big.Int {
	list := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(m, big.NewInt(1)), new(big.Int).Rsh(m, 1)}
	n := m.BitLen() / limbBits
	for _, j := range []int{1, 2, longLag - 1, longLag, shortLag, lastRows, n / 2, n - lastRows, n - 1, n} {
		if j >= 0 {
			p := pow2(limbBits * j)
			list = append(list, p, new(big.Int).Sub(p, big.NewInt(1)), new(big.Int).Sub(m, p))
		}
	}
	for i, x := range list {
		list[i] = x.Mod(x, m)
	}
	return list
}

func modulusOf(m *big.Int) *bigmod.Modulus {
	modulus, err := bigmod.NewModulus(m.Bytes())
	if err != nil {
		panic(fmt.Sprintf("a test chose a modulus of %d bits: %v", m.BitLen(), err))
	}
	return modulus
}

// rows are numbers as big-endian rows of the given size.
func rows(xs []*big.Int, size int) []byte {
	be := make([]byte, len(xs)*size)
	for i, x := range xs {
		x.FillBytes(be[i*size : (i+1)*size])
	}
	return be
}
