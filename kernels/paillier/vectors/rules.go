package vectors

import "fmt"

// Values that no arithmetic can check, and what the format fixes for them.

// knownSets are the usual labels of sets of files.
var knownSets = []string{"public", "private", "hidden", "secret", "test", "heldout", "held-out"}

// badSet says what is wrong with the label of a set, or nothing. Any label will do, unless it looks like a usual one
// with a damaged byte.
func badSet(set string) string {
	if set == "" || len(set) > 40 {
		return "not a label of 1 to 40 characters"
	}
	for _, known := range knownSets {
		if differences(set, known) == 1 {
			return fmt.Sprintf("%q looks like %q with a damaged byte", set, known)
		}
	}
	return ""
}

// differences counts the bytes in which texts of the same length differ; it is -1 for others.
func differences(a, b string) int {
	if len(a) != len(b) {
		return -1
	}
	n := 0
	for i := range len(a) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// knownAdds gives the max_adds of the format's own layouts: a slot's width depends on the logarithm of max_adds only.
var knownAdds = map[[2]int]int{ // value_bits, w: max_adds
	{16, 19}: 4,
	{32, 43}: 1000,
	{8, 29}:  1 << 20,
}

// A multiplication of the ciphertext 1 gives 1 whatever the scalar, and a multiplication by 0 whatever the ciphertext.
// The format has one of each: the scalar 5, and entry 3 of "encrypt".
const (
	scalarOfOne = "5"
	indexOfZero = 3
)
