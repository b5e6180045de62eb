package bigmod_test

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Three residues modulo 1000003 are raised to the 5th power at once.
func Example() {
	m, err := bigmod.NewModulus([]byte{0x0f, 0x42, 0x43})
	if err != nil {
		panic(err)
	}
	ring := bigmod.Generic().New(m)
	x := ring.NewVec(3)
	ring.SetWords(x, []uint64{2, 3, 1000002}) // Limbs() words for each; the last is -1
	ring.ToMont(x, x)
	ring.Exp(x, x, []byte{5})
	ring.FromMont(x, x)
	z := make([]uint64, 3*m.Limbs())
	ring.Words(z, x)
	fmt.Println(z)
	// Output: [32 243 1000002]
}
