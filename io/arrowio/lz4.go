package arrowio

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// The library decodes LZ4 blocks. Frames are taken apart here, because its
// frame reader, in the version that the Arrow library asks for, takes block
// checksums over the wrong bytes and so refuses what other writers produce,
// and because output can then be decoded in place and grow with the input.
// (Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md.)

const (
	lz4Magic      = 0x184d2204
	lz4WindowSize = 64 << 10 // how far back a block may refer into those before it
)

var errLZ4 = errors.New("malformed LZ4 data")

// lz4Frame is what the header of a frame says.
type lz4Frame struct {
	linked          bool // blocks refer to those before
	blockChecksum   bool
	contentChecksum bool
	blockMax        int // decompressed bytes of a block
}

// parseLZ4Header returns what a frame's header says, and the bytes after it.
func parseLZ4Header(data []byte) (lz4Frame, []byte, error) {
	if len(data) < 7 || binary.LittleEndian.Uint32(data) != lz4Magic {
		return lz4Frame{}, nil, errLZ4
	}
	flags, block := data[4], data[5]
	f := lz4Frame{linked: flags&0x20 == 0, blockChecksum: flags&0x10 != 0, contentChecksum: flags&0x04 != 0}
	end := 6
	if flags&0x08 != 0 {
		end += 8 // content size; the caller knows it
	}
	const version, dictionary, reserved = 0x40, 0x01, 0x02
	if flags&0xc0 != version || flags&(dictionary|reserved) != 0 || block&0x8f != 0 || block>>4 < 4 || len(data) <= end {
		return lz4Frame{}, nil, errLZ4
	}
	if data[end] != byte(xxh32(data[4:end])>>8) {
		return lz4Frame{}, nil, errLZ4
	}
	f.blockMax = 1 << (8 + 2*(block>>4)) // 64 KiB, 256 KiB, 1 MiB, 4 MiB
	return f, data[end+1:], nil
}

// decodeLZ4 decodes one frame of exactly size bytes. grow(n) returns the output
// so far, at least n bytes of it: what it returned before is kept.
func decodeLZ4(data []byte, size int, grow func(n int) []byte) error {
	f, data, err := parseLZ4Header(data)
	if err != nil {
		return err
	}
	uint32At := func() (v uint32, ok bool) {
		if len(data) < 4 {
			return 0, false
		}
		v = binary.LittleEndian.Uint32(data)
		data = data[4:]
		return v, true
	}
	out, at := grow(0), 0
	for {
		length, ok := uint32At()
		if !ok {
			return errLZ4
		}
		if length == 0 {
			break
		}
		const plain = 1 << 31
		n := int(length &^ plain)
		if n > len(data) || n > f.blockMax {
			return errLZ4
		}
		block := data[:n]
		data = data[n:]
		if f.blockChecksum {
			if sum, ok := uint32At(); !ok || sum != xxh32(block) {
				return errLZ4
			}
		}
		room := min(f.blockMax, size-at)
		out = grow(at + room)
		if length&plain != 0 {
			if n > room {
				return errLZ4
			}
			copy(out[at:], block)
		} else {
			var window []byte
			if f.linked {
				window = out[max(0, at-lz4WindowSize):at]
			}
			if n, err = lz4.UncompressBlockWithDict(block, out[at:at+room:at+room], window); err != nil {
				return errLZ4
			}
		}
		at += n
	}
	if at != size {
		return errLZ4
	}
	if f.contentChecksum {
		if sum, ok := uint32At(); !ok || sum != xxh32(out[:size]) {
			return errLZ4
		}
	}
	return nil
}

// xxh32 is the XXH32 hash with seed 0.
// (Specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.)
func xxh32(b []byte) uint32 {
	const (
		prime1 = 2654435761
		prime2 = 2246822519
		prime3 = 3266489917
		prime4 = 668265263
		prime5 = 374761393
	)
	n := uint32(len(b))
	var h uint32 = prime5
	if n >= 16 {
		var p1, p2 uint32 = prime1, prime2 // variables, as the sums overflow
		lanes := [4]uint32{p1 + p2, p2, 0, -p1}
		for ; len(b) >= 16; b = b[16:] {
			for i := range lanes {
				lanes[i] = bits.RotateLeft32(lanes[i]+binary.LittleEndian.Uint32(b[4*i:])*prime2, 13) * prime1
			}
		}
		h = bits.RotateLeft32(lanes[0], 1) + bits.RotateLeft32(lanes[1], 7) + bits.RotateLeft32(lanes[2], 12) + bits.RotateLeft32(lanes[3], 18)
	}
	h += n
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*prime3, 17) * prime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*prime5, 11) * prime1
	}
	h ^= h >> 15
	h *= prime2
	h ^= h >> 13
	h *= prime3
	return h ^ h>>16
}
