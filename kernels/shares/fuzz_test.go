package shares

import (
	"encoding/binary"
	"slices"
	"testing"
)

// words cuts bytes into words.
func words(data []byte) []uint64 {
	var v []uint64
	for ; len(data) >= 8; data = data[8:] {
		v = append(v, binary.LittleEndian.Uint64(data))
	}
	return v
}

// FuzzLayouts: whatever the shares, sums and inner products come out of the layouts as they went in.
func FuzzLayouts(f *testing.F) {
	f.Add([]byte{}, byte(0), byte(3))
	f.Add(slices.Repeat([]byte{255}, 16*9), byte(1), byte(2))
	f.Add(slices.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 128}, 30), byte(2), byte(5))
	f.Fuzz(func(t *testing.T, data []byte, key, servers byte) {
		v := words(data[:min(len(data), 1600)])
		keyBits := 512 + 128*int(key%20)
		half := len(v) / 2
		checkConvolution(t, keyBits, v[:half], v[half:2*half], NewSeeded([32]byte{key}))
		checkOpening(t, keyBits, 2+int(servers%9), v, NewSeeded([32]byte{servers}))
	})
}
