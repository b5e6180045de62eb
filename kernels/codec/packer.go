package codec

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow/decimal128"

	"github.com/cipherfold/cipherfold/bigmod"
)

// ErrSlotOverflow says that a decrypted plaintext has bits where there is no slot: a sum left its slot, or the
// ciphertext was not made with this layout.
var ErrSlotOverflow = errors.New("residue above the last slot: a sum left its slot or the layout is another one")

// SlotError says which value does not fit in its slot.
type SlotError struct{ Slot, Width int }

func (e *SlotError) Error() string {
	return fmt.Sprintf("value of slot %d does not fit in %d bits", e.Slot, e.Width)
}

// Packer packs and unpacks plaintexts of one ciphertext column. It is read-only after construction.
//
// With bias = sum of 2^(offset+width-1) over the slots, the packed integer plus bias is the plain concatenation of the
// non-negative numbers v + 2^(width-1). Packing deposits bit fields and subtracts the bias; unpacking adds it.
type Packer struct {
	n, half []uint64 // N and (N-1)/2, little-endian words
	bias    []uint64
	slots   []Slot
	end     int // first bit above the last slot
}

// NewPacker prepares slots, which must ascend without overlap and end below the top bit of N. n is N in little-endian
// words.
func NewPacker(n []uint64, slots []Slot) (*Packer, error) {
	p := &Packer{n: n, half: shiftRight1(n), bias: make([]uint64, len(n)), slots: slots}
	keyBits := 64*len(n) - bits.LeadingZeros64(n[len(n)-1])
	for i, s := range slots {
		if s.Width < 2 || s.Width > 128 || s.Offset < p.end {
			return nil, fmt.Errorf("slot %d (bit %d, %d wide) overlaps another or has a width outside 2..128", i, s.Offset, s.Width)
		}
		p.end = s.Offset + s.Width
		if p.end > keyBits-1 {
			return nil, &LayoutError{Width: p.end, Room: keyBits - 1}
		}
		top := s.Offset + s.Width - 1
		p.bias[top/64] |= 1 << (top % 64)
	}
	return p, nil
}

func shiftRight1(x []uint64) []uint64 {
	z := make([]uint64, len(x))
	for i := range x {
		z[i] = x[i] >> 1
		if i+1 < len(x) {
			z[i] |= x[i+1] << 63
		}
	}
	return z
}

// Limbs is the number of words of a plaintext.
func (p *Packer) Limbs() int { return len(p.n) }

// Len is the number of slots.
func (p *Packer) Len() int { return len(p.slots) }

// Pack sets m to the residue of the packed values, one per slot; |v| < 2^(width-1) or the error is a *SlotError.
// Constant time in the values.
func (p *Packer) Pack(m []uint64, values []Int) error {
	clear(m)
	var bad uint64
	for i, s := range p.slots {
		hi, lo := uint64(values[i].HighBits()), values[i].LowBits()
		bhi, blo := power(s.Width - 1)
		lo, carry := bits.Add64(lo, blo, 0)
		hi, _ = bits.Add64(hi, bhi, carry)
		// in range: 0 < hi:lo < 2^width
		mhi, mlo := lowMask(s.Width)
		out := hi&^mhi | lo&^mlo
		out |= isZero(hi | lo)
		bad |= out
		deposit(m, s.Offset, hi&mhi, lo&mlo)
	}
	if bad != 0 {
		for i, s := range p.slots {
			if !fits(values[i], s.Width) {
				return &SlotError{Slot: i, Width: s.Width}
			}
		}
	}
	p.center(m)
	return nil
}

// center subtracts the bias and brings a negative integer into [0, N). Constant time.
func (p *Packer) center(m []uint64) {
	borrow := bigmod.SubWords(m, m, p.bias)
	addMasked(m, p.n, -borrow)
}

// fits reports |v| < 2^(width-1).
func fits(v Int, width int) bool {
	hi, lo := power(width - 1)
	if width == 128 { // 2^127 is not an Int; every value except -2^127 fits
		return v != decimal128.New(-1<<63, 0)
	}
	a := v.Abs()
	return uint64(a.HighBits()) < hi || uint64(a.HighBits()) == hi && a.LowBits() < lo
}

// Unpack sets values to the slots' signed integers, or returns ErrSlotOverflow. m < N is the decrypted residue and is
// overwritten. Constant time in the values.
func (p *Packer) Unpack(values []Int, m []uint64) error {
	negative := bigmod.LessWords(p.half, m)
	carry := bigmod.AddWords(m, m, p.bias)
	borrow := subMasked(m, p.n, negative)
	bad := carry ^ borrow
	bad |= p.above(m)
	for i, s := range p.slots {
		hi, lo := extract(m, s.Offset, s.Width)
		bhi, blo := power(s.Width - 1)
		lo, borrow := bits.Sub64(lo, blo, 0)
		hi, _ = bits.Sub64(hi, bhi, borrow)
		values[i] = decimal128.New(int64(hi), lo)
	}
	if bad != 0 {
		return ErrSlotOverflow
	}
	return nil
}

// above returns the bits of m from bit end on, as zero or not zero.
func (p *Packer) above(m []uint64) uint64 {
	var x uint64
	for i := p.end / 64; i < len(m); i++ {
		w := m[i]
		if i == p.end/64 {
			w >>= p.end % 64
		}
		x |= w
	}
	return x
}

// power returns 2^n as a 128-bit number, 0 <= n <= 127.
func power(n int) (hi, lo uint64) {
	if n >= 64 {
		return 1 << (n - 64), 0
	}
	return 0, 1 << n
}

// lowMask returns 2^n - 1 as a 128-bit number, 0 <= n <= 128.
func lowMask(n int) (hi, lo uint64) {
	if n >= 64 {
		return 1<<(n-64) - 1, ^uint64(0)
	}
	return 0, 1<<n - 1
}

// isZero is all-ones when x is 0.
func isZero(x uint64) uint64 { return ^(uint64(int64(x|-x) >> 63)) }

// deposit ORs a field of up to 128 bits into m from bit offset on.
func deposit(m []uint64, offset int, hi, lo uint64) {
	i, s := offset/64, offset%64
	parts := [3]uint64{lo << s, hi<<s | lo>>1>>(63-s), hi >> 1 >> (63 - s)}
	for j, x := range parts {
		if i+j < len(m) {
			m[i+j] |= x
		}
	}
}

// extract returns width bits of m from bit offset on.
func extract(m []uint64, offset, width int) (hi, lo uint64) {
	i, s := offset/64, offset%64
	var w [3]uint64
	copy(w[:], m[i:])
	lo = w[0]>>s | w[1]<<1<<(63-s)
	hi = w[1]>>s | w[2]<<1<<(63-s)
	mhi, mlo := lowMask(width)
	return hi & mhi, lo & mlo
}

// addMasked is m += x & mask, subMasked m -= x & mask with the borrow returned.
func addMasked(m, x []uint64, mask uint64) {
	var carry uint64
	for i := range m {
		m[i], carry = bits.Add64(m[i], x[i]&mask, carry)
	}
}

func subMasked(m, x []uint64, mask uint64) uint64 {
	var borrow uint64
	for i := range m {
		m[i], borrow = bits.Sub64(m[i], x[i]&mask, borrow)
	}
	return borrow
}
