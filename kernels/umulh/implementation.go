package umulh

import "github.com/cipherfold/cipherfold/bigmod"

// Name is the name of the implementation.
const Name = "umulh"

// blockWords is the number of words that the assembly computes at a time.
const blockWords = 8

// what the implementation is made of, for people.
const what = "64-bit words with MUL and UMULH"

// Implementation is the arithmetic of this package. It is available on all arm64 processors.
func Implementation() bigmod.Implementation {
	words := func(m *bigmod.Modulus) int { return (m.Limbs() + blockWords - 1) / blockWords * blockWords }
	available, why := supported()
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return bigmod.NewWordRing(Name, m, words(m), newMontgomery) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring {
			return bigmod.NewSquareWordRing(Name, root, words, newMontgomery)
		},
	}
}
