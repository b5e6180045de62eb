package fma47

import (
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/cipherfold/cipherfold/bigmod"
)

func newRand(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 47)) }

// lengths are lengths of moduli in bits: those of keys, and others that give odd and extreme numbers of limbs, on both
// sides of a change of radix or of schedule.
func lengths() []int {
	return []int{3, 466, 560, 650, 1024, 1029, 1040, 1500, 1536, 2048, 2053, 2909, 2910, 3072, 4096, 5447, 5448, 6144, 8187, 8192}
}

func pow2(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

// moduli are odd numbers of exactly the given length: random ones, and those whose digits are extreme or zero.
func moduli(rng *rand.Rand, bits int) []*big.Int {
	random := randomBelow(rng, pow2(bits))
	random.SetBit(random, bits-1, 1).SetBit(random, 0, 1)
	w, _ := radixOf(bits)
	halves := new(big.Int) // every digit 2^(w-1)-1
	for i := 0; w*i+w < bits; i++ {
		halves.Add(halves, new(big.Int).Lsh(new(big.Int).Sub(pow2(w-1), big.NewInt(1)), uint(w*i)))
	}
	halves.SetBit(halves, bits-1, 1).SetBit(halves, 0, 1)
	return []*big.Int{random, halves, new(big.Int).Sub(pow2(bits), big.NewInt(1)), new(big.Int).SetBit(pow2(bits-1), 0, 1)}
}

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

func modulusOf(m *big.Int) *bigmod.Modulus {
	modulus, err := bigmod.NewModulus(m.Bytes())
	if err != nil {
		panic(fmt.Sprintf("a test chose a modulus of %d bits: %v", m.BitLen(), err))
	}
	return modulus
}

// valueOf is the value of the digits in lane l.
func (m *modulus) valueOf(x []float64, l int) *big.Int {
	v := new(big.Int)
	for j := len(x)/m.lanes - 1; j >= 0; j-- {
		v.Lsh(v, uint(m.w)).Add(v, big.NewInt(int64(x[m.lanes*j+l])))
	}
	return v
}

// extremeDigits are digits that are random, as large as digits may be, or one of both signs or zero; the top one is small.
func (m *modulus) extremeDigits(rng *rand.Rand, z []float64) {
	style := rng.IntN(4)
	most := float64(int64(1)<<(m.w-1) + digitSlack)
	for i := range z {
		switch style {
		case 0:
			z[i] = float64(rng.Int64N(1<<m.w) - 1<<(m.w-1))
		case 1:
			z[i] = most
		case 2:
			z[i] = most * float64(rng.IntN(3)-1)
		case 3:
			z[i] = most - float64(rng.IntN(3))
			if i/m.lanes%2 == 1 {
				z[i] = -z[i]
			}
		}
	}
	for l := range m.lanes {
		z[len(z)-m.lanes+l] = float64(rng.IntN(1<<16) - 1<<15)
	}
}
