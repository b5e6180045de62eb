package sums

import "encoding/binary"

// Keys is a list of keys in one piece of memory. To add a key, append it to Data and call End.
type Keys struct {
	Data []byte
	ends []uint32
}

// End ends the key that was appended to Data.
func (k *Keys) End() { k.ends = append(k.ends, uint32(len(k.Data))) }

// Len is the number of keys.
func (k *Keys) Len() int { return len(k.ends) }

// At returns key i, which is valid until Reset.
func (k *Keys) At(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = k.ends[i-1]
	}
	return k.Data[start:k.ends[i]:k.ends[i]]
}

// Reset empties the list.
func (k *Keys) Reset() { k.Data, k.ends = k.Data[:0], k.ends[:0] }

// prefix is the beginning of a key as a number: keys whose numbers differ are in the order of these.
func prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
