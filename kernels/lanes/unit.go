package lanes

import (
	"unsafe"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Unit is the arithmetic of one kernel modulo m on groups, with memory of its own: one goroutine uses it at a time. Results
// may be the same group as any operand. Words are the kernel's to lay out, but all zeros are the residue 0, and a lane
// of a group can be copied word by word.
type Unit interface {
	// Mul sets z = x·y·R⁻¹ mod m.
	Mul(z, x, y []uint64)
	// Sqr sets z = x²·R⁻¹ mod m.
	Sqr(z, x []uint64)
	// Add sets z = x+y mod m, Sub z = x-y mod m.
	Add(z, x, y []uint64)
	Sub(z, x, y []uint64)
	// FromMont sets z = x·R⁻¹ mod m.
	FromMont(z, x []uint64)
	// FromBytes reads a big-endian value of Modulus.Size() bytes for each lane and returns the set of lanes (bit l)
	// whose value is below the modulus.
	FromBytes(z []uint64, be []byte) (below uint64)
	// Bytes is the inverse of FromBytes; the values are canonical.
	Bytes(be []byte, x []uint64)
	// FromWords reads a value below m of Modulus.Limbs() little-endian words for each lane, Words is the inverse.
	FromWords(z, w []uint64)
	Words(w, x []uint64)
	// FromWide reads a value of n words for each lane, n at most 2·Modulus.Limbs(), and reduces it.
	FromWide(z, w []uint64, n int)
	// Select sets z to group d of the table of 1<<width groups, reading all of it. width is 2 or more.
	Select(z, table []uint64, d uint64, width int)
	// Lookup sets lane l of the group g of z to entry d[lanes·g+l] of a table of 1<<width residues, of which word j of
	// entry i is at j<<width + i, reading all of it for each lane. width is 4 or more.
	Lookup(z, table, d []uint64, width int)
}

// Arithmetic is what a kernel gives to make a ring.
type Arithmetic struct {
	Name    string
	Modulus *bigmod.Modulus
	Lanes   int      // residues in a group, a power of two of at most 64
	K       int      // words of a residue
	One     []uint64 // the Montgomery form of 1, a group
	Plain   []uint64 // the residue 1, a group
	R       []uint64 // the Montgomery form of R, a group
	Form    string   // how a residue is laid out, for those who store tables
	NewUnit func() Unit
}

// alignment of groups in bytes: that of the widest vectors.
const alignment = 64

// Aligned makes n zero words that start at a multiple of 64 bytes. Go aligns slices to less, and a vector that straddles two
// cache lines takes twice as long to load.
func Aligned(n int) []uint64 {
	const spare = alignment / 8
	w := make([]uint64, n+spare)
	skip := 0
	if misaligned := int(uintptr(unsafe.Pointer(&w[0])) % alignment); misaligned != 0 {
		skip = (alignment - misaligned) / 8
	}
	return w[skip : skip+n : skip+n]
}
