package sums

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// shard is the part of a table that holds some of the keys: an open-addressing hash table (linear probing, at most three
// quarters full) of references to entries, which lie in pieces of the pool.
//
// An entry is, at a multiple of 8 bytes, with all numbers in the machine's order:
//
//	records, additions           8 bytes each
//	for each slot: where its sum is, in units of 8 bytes, and its factors    4 bytes each
//	length of the key            4 bytes
//	the key
//
// A sum without factors is missing; it may have a place.
type shard struct {
	shape Shape
	pool  *Pool

	mu      sync.Mutex
	entries []uint64 // low half of the hash << 32 | reference + 1; 0 is free; a power of two of them
	count   int
	taken   int // pieces of the pool that stand for entries
	memory
	bytes atomic.Int64 // of memory, for choosing the largest shard
}

// memory is a sequence of pieces that fills up.
type memory struct {
	pieces [][]byte
	used   int // bytes of the last one
}

const (
	unit          = 8
	shardEntryMin = 1 << 8
	// entryCost is an entry of the hash table and its part in sorting.
	entryCost = 12
)

// Places in an entry.
const (
	atRecords = 0
	atAdds    = 8
	atSlots   = 16
)

func entryBytes(slots, key int) int { return roundUp(atSlots + 8*slots + 4 + key) }

func roundUp(n int) int { return (n + unit - 1) / unit * unit }

// at returns what a reference refers to, and all that follows in its piece.
func (s *shard) at(ref uint32) []byte {
	units := uint32(s.pool.size / unit)
	return s.pieces[ref/units][ref%units*unit:]
}

// room allocates n bytes, a multiple of the unit that a piece can hold. It says whether there was memory.
func (s *shard) room(n int) (ref uint32, ok bool) {
	last := len(s.pieces) - 1
	if last < 0 || len(s.pieces[last])-s.used < n {
		if len(s.pieces) == math.MaxUint32/(s.pool.size/unit) { // references go no further
			return 0, false
		}
		piece := s.pool.tryGet()
		if piece == nil {
			return 0, false
		}
		s.pieces, s.used = append(s.pieces, piece), 0
		last++
		s.bytes.Add(int64(len(piece)))
	}
	ref = uint32(last*(s.pool.size/unit) + s.used/unit)
	s.used += n
	return ref, true
}

// find returns the entry of a key.
func (s *shard) find(hash uint32, key []byte) (e entry, found bool) {
	if s.count == 0 {
		return nil, false
	}
	mask := uint64(len(s.entries) - 1)
	for place := uint64(hash) & mask; ; place = (place + 1) & mask {
		x := s.entries[place]
		if x == 0 {
			return nil, false
		}
		if uint32(x>>32) == hash {
			if e = s.at(uint32(x) - 1); bytes.Equal(e.key(s.shape.Slots), key) {
				return e, true
			}
		}
	}
}

// touch reads the beginnings of the entries where some keys are likely to be, so that they are in the cache for the
// look-up. In a large table every look-up waits for memory, and these loads wait all at once. It returns a number that
// depends on all of them, so that none is left out.
func (s *shard) touch(hashes []uint32, refs []uint32) (sum byte) {
	if s.count == 0 {
		return 0
	}
	mask := uint32(len(s.entries) - 1)
	refs = refs[:0]
	for _, h := range hashes {
		if x := s.entries[h&mask]; uint32(x>>32) == h {
			refs = append(refs, uint32(x)-1)
		}
	}
	at := atSlots + 8*s.shape.Slots
	for _, ref := range refs {
		sum += s.at(ref)[at]
	}
	return sum
}

// insert adds an entry without records or sums for a key that is not there, with places for the sums of some slots. It says
// whether there was memory.
func (s *shard) insert(hash uint32, key []byte, sums [][]byte) (e entry, ok bool) {
	if 4*(s.count+1) > 3*len(s.entries) && !s.grow() {
		return nil, false
	}
	head, size := entryBytes(s.shape.Slots, len(key)), roundUp(s.shape.size())
	n := head
	for _, sum := range sums {
		if sum != nil {
			n += size
		}
	}
	ref, ok := s.room(n)
	if !ok {
		return nil, false
	}
	e = s.at(ref)
	clear(e[:head])
	e.setKey(s.shape.Slots, key)
	place := ref + uint32(head/unit)
	for slot, sum := range sums {
		if sum != nil {
			e.setPlace(slot, place)
			place += uint32(size / unit)
		}
	}
	s.link(uint64(hash)<<32 | uint64(ref) + 1)
	s.count++
	return e, true
}

func (s *shard) link(x uint64) {
	mask := uint64(len(s.entries) - 1)
	place := x >> 32 & mask
	for s.entries[place] != 0 {
		place = (place + 1) & mask
	}
	s.entries[place] = x
}

