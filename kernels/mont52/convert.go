package mont52

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/cipherfold/cipherfold/bigmod"
)

func (r *ring) SetBytes(z *bigmod.Vec, be []byte) error {
	r.checkVec("SetBytes", z)
	size := r.modulus.Size()
	checkLen("SetBytes", len(be), z.Len*size)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		rows := be[g*lanes*size:]
		n := min(lanes, z.Len-g*lanes)
		if n < lanes {
			tail := s.bytes(lanes * size)
			clear(tail[copy(tail, rows):])
			rows = tail
		}
		zg := r.group(z.Words, g)
		if low := bits.TrailingZeros64(^r.readBytes(zg, rows, size, s)); low < n {
			return &bigmod.RangeError{Index: g*lanes + low}
		}
	}
	return nil
}

// readBytes sets a group to 8 big-endian values and returns the set of lanes whose value is below the modulus.
func (r *ring) readBytes(z []uint64, be []byte, size int, s *scratch) uint64 {
	r.fromBytes(z, be, size)
	below := r.below(z)
	if r.pair != nil {
		r.pair.split(z, z, s)
	}
	return below
}

// plain returns the group x as canonical residues, in s.
func (r *ring) plain(x []uint64, s *scratch) []uint64 {
	if r.pair != nil {
		r.pair.join(s.x, x, s)
	} else {
		r.canonical(s.x, x)
	}
	return s.x
}

func (r *ring) Bytes(be []byte, x *bigmod.Vec) {
	r.checkVec("Bytes", x)
	size := r.modulus.Size()
	checkLen("Bytes", len(be), x.Len*size)
	s := r.take()
	defer r.give(s)
	full := x.Len / lanes
	for g := range full {
		r.toBytes(be[g*lanes*size:], r.plain(r.group(x.Words, g), s), size)
	}
	if rest := be[full*lanes*size:]; len(rest) > 0 {
		tail := s.bytes(lanes * size)
		r.toBytes(tail, r.plain(r.group(x.Words, full), s), size)
		copy(rest, tail)
	}
}

func (r *ring) SetWords(z *bigmod.Vec, w []uint64) {
	r.checkVec("SetWords", z)
	n := r.modulus.Limbs()
	checkLen("SetWords", len(w), z.Len*n)
	s := r.take()
	defer r.give(s)
	for g := range groups(z.Len) {
		zg := r.group(z.Words, g)
		r.fromWords(zg, r.rows(w, g, n, s), n, r.k)
		if r.pair != nil {
			r.pair.split(zg, zg, s)
		}
	}
}

func (r *ring) Words(w []uint64, x *bigmod.Vec) {
	r.checkVec("Words", x)
	n := r.modulus.Limbs()
	checkLen("Words", len(w), x.Len*n)
	s := r.take()
	defer r.give(s)
	full := x.Len / lanes
	for g := range full {
		r.toWords(w[g*lanes*n:], r.plain(r.group(x.Words, g), s), n)
	}
	if rest := w[full*lanes*n:]; len(rest) > 0 {
		tail := s.words(lanes * n)
		r.toWords(tail, r.plain(r.group(x.Words, full), s), n)
		copy(rest, tail)
	}
}

// rows returns 8 values of n words each for group g, with zeros after the end of w.
func (r *ring) rows(w []uint64, g, n int, s *scratch) []uint64 {
	rows := w[g*lanes*n:]
	if len(rows) >= lanes*n {
		return rows
	}
	tail := s.words(lanes * n)
	clear(tail[copy(tail, rows):])
	return tail
}

// SetWide splits a value into x0 + x1·R (+ x2·R² with a small x2: R may have fewer bits than Limbs() words). Then
// (x0·R² + x1·R³ + x2·R⁴)·R⁻¹·R⁻¹ is the value, where the first R⁻¹ is that of the products and the second that of
// their sum. See reduceGeneric about parts that are not below m.
func (r *ring) SetWide(z *bigmod.Vec, w []uint64, limbs int) {
	r.checkVec("SetWide", z)
	if limbs < 0 || limbs > 2*r.modulus.Limbs() {
		panic(fmt.Sprintf("mont52: SetWide: %d words for a modulus of %d", limbs, r.modulus.Limbs()))
	}
	checkLen("SetWide", len(w), z.Len*limbs)
	if limbs == 0 {
		clear(z.Words)
		return
	}
	s := r.take()
	defer r.give(s)
	if r.pair != nil {
		r.pair.setWide(z, w, limbs, r, s)
		return
	}
	parts := (64*limbs + limbBits*r.k - 1) / (limbBits * r.k)
	n := lanes * r.k
	buf := s.words((parts+1)*n + lanes*limbs)
	x, power, tail := buf[:parts*n], buf[parts*n:(parts+1)*n], buf[(parts+1)*n:]
	if parts > 2 {
		r.mul(power, r.rrr, r.rr, s)
	}
	for g := range groups(z.Len) {
		rows := w[g*lanes*limbs:]
		if len(rows) < lanes*limbs {
			clear(tail[copy(tail, rows):])
			rows = tail
		}
		r.fromWords(x, rows, limbs, parts*r.k)
		clear(s.x)
		for i, factor := range [][]uint64{r.rr, r.rrr, power}[:parts] {
			r.mul(s.y, x[i*n:(i+1)*n], factor, s)
			for j, v := range s.y {
				s.x[j] += v
			}
		}
		r.fromMont(r.group(z.Words, g), s.x, s)
	}
}

const (
	// lanes is the number of residues in a group.
	lanes = 8
	// limbBits is the radix: limbs are below 2^limbBits.
	limbBits = 52
	limbMask = 1<<limbBits - 1
	// vectorBytes is the size and the alignment of a vector.
	vectorBytes = 64
)

// alignedWords makes n zero words that start at a multiple of vectorBytes. Go aligns slices to less, and a vector that
// straddles two cache lines takes twice as long to load.
func alignedWords(n int) []uint64 {
	const spare = vectorBytes / 8
	w := make([]uint64, n+spare)
	skip := 0
	if misaligned := int(uintptr(unsafe.Pointer(&w[0])) % vectorBytes); misaligned != 0 {
		skip = (vectorBytes - misaligned) / 8
	}
	return w[skip : skip+n : skip+n]
}

// groups is how many groups n residues take.
func groups(n int) int { return (n + lanes - 1) / lanes }

// spread sets every lane of a group to the limbs x.
func spread(z, x []uint64) {
	for j, v := range x {
		vector := z[lanes*j:][:lanes]
		for l := range vector {
			vector[l] = v
		}
	}
}

// limbsFromWords sets the limbs z to a value in little-endian 64-bit words, which fits.
func limbsFromWords(z, w []uint64) {
	for j := range z {
		z[j] = limbOfWords(w, j)
	}
}

// limbOfWords returns limb j of a value in little-endian 64-bit words.
func limbOfWords(w []uint64, j int) uint64 {
	i, shift := limbBits*j/64, limbBits*j%64
	if i >= len(w) {
		return 0
	}
	v := w[i] >> shift
	if shift > 64-limbBits && i+1 < len(w) {
		v |= w[i+1] << (64 - shift)
	}
	return v & limbMask
}
