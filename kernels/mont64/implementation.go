package mont64

import "github.com/cipherfold/cipherfold/bigmod"

// Name is the name of the implementation.
const Name = "adx"

// blockWords is the number of words that the assembly computes at a time.
const blockWords = 8

// Implementation is the arithmetic of this package. It is available on amd64 processors with ADX, BMI2 and AVX2.
func Implementation() bigmod.Implementation {
	available, why := supported()
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New: func(m *bigmod.Modulus) bigmod.Ring {
			words := (m.Limbs() + blockWords - 1) / blockWords * blockWords
			return bigmod.NewWordRing(Name, m, words, func(m []uint64, inv uint64) bigmod.Montgomery {
				return newMontgomery(m, inv, available)
			})
		},
	}
}
