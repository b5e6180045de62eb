package sums

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// An encoded block is, with all numbers little-endian:
//
//	CRC-32C of everything that follows   4 bytes
//	bytes of the block, rows, sums       4 bytes each
//	sums: products of all rows and slots that are not missing, row by row
//	keys, one after the other
//	for each row: where its key ends     4 bytes
//	for each row: records, additions     8 bytes each
//	for each row and slot: factors       4 bytes; 0 when the sum is missing
const blockHeader = 16

// metaBytes is the size of a row besides its key and sums.
func metaBytes(slots int) int { return 4 + 8 + 8 + 4*slots }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// encoder collects rows of a block.
type encoder struct {
	slots, size int
	most        int    // bytes of the block
	buf         []byte // header and sums; then all
	keys        Keys
	meta        []byte // records and additions
	factors     []byte
	sums        int
}

// newEncoder makes a block of up to `most` bytes, in which a row fits.
func newEncoder(s Shape, most int) *encoder {
	return &encoder{slots: s.Slots, size: s.size(), most: most, buf: make([]byte, blockHeader, most)}
}

// rows is the number of rows collected.
func (e *encoder) rows() int { return e.keys.Len() }

// bytesWith is how long the block would be with another row.
func (e *encoder) bytesWith(key []byte, sums int) int {
	return len(e.buf) + sums*e.size + len(e.keys.Data) + len(key) + (e.rows()+1)*metaBytes(e.slots)
}

// begin adds a row, whose sums follow by add, one for each slot.
func (e *encoder) begin(key []byte, records, adds int64) {
	e.keys.Data = append(e.keys.Data, key...)
	e.keys.End()
	e.meta = binary.LittleEndian.AppendUint64(e.meta, uint64(records))
	e.meta = binary.LittleEndian.AppendUint64(e.meta, uint64(adds))
}

// add adds the sum of the next slot; without factors it is missing.
func (e *encoder) add(sum []byte, factors uint32) {
	e.factors = binary.LittleEndian.AppendUint32(e.factors, factors)
	if factors > 0 {
		e.buf = append(e.buf, sum...)
		e.sums++
	}
}

// finish returns the block, valid until reset.
func (e *encoder) finish() []byte {
	n := e.rows()
	e.buf = append(e.buf, e.keys.Data...)
	for _, end := range e.keys.ends {
		e.buf = binary.LittleEndian.AppendUint32(e.buf, end)
	}
	e.buf = append(append(e.buf, e.meta...), e.factors...)
	for i, v := range []int{len(e.buf), n, e.sums} {
		binary.LittleEndian.PutUint32(e.buf[4+4*i:], uint32(v))
	}
	binary.LittleEndian.PutUint32(e.buf, checksum(e.buf[4:]))
	return e.buf
}

func (e *encoder) reset() {
	e.buf = e.buf[:blockHeader]
	e.keys.Reset()
	e.meta, e.factors, e.sums = e.meta[:0], e.factors[:0], 0
}

// decoded are the rows of an encoded block.
type decoded struct {
	slots, size int
	sums        []byte
	keys        Keys
	meta        []byte
	factors     []byte
	first       []uint32 // of each row: its first sum; nil when no sum is missing
}

// decode checks a block, whose bytes the result refers to.
func decode(s Shape, b []byte) (*decoded, int, error) {
	bad := func(what string) (*decoded, int, error) { return nil, 0, fmt.Errorf("%w: %s", ErrDamaged, what) }
	if len(b) < blockHeader || checksum(b[4:]) != binary.LittleEndian.Uint32(b) {
		return bad("a checksum does not match")
	}
	n, sums := int(binary.LittleEndian.Uint32(b[8:])), int(binary.LittleEndian.Uint32(b[12:]))
	size := s.size()
	rest := int64(len(b)) - blockHeader - int64(sums)*int64(size) - int64(n)*int64(metaBytes(s.Slots))
	if int(binary.LittleEndian.Uint32(b[4:])) != len(b) || n == 0 || rest < 0 || int64(sums) > int64(n)*int64(s.Slots) {
		return bad("its lengths do not agree")
	}
	d := &decoded{slots: s.Slots, size: size}
	take := func(n int) []byte {
		part := b[:n:n]
		b = b[n:]
		return part
	}
	take(blockHeader)
	d.sums = take(sums * size)
	d.keys.Data = take(int(rest))
	ends := take(4 * n)
	d.meta, d.factors = take(16*n), take(4*n*s.Slots)
	d.keys.ends = make([]uint32, n)
	last := uint32(0)
	for i := range d.keys.ends {
		end := binary.LittleEndian.Uint32(ends[4*i:])
		if end < last {
			return bad("its keys overlap")
		}
		d.keys.ends[i], last = end, end
	}
	if int64(last) != rest {
		return bad("its keys do not fit")
	}
	for i := range n {
		if records, adds := d.counts(i); records < 1 || adds < 0 {
			return bad("it counts less than nothing")
		}
	}
	if sums < n*s.Slots {
		d.first = make([]uint32, n)
		at := uint32(0)
		for i := range n {
			d.first[i] = at
			for slot := range s.Slots {
				if binary.LittleEndian.Uint32(d.factors[4*(i*s.Slots+slot):]) > 0 {
					at++
				}
			}
		}
		if int(at) != sums {
			return bad("its sums do not fit")
		}
	}
	return d, n, nil
}

func (d *decoded) key(i int) []byte { return d.keys.At(i) }

func (d *decoded) counts(i int) (records, adds int64) {
	return int64(binary.LittleEndian.Uint64(d.meta[16*i:])), int64(binary.LittleEndian.Uint64(d.meta[16*i+8:]))
}

func (d *decoded) sum(i, slot int) ([]byte, uint32) {
	factors := binary.LittleEndian.Uint32(d.factors[4*(i*d.slots+slot):])
	if factors == 0 {
		return nil, 0
	}
	at := i*d.slots + slot
	if d.first != nil {
		at = int(d.first[i])
		for k := range slot {
			if binary.LittleEndian.Uint32(d.factors[4*(i*d.slots+k):]) > 0 {
				at++
			}
		}
	}
	return d.sums[at*d.size : (at+1)*d.size], factors
}
