package shares_test

import (
	"fmt"

	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Two temperatures for three servers, and their sum from the sums of the shares.
func Example() {
	temperature := []int64{370, -5}
	values := make([]uint64, len(temperature))
	for i, v := range temperature {
		values[i] = uint64(v)
	}
	s := [][]uint64{make([]uint64, 2), make([]uint64, 2), make([]uint64, 2)}
	shares.Split(s, values, shares.NewStream())
	var total uint64
	for _, server := range s {
		total += shares.Sum(server)
	}
	fmt.Println(int64(total))
	// Output: 365
}
