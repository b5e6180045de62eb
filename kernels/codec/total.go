package codec

import (
	"io"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow/decimal128"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Total reads the sum over all slots of a folded block without knowledge of the single slots.
//
// Every tuple of a block has the same width W. So the packed integer X = sum of T_j·2^(W·j) is congruent to the sum of
// the tuples T_j modulo 2^W - 1. An aggregator may therefore add any multiple of 2^W - 1 before it releases X: the
// total stays. When the multiple is random and long enough, everything else is hidden (Mask). The total must fit its
// slots: the additions counted are those of all records together.
type Total struct {
	packer *Packer // one tuple at offset 0: bias and slots
	width  int
}

// NewTotal prepares to read totals of tuples modulo N (little-endian words). A tuple that leaves fewer than MaskBits
// bits free is refused with a *LayoutError: its mask would be too short to hide anything.
func NewTotal(n []uint64, tuple Tuple) (*Total, error) {
	if room := TotalRoom(64*len(n) - bits.LeadingZeros64(n[len(n)-1])); tuple.Width() > room {
		return nil, &LayoutError{Width: tuple.Width(), Room: room}
	}
	slots := make([]Slot, len(tuple))
	at := 0
	for i, w := range tuple {
		slots[i] = Slot{Offset: at, Width: w}
		at += w
	}
	p, err := NewPacker(n, slots)
	if err != nil {
		return nil, err
	}
	return &Total{packer: p, width: at}, nil
}

// Mask sets m to t·(2^W-1) with t uniform below 2^(keyBits-3-W), read from random. Added to a packed integer that
// leaves MaskBits free at the top, it hides all but the total to within a statistical distance of 2^(2-MaskBits), and
// the sum stays below N/2.
func (t *Total) Mask(m []uint64, random io.Reader) error {
	keyBits := 64*len(m) - bits.LeadingZeros64(t.packer.n[len(m)-1])
	n := keyBits - 3 - t.width
	raw := make([]byte, (n+7)/8)
	if _, err := io.ReadFull(random, raw); err != nil {
		return err
	}
	raw[0] &= 0xff >> (8*len(raw) - n)
	x := make([]uint64, len(m))
	bigmod.WordsFromBytes(x, raw)
	shiftLeft(m, x, t.width)
	bigmod.SubWords(m, m, x)
	return nil
}

// Unpack sets values to the total of every slot of the tuple. m < N is the decrypted residue and is overwritten.
func (t *Total) Unpack(values []Int, m []uint64) {
	p := t.packer
	negative := bigmod.LessWords(p.half, m)
	absolute := make([]uint64, len(m))
	bigmod.SubWords(absolute, p.n, m)
	bigmod.SelectWords(absolute, negative, absolute, m)

	// |X| mod 2^W - 1: add the digits in base 2^W with end-around carry
	words := t.width/64 + 1
	sum, digit := make([]uint64, words), make([]uint64, words)
	for at := 0; at < 64*len(m); at += t.width {
		for i := range digit {
			width := min(64, t.width-64*i)
			if width <= 0 || at+64*i >= 64*len(m) {
				digit[i] = 0
				continue
			}
			_, digit[i] = extract(absolute, at+64*i, width)
		}
		bigmod.AddWords(sum, sum, digit)
		t.wrap(sum)
	}
	// a negative X: 2^W - 1 - sum, which complements W bits
	ones := make([]uint64, words)
	for i := range ones {
		_, ones[i] = lowMask(max(0, min(64, t.width-64*i)))
	}
	bigmod.SubWords(digit, ones, sum)
	bigmod.SelectWords(sum, negative, digit, sum)
	// Add the bias, still modulo 2^W - 1. Zero would mean every slot at -2^(w-1), which no slot may hold, so it is the
	// other representative: all ones.
	bigmod.AddWords(sum, sum, p.bias[:words])
	t.wrap(sum)
	bigmod.SelectWords(sum, bigmod.EqualWords(sum, make([]uint64, words)), ones, sum)
	clear(m)
	copy(m, sum)
	for i, s := range p.slots {
		hi, lo := extract(m, s.Offset, s.Width)
		bhi, blo := power(s.Width - 1)
		lo, borrow := bits.Sub64(lo, blo, 0)
		hi, _ = bits.Sub64(hi, bhi, borrow)
		values[i] = decimal128.New(int64(hi), lo)
	}
}

// wrap brings x < 2^(W+1) below 2^W by adding its bit W at the bottom. 2^W - 1 itself may remain and means 0.
func (t *Total) wrap(x []uint64) {
	i, s := t.width/64, t.width%64
	top := x[i] >> s
	x[i] &= 1<<s - 1
	var carry = top
	for j := range x {
		x[j], carry = bits.Add64(x[j], carry, 0)
	}
}

// shiftLeft sets z = x << n; bits above the last word are lost.
func shiftLeft(z, x []uint64, n int) {
	for i := len(z) - 1; i >= 0; i-- {
		var w uint64
		if j := i - n/64; j >= 0 {
			w = x[j] << (n % 64)
			if j > 0 {
				w |= x[j-1] >> 1 >> (63 - n%64)
			}
		}
		z[i] = w
	}
}