// grow doubles the hash table. It says whether there was memory.
func (s *shard) grow() bool {
	n := max(2*len(s.entries), shardEntryMin)
	more := (n*entryCost+s.pool.size-1)/s.pool.size - s.taken
	if !s.pool.tryTake(more) {
		return false
	}
	s.taken += more
	old := s.entries
	s.entries = make([]uint64, n)
	for _, x := range old {
		if x != 0 {
			s.link(x)
		}
	}
	return true
}

// place makes a place for a slot's sum in an entry that has none. It says whether there was memory.
func (s *shard) place(e entry, slot int) bool {
	ref, ok := s.room(roundUp(s.shape.size()))
	if ok {
		e.setPlace(slot, ref)
	}
	return ok
}

// row is the place of a slot's sum in an entry that has one.
func (s *shard) row(e entry, slot int) []byte {
	size := s.shape.size()
	return s.at(e.place(slot))[:size:size]
}

// entry is the memory from an entry on.
type entry []byte

func (e entry) records() int64     { return int64(binary.NativeEndian.Uint64(e[atRecords:])) }
func (e entry) adds() int64        { return int64(binary.NativeEndian.Uint64(e[atAdds:])) }
func (e entry) setRecords(n int64) { binary.NativeEndian.PutUint64(e[atRecords:], uint64(n)) }
func (e entry) setAdds(n int64)    { binary.NativeEndian.PutUint64(e[atAdds:], uint64(n)) }

func (e entry) place(slot int) uint32   { return binary.NativeEndian.Uint32(e[atSlots+8*slot:]) }
func (e entry) factors(slot int) uint32 { return binary.NativeEndian.Uint32(e[atSlots+8*slot+4:]) }

// hasPlace: an entry comes before its sums, so no sum is at 0.
func (e entry) hasPlace(slot int) bool { return e.place(slot) != 0 }

func (e entry) setPlace(slot int, ref uint32) { binary.NativeEndian.PutUint32(e[atSlots+8*slot:], ref) }
func (e entry) setFactors(slot int, n uint32) { binary.NativeEndian.PutUint32(e[atSlots+8*slot+4:], n) }

func (e entry) key(slots int) []byte {
	at := atSlots + 8*slots
	n := int(binary.NativeEndian.Uint32(e[at:]))
	return e[at+4 : at+4+n : at+4+n]
}

func (e entry) setKey(slots int, key []byte) {
	at := atSlots + 8*slots
	binary.NativeEndian.PutUint32(e[at:], uint32(len(key)))
	copy(e[at+4:], key)
}

// detach empties the shard and returns what it held, unsorted. Its hash table stays as large as it is.
func (s *shard) detach() *part {
	p := &part{shape: s.shape, pool: s.pool, memory: s.memory, order: make([]keyRef, 0, s.count)}
	for i, x := range s.entries {
		if x != 0 {
			p.order = append(p.order, keyRef{ref: uint32(x) - 1})
			s.entries[i] = 0
		}
	}
	s.count, s.memory = 0, memory{}
	s.bytes.Store(0)
	return p
}

// part is what a shard held: rows, in no order until sort.
type part struct {
	shape Shape
	pool  *Pool
	memory
	order []keyRef
}

// keyRef is a reference to an entry with the beginning of its key.
type keyRef struct {
	prefix uint64
	ref    uint32
}

func (p *part) at(ref uint32) entry {
	units := uint32(p.pool.size / unit)
	return entry(p.pieces[ref/units][ref%units*unit:])
}

// sort puts the rows into the order of their keys.
func (p *part) sort() {
	for i := range p.order {
		p.order[i].prefix = prefix(p.at(p.order[i].ref).key(p.shape.Slots))
	}
	slices.SortFunc(p.order, func(a, b keyRef) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return bytes.Compare(p.at(a.ref).key(p.shape.Slots), p.at(b.ref).key(p.shape.Slots))
	})
}

// free gives the memory back.
func (p *part) free() {
	for _, piece := range p.pieces {
		p.pool.put(piece)
	}
	p.memory, p.order = memory{}, nil
}

// view is some consecutive rows of a part.
type view struct {
	part  *part
	order []keyRef
}

func (v *view) key(i int) []byte { return v.part.at(v.order[i].ref).key(v.part.shape.Slots) }

func (v *view) counts(i int) (records, adds int64) {
	e := v.part.at(v.order[i].ref)
	return e.records(), e.adds()
}

func (v *view) sum(i, slot int) ([]byte, uint32) {
	e := v.part.at(v.order[i].ref)
	factors := e.factors(slot)
	if factors == 0 {
		return nil, 0
	}
	size := v.part.shape.size()
	return v.part.at(e.place(slot))[:size:size], factors
}
