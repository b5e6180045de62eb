package engine

import (
	"bytes"
	"errors"
	"hash/maphash"
	"iter"
	"math"
)

// ErrTooManyGroups is returned by [Groups.Index] for a new key when there are 2^31-1 groups already.
var ErrTooManyGroups = errors.New("more than 2147483647 distinct groups")

// Groups numbers distinct keys 0, 1, 2, ... in the order in which they first come, so that state of groups can live in
// flat arrays. Keys are any bytes, also none. The memory is held in few large pieces, whose total is known exactly.
//
// It is an open-addressing table (linear probing, at most three quarters full) of 64-bit entries. An entry has the
// key's 32-bit hash, which gives the entry's place, so that the table grows without touching the keys, and the group's
// number. Each Groups has a fresh seed for the hash, so nobody can prepare colliding keys. Equal hashes are resolved
// by the keys.
//
// Methods other than Index and Free may be called concurrently with each other.
type Groups struct {
	seed    maphash.Seed
	entries []uint64 // hash << 32 | number + 1; 0 is free; a power of two of them
	keys    arena
	count   int64
	max     int64
	memory  ledger
}

const (
	groupsMax        = math.MaxInt32
	groupEntriesMin  = 1 << 8
	groupEntryBytes  = 8
	groupsMemoryName = "group index"
)

// NewGroups returns an empty index whose memory is kept in the budget (nil: no limit).
func NewGroups(budget *Budget) *Groups {
	return &Groups{seed: maphash.MakeSeed(), max: groupsMax, memory: ledger{budget: budget, what: groupsMemoryName}}
}

// Index returns the number of the key's group, adding the group if it is new; the key is copied. If it fails, with a
// *BudgetError or [ErrTooManyGroups], it leaves everything as it was.
func (g *Groups) Index(key []byte) (number int32, added bool, err error) {
	return g.index(g.hash(key), key)
}

// Lookup returns the number of the key's group, if there is one.
func (g *Groups) Lookup(key []byte) (number int32, found bool) {
	if g.count == 0 {
		return 0, false
	}
	number, _, found = g.find(g.hash(key), key)
	return number, found
}

// Len returns the number of groups.
func (g *Groups) Len() int { return int(g.count) }

// Key returns the key of group `number`, 0 to Len()-1. It must not be modified and is valid until Free.
func (g *Groups) Key(number int32) []byte { return g.keys.at(int64(number)) }

// All yields every group in the order of the numbers. The keys must not be modified.
func (g *Groups) All() iter.Seq2[int32, []byte] {
	return func(yield func(int32, []byte) bool) {
		for number := int32(0); int64(number) < g.count; number++ {
			if !yield(number, g.Key(number)) {
				return
			}
		}
	}
}

// Bytes returns the memory held: exactly what is kept in the budget. While the table grows, its old half is kept as well.
func (g *Groups) Bytes() int64 { return g.memory.held }

// Free drops all groups and gives their memory back to the budget. The index is empty and usable again.
func (g *Groups) Free() {
	g.memory.give(g.memory.held)
	g.entries, g.keys, g.count = nil, arena{}, 0
}

func (g *Groups) hash(key []byte) uint32 { return uint32(maphash.Bytes(g.seed, key)) }

// find returns the group of a key, or the place in entries where it belongs.
func (g *Groups) find(hash uint32, key []byte) (number int32, place uint64, found bool) {
	mask := uint64(len(g.entries) - 1)
	for place = uint64(hash) & mask; ; place = (place + 1) & mask {
		entry := g.entries[place]
		if entry == 0 {
			return 0, place, false
		}
		if uint32(entry>>32) == hash {
			if number = int32(uint32(entry) - 1); bytes.Equal(g.keys.at(int64(number)), key) {
				return number, place, true
			}
		}
	}
}

func (g *Groups) index(hash uint32, key []byte) (number int32, added bool, err error) {
	var place uint64
	if len(g.entries) > 0 {
		var found bool
		if number, place, found = g.find(hash, key); found {
			return number, false, nil
		}
	}
	if g.count >= g.max {
		return 0, false, ErrTooManyGroups
	}
	if 4*(g.count+1) > 3*int64(len(g.entries)) {
		if err := g.grow(); err != nil {
			return 0, false, err
		}
		_, place, _ = g.find(hash, key)
	}
	if err := g.keys.add(key, &g.memory); err != nil {
		return 0, false, err
	}
	number = int32(g.count)
	g.entries[place] = uint64(hash)<<32 | uint64(number) + 1
	g.count++
	return number, true, nil
}

// grow doubles the table.
func (g *Groups) grow() error {
	old := g.entries
	size := max(2*len(old), groupEntriesMin)
	if err := g.memory.take(int64(size) * groupEntryBytes); err != nil {
		return err
	}
	entries := make([]uint64, size)
	mask := uint64(size - 1)
	for _, entry := range old {
		if entry == 0 {
			continue
		}
		place := entry >> 32 & mask
		for entries[place] != 0 {
			place = (place + 1) & mask
		}
		entries[place] = entry
	}
	g.entries = entries
	g.memory.give(int64(len(old)) * groupEntryBytes)
	return nil
}
