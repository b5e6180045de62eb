package codec

import (
	"fmt"
	"math/bits"
)

// SlotWidth returns the bits of a slot that holds the sum of up to maxAdds values of valueBits bits each: valueBits +
// ceil(log2(maxAdds)) + 1. The last bit is for the sign.
func SlotWidth(valueBits int, maxAdds int64) int {
	return valueBits + bits.Len64(uint64(maxAdds-1)) + 1
}

// Slots returns how many slots of the given width fit in a plaintext modulo an N of keyBits bits: floor((keyBits-1)/width),
// so that the packed integer stays below N/2 in magnitude.
func Slots(keyBits, width int) int { return (keyBits - 1) / width }

// MaskBits is what a blocks layout leaves free at the top of a plaintext. A total can then be released with the sums
// of its single slots hidden to within 2^-40 (see Total).
const MaskBits = 42

// TotalRoom is the number of bits of a plaintext, modulo an N of keyBits bits, that the slots of a block may use if a
// total of it will be masked: those below MaskBits.
func TotalRoom(keyBits int) int { return keyBits - 1 - MaskBits }

// Slot is the place of one value in a plaintext: Width bits from bit Offset on, 2 <= Width <= 128.
type Slot struct{ Offset, Width int }

// A Tuple is a run of slots that belong together: the sums and the count of one measure for one record.
type Tuple []int // widths in bits

// Width is the number of bits of a tuple.
func (t Tuple) Width() int {
	w := 0
	for _, x := range t {
		w += x
	}
	return w
}

// Place says where a tuple lives. Record i of a row of the table is in column First + i/Slots, and its tuple starts at
// bit Offset + (i%Slots)·Stride there.
type Place struct{ First, Columns, Slots, Stride, Offset int }

// PlanRecords places tuples for the layout with one record per row, in their order, as many in a ciphertext as fit. It
// returns a place per tuple and the number of ciphertext columns.
func PlanRecords(keyBits int, tuples []Tuple) ([]Place, int, error) {
	places := make([]Place, len(tuples))
	column, used := 0, 0
	for i, t := range tuples {
		w := t.Width()
		if w > keyBits-1 {
			return nil, 0, &LayoutError{Width: w, Room: keyBits - 1}
		}
		if used+w > keyBits-1 {
			column, used = column+1, 0
		}
		places[i] = Place{First: column, Columns: 1, Slots: 1, Stride: w, Offset: used}
		used += w
	}
	return places, column + 1, nil
}

// blockRecordsMax bounds the records of a block. A longer block gains nothing and makes a row of the table large.
const blockRecordsMax = 1024

// PlanBlocks places tuples for the layout with many records per row: a ciphertext holds the tuples of one measure of
// consecutive records. It returns a place per tuple, the number of ciphertext columns, and the records per row. That
// is the number that needs the fewest ciphertexts per record.
func PlanBlocks(keyBits int, tuples []Tuple) (places []Place, columns, records int, err error) {
	room := TotalRoom(keyBits)
	slots := make([]int, len(tuples))
	for i, t := range tuples {
		w := t.Width()
		if w > room {
			return nil, 0, 0, &LayoutError{Width: w, Room: room}
		}
		slots[i] = room / w
	}
	best := 0
	for b := 1; b <= blockRecordsMax; b++ {
		n := 0
		for _, s := range slots {
			n += (b + s - 1) / s
		}
		if records == 0 || n*records < best*b { // fewer ciphertexts per record
			best, records = n, b
		}
	}
	for i, t := range tuples {
		n := (records + slots[i] - 1) / slots[i]
		places = append(places, Place{First: columns, Columns: n, Slots: slots[i], Stride: t.Width()})
		columns += n
	}
	return places, columns, records, nil
}

// LayoutError says that one record's slots do not fit in a plaintext.
type LayoutError struct{ Width, Room int } // bits

func (e *LayoutError) Error() string {
	return fmt.Sprintf("one record needs %d bits and a plaintext has room for %d", e.Width, e.Room)
}
