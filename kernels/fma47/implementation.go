package fma47

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Name is the name of the implementation.
const Name = "fma"

const what = "4 lanes of 47-bit digits in double precision with AVX2 and FMA"

// Implementation is the arithmetic of this package with AVX2 and FMA.
func Implementation() bigmod.Implementation {
	available, why := supported()
	k := kernel{lanes: 4, assembly: available}
	return bigmod.Implementation{
		Name:      Name,
		Available: available,
		Why:       why,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return newRing(m, k) },
		NewSquare: func(root *bigmod.Modulus) bigmod.Ring { return newSquareRing(root, k) },
	}
}

func nameOf(kernel) string { return Name }

// form names how residues are laid out.
func form(what string, m *modulus) string {
	return fmt.Sprintf("%s of %d digits of %d bits", what, m.n, m.w)
}
