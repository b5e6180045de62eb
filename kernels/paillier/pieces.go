package paillier

import "github.com/cipherfold/cipherfold/bigmod"

// Workers cut a batch into pieces of 128, 64, 32, 16 and 8 rows and at most one shorter one. As a vector is made for
// one length, every length that occurs gets its own; there are few, so that a worker soon stops allocating.

// pieceMax is the number of rows that a worker computes on at a time: enough for the tables of powers to be read once
// for many rows, few enough for the rows to stay in the second-level cache.
const pieceMax = 128

// pieceClasses is the number of different lengths of pieces: 1..8, 16, 32, 64, 128.
const pieceClasses = 12

// pieceRows returns the length of the next piece when that many rows are left, and its class. limit is a power of two
// of at least 8.
func pieceRows(left, limit int) (rows, class int) {
	if left < 8 {
		return left, left - 1
	}
	rows, class = 8, 7
	for rows < limit && 2*rows <= left {
		rows, class = 2*rows, class+1
	}
	return rows, class
}

// pieceVec is a vector for a piece of any length.
type pieceVec struct {
	ring bigmod.Ring
	vecs [pieceClasses]*bigmod.Vec
}

func (p *pieceVec) get(class int) *bigmod.Vec {
	if p.vecs[class] == nil {
		rows := class + 1
		if class > 7 {
			rows = 8 << (class - 7)
		}
		p.vecs[class] = p.ring.NewVec(rows)
	}
	return p.vecs[class]
}

// bytes is the memory held.
func (p *pieceVec) bytes() (n int64) {
	for _, v := range p.vecs {
		if v != nil {
			n += 8 * int64(len(v.Words))
		}
	}
	return n
}

// pieces calls f for every piece of n rows: rows first to first+rows-1.
func pieces(n, limit int, f func(first, rows, class int) error) error {
	for first := 0; first < n; {
		rows, class := pieceRows(n-first, limit)
		if err := f(first, rows, class); err != nil {
			return err
		}
		first += rows
	}
	return nil
}

// iota32 lists 0..pieceMax-1.
var iota32 = func() (list [pieceMax]int32) {
	for i := range list {
		list[i] = int32(i)
	}
	return list
}()

// zeros32 is as many zeros.
var zeros32 [pieceMax]int32
