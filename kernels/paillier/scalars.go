package paillier

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// Scalars is a batch of public signed integers. The magnitude of number i is Abs[i*Size:(i+1)*Size], big-endian; it is
// negative when Neg[i].
type Scalars struct {
	Size int
	Abs  []byte
	Neg  []bool
}

// Int64Scalars returns the numbers v.
func Int64Scalars(v []int64) Scalars {
	s := Scalars{8, make([]byte, 8*len(v)), make([]bool, len(v))}
	for i, x := range v {
		binary.BigEndian.PutUint64(s.Abs[8*i:], magnitude(x))
		s.Neg[i] = x < 0
	}
	return s
}

// BigScalars returns the numbers v in as many bytes as the longest needs.
func BigScalars(v []*big.Int) Scalars {
	size := 1
	for _, x := range v {
		size = max(size, (x.BitLen()+7)/8)
	}
	s := Scalars{size, make([]byte, size*len(v)), make([]bool, len(v))}
	for i, x := range v {
		x.FillBytes(s.Abs[i*size : (i+1)*size])
		s.Neg[i] = x.Sign() < 0
	}
	return s
}

// magnitude returns |x|, also of the least int64.
func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// check panics unless there are n numbers.
func (s Scalars) check(n int) {
	checkLen("signs of scalars", len(s.Neg), n)
	checkLen("scalars", len(s.Abs), n*s.Size)
}

// abs returns magnitude i.
func (s Scalars) abs(i int) []byte { return s.Abs[i*s.Size : (i+1)*s.Size] }

// isZero says whether number i is 0.
func (s Scalars) isZero(i int) bool {
	for _, b := range s.abs(i) {
		if b != 0 {
			return false
		}
	}
	return true
}

// anyZero says whether a number is 0.
func (s Scalars) anyZero() bool {
	for i := range s.Neg {
		if s.isZero(i) {
			return true
		}
	}
	return false
}

// bitLen returns the length of the longest magnitude in bits.
func (s Scalars) bitLen() int {
	if s.Size == 0 {
		return 0
	}
	longest := 0
	for i := 0; i < len(s.Abs); i += s.Size {
		for j, b := range s.Abs[i : i+s.Size] {
			if b != 0 {
				longest = max(longest, 8*(s.Size-j-1)+bits.Len8(b))
				break
			}
		}
	}
	return longest
}

// digit returns bits pos to pos+width-1 of a big-endian magnitude, zeros above its end; width <= 16.
func digit(abs []byte, pos, width int) int {
	i := len(abs) - 1 - pos/8
	var v uint32
	for k := range 3 {
		if i-k >= 0 {
			v |= uint32(abs[i-k]) << (8 * k)
		}
	}
	return int(v >> (pos % 8) & (1<<width - 1))
}
