package mont52

import "github.com/cipherfold/cipherfold/bigmod"

// Name is the name of the implementation.
const Name = "ifma"

// Implementation is the arithmetic of this package. It is available on processors with AVX-512 IFMA.
func Implementation() bigmod.Implementation {
	available, why := supported()
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return newRing(m, available) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring { return newSquareRing(root, available) },
	}
}
