package paillier

import (
	"fmt"
	"math"

	"github.com/cipherfold/cipherfold/bigmod"
)

// scatterCountMax bounds the factors of a bucket: MulRPow repairs up to 2^32-1 powers of R.
const scatterCountMax = math.MaxUint32

var errCountMax = fmt.Errorf("paillier: %d ciphertexts do not fit one sum: fold in two steps", uint32(scatterCountMax))

// scatter multiplies residues into buckets. A bucket with k factors holds their Montgomery product, x1·...·xk·R^-(k-1).
type scatter struct {
	ring    bigmod.Ring
	buckets *bigmod.Vec
	counts  []uint32 // factors in each bucket
	pending []int32  // of each bucket: a row of the piece that waits for another one of that bucket, or -1
	// Lists of rows and buckets, with room for a piece.
	rows, next, zi, xi []int32
}

func newScatter(ring bigmod.Ring, buckets int) *scatter {
	s := &scatter{ring: ring, buckets: ring.NewVec(buckets), counts: make([]uint32, buckets), pending: make([]int32, buckets)}
	for i := range s.pending {
		s.pending[i] = -1
	}
	for _, list := range []*[]int32{&s.rows, &s.next, &s.zi, &s.xi} {
		*list = make([]int32, 0, pieceMax)
	}
	return s
}

// bytes is the memory held.
func (s *scatter) bytes() int64 {
	return 8*int64(len(s.buckets.Words)) + 4*int64(len(s.counts)+len(s.pending)+4*pieceMax)
}

// reset empties all buckets.
func (s *scatter) reset() { clear(s.counts) }

// add multiplies row i of a piece x into bucket to[i], or nowhere when that is negative. It overwrites x: rows of the
// same bucket are first multiplied in pairs, and the results in pairs again, so that every step has as many independent
// products as can be.
func (s *scatter) add(x *bigmod.Vec, to []int32) error {
	rows, next := s.rows[:0], s.next[:0]
	for i, b := range to {
		if b < 0 {
			continue
		}
		if s.counts[b] >= scatterCountMax-pieceMax {
			return errCountMax
		}
		rows = append(rows, int32(i))
	}
	for {
		zi, xi := s.zi[:0], s.xi[:0]
		next = next[:0]
		for _, i := range rows {
			waiting := &s.pending[to[i]]
			if *waiting < 0 {
				*waiting = i
				continue
			}
			zi, xi, next = append(zi, *waiting), append(xi, i), append(next, *waiting)
			*waiting = -1
		}
		for _, i := range rows {
			if waiting := &s.pending[to[i]]; *waiting == i {
				next = append(next, i)
				*waiting = -1
			}
		}
		rows, next = next, rows
		if len(zi) == 0 {
			break
		}
		s.ring.MulAt(x, zi, x, xi)
	}
	into := next[:0]
	for _, i := range rows {
		into = append(into, to[i])
	}
	s.merge(x, into, rows)
	for _, b := range to {
		if b >= 0 {
			s.counts[b]++
		}
	}
	return nil
}

// merge multiplies element xi[j] of x into bucket zi[j], all these being different, without counting. It reorders the
// lists.
func (s *scatter) merge(x *bigmod.Vec, zi, xi []int32) {
	empty := 0
	for j, b := range zi {
		if s.counts[b] == 0 {
			zi[j], zi[empty] = zi[empty], zi[j]
			xi[j], xi[empty] = xi[empty], xi[j]
			empty++
		}
	}
	s.ring.CopyAt(s.buckets, zi[:empty], x, xi[:empty])
	s.ring.MulAt(s.buckets, zi[empty:], x, xi[empty:])
}
