package codec_test

import (
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Two measures share a plaintext. Slots are wide enough for the sum of a thousand records, so that adding plaintexts adds
// both at once.
func Example() {
	n := []uint64{0xffffffffffffffc5, 0xffffffffffffffff} // N, little-endian words
	temperature, err := codec.ParseDecimal("-3.7", 1)     // exact: -37 tenths
	if err != nil {
		panic(err)
	}
	wide, narrow := codec.SlotWidth(10, 1000), codec.SlotWidth(1, 1000) // |tenths| < 2^10, counts are 0 or 1
	packer, err := codec.NewPacker(n, []codec.Slot{{Offset: 0, Width: wide}, {Offset: wide, Width: narrow}})
	if err != nil {
		panic(err)
	}
	x, y := make([]uint64, packer.Limbs()), make([]uint64, packer.Limbs())
	if err := packer.Pack(x, []codec.Int{codec.FromInt64(temperature), codec.FromInt64(1)}); err != nil {
		panic(err)
	}
	if err := packer.Pack(y, []codec.Int{codec.FromInt64(412), codec.FromInt64(1)}); err != nil {
		panic(err)
	}

	sum, less := make([]uint64, len(x)), make([]uint64, len(x)) // as ciphertexts do: modulo N
	carry := bigmod.AddWords(sum, x, y)
	if borrow := bigmod.SubWords(less, sum, n); carry == 1 || borrow == 0 {
		sum = less
	}

	values := make([]codec.Int, packer.Len())
	if err := packer.Unpack(values, sum); err != nil {
		panic(err)
	}
	fmt.Println("tenths", values[0].BigInt(), "count", values[1].BigInt())
	// Output: tenths 375 count 2
}
