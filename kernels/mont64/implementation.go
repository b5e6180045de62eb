package mont64

import "github.com/cipherfold/cipherfold/bigmod"

// Name is the name of the implementation.
const Name = "adx"

// blockWords is the number of words that the assembly computes at a time.
const blockWords = 8

// Implementation is the arithmetic of this package. It is available on amd64 processors with ADX, BMI2 and AVX2.
func Implementation() bigmod.Implementation {
	available, why := supported()
	montgomery := func(m []uint64, inv uint64) bigmod.Montgomery { return newMontgomery(m, inv, available) }
	words := func(m *bigmod.Modulus) int { return (m.Limbs() + blockWords - 1) / blockWords * blockWords }
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return bigmod.NewWordRing(Name, m, words(m), montgomery) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring {
			return bigmod.NewSquareWordRing(Name, root, words, montgomery)
		},
	}
}
