package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// modelled is a Groups next to the map it must agree with.
type modelled struct {
	t      testing.TB
	groups *Groups
	budget *Budget
	model  map[string]int32
	keys   []string
	hash   func(key []byte) uint32
}

func newModelled(t testing.TB) *modelled {
	budget := NewBudget(1 << 40)
	m := &modelled{t: t, groups: NewGroups(budget), budget: budget, model: map[string]int32{}}
	m.hash = m.groups.hash
	return m
}

// add indexes a key in both.
func (m *modelled) add(key []byte) {
	m.t.Helper()
	want, known := m.model[string(key)]
	if !known {
		want = int32(len(m.keys))
		m.model[string(key)] = want
		m.keys = append(m.keys, string(key))
	}
	given := bytes.Clone(key)
	got, added, err := m.groups.index(m.hash(given), given)
	if err != nil || got != want || added == known {
		m.t.Fatalf("index of %q: %d, added %t, %v; want %d, %t", key, got, added, err, want, !known)
	}
	for i := range given {
		given[i] ^= 0xff // the key must have been copied
	}
}

// check compares everything.
func (m *modelled) check() {
	m.t.Helper()
	if m.groups.Len() != len(m.keys) {
		m.t.Fatalf("%d groups, want %d", m.groups.Len(), len(m.keys))
	}
	next := int32(0)
	for number, key := range m.groups.All() {
		if number != next || string(key) != m.keys[number] || string(m.groups.Key(number)) != m.keys[number] {
			m.t.Fatalf("group %d is %q, want group %d, %q", number, key, next, m.keys[next])
		}
		if found, _, ok := m.groups.find(m.hash(key), key); !ok || found != number {
			m.t.Fatalf("%q is found as %d, %t; want %d", key, found, ok, number)
		}
		next++
	}
	checkGroupsBytes(m.t, m.groups, m.budget)
}

// checkGroupsBytes adds up what a Groups holds and compares it with what it says and keeps.
func checkGroupsBytes(t testing.TB, g *Groups, budget *Budget) {
	t.Helper()
	held := int64(8 * len(g.entries))
	for _, chunk := range g.keys.chunks {
		held += int64(cap(chunk))
	}
	for _, page := range g.keys.refs {
		held += int64(8 * cap(page))
	}
	held += int64(24 * (cap(g.keys.chunks) + cap(g.keys.refs)))
	if kept, _ := budget.Used(); g.Bytes() != held || kept != held {
		t.Errorf("holds %d bytes, says %d, keeps %d of the budget", held, g.Bytes(), kept)
	}
}

func TestGroupsAgainstMap(t *testing.T) {
	m := newModelled(t)
	for i := range 200_000 {
		m.add(fmt.Appendf(nil, "patient-%d", i*7919%60_000))
	}
	m.check()
	if _, found := m.groups.Lookup([]byte("patient-60000")); found {
		t.Error("found a key that was never added")
	}
	if number, found := m.groups.Lookup([]byte(m.keys[59_999])); !found || number != 59_999 {
		t.Errorf("found %d, %t", number, found)
	}
}

// Keys of every length around the boundaries of length prefixes and chunks, the empty key among them.
func TestGroupsKeyLengths(t *testing.T) {
	m := newModelled(t)
	if _, found := m.groups.Lookup(nil); found {
		t.Error("found the empty key in an empty index")
	}
	for _, size := range []int{0, 1, 127, 128, 129, arenaChunkMin - 2, arenaChunkMin - 1, arenaChunkMin, arenaChunkMin + 1,
		1 << 14, arenaChunkMax - 3, arenaChunkMax, arenaChunkMax + 1, 3 * arenaChunkMax, 5, 6} {
		m.add(bytes.Repeat([]byte{'x'}, size))
		m.add(nil)
		m.add(append(bytes.Repeat([]byte{'x'}, size), 'y'))
	}
	m.check()
}

// Equal hashes, all of them or in few kinds, are told apart by the keys.
func TestGroupsWithCollisions(t *testing.T) {
	for _, kinds := range []uint32{1, 2, 5} {
		m := newModelled(t)
		m.hash = func(key []byte) uint32 {
			return 0xffffffff - binary.LittleEndian.Uint32(key)%kinds // at the end of the table, so that probing wraps around
		}
		for i := range uint32(2000) {
			m.add(binary.LittleEndian.AppendUint32(nil, i%1200))
		}
		m.check()
	}
}

func FuzzGroups(f *testing.F) {
	f.Add([]byte("a,b,,a,ab,b"))
	f.Add(bytes.Repeat([]byte("x,"), 300))
	f.Add([]byte{0, ',', 0, 0, ',', 255, ','})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := newModelled(t)
		for _, key := range bytes.Split(data, []byte{','}) {
			m.add(key)
		}
		m.check()
	})
}

func TestGroupsFree(t *testing.T) {
	m := newModelled(t)
	for i := range 5000 {
		m.add(fmt.Append(nil, i))
	}
	m.groups.Free()
	if kept, _ := m.budget.Used(); kept != 0 || m.groups.Bytes() != 0 || m.groups.Len() != 0 {
		t.Errorf("after Free: %d kept, %d bytes, %d groups", kept, m.groups.Bytes(), m.groups.Len())
	}
	if _, found := m.groups.Lookup([]byte("17")); found {
		t.Error("found a group after Free")
	}
	m.model, m.keys = map[string]int32{}, nil
	m.add([]byte("again"))
	m.check()
}

func TestGroupsLimit(t *testing.T) {
	g := NewGroups(nil)
	if g.max != 1<<31-1 {
		t.Errorf("at most %d groups, want 2^31-1", g.max)
	}
	g.max = 3
	for i := range 3 {
		if _, added, err := g.Index([]byte{byte(i)}); err != nil || !added {
			t.Fatal(i, added, err)
		}
	}
	if _, _, err := g.Index([]byte{3}); !errors.Is(err, ErrTooManyGroups) {
		t.Errorf("the fourth of three groups: %v", err)
	}
	if number, added, err := g.Index([]byte{2}); number != 2 || added || err != nil {
		t.Errorf("a known key of a full index: %d, %t, %v", number, added, err)
	}
	if g.Len() != 3 {
		t.Errorf("%d groups", g.Len())
	}
}

// With every budget from none upwards: refused additions name the budget, change nothing, and succeed once there is room.
func TestGroupsWithinBudget(t *testing.T) {
	const keys = 3000
	key := func(i int) []byte { return fmt.Appendf(nil, "a rather long key, number %d", i) }
	var last int
	for limit := int64(0); last < keys; limit += 20_000 {
		budget := NewBudget(limit)
		g := NewGroups(budget)
		var err error
		for i := 0; i < keys && err == nil; i++ {
			_, _, err = g.Index(key(i))
		}
		if g.Len() < last {
			t.Fatalf("%d groups within %d bytes, %d within less", g.Len(), limit, last)
		}
		last = g.Len()
		if last == keys {
			break
		}
		var refused *BudgetError
		if !errors.As(err, &refused) || refused.What != "group index" || refused.Limit != limit {
			t.Fatalf("limit %d: %v", limit, err)
		}
		for number, k := range g.All() {
			if !bytes.Equal(k, key(int(number))) {
				t.Fatalf("limit %d: group %d is %q", limit, number, k)
			}
		}
		if _, found := g.Lookup(key(last)); found {
			t.Errorf("limit %d: found the key that was refused", limit)
		}
		budget.limit = 1 << 40
		if number, added, err := g.Index(key(last)); int(number) != last || !added || err != nil {
			t.Errorf("limit %d: with more memory %d, %t, %v", limit, number, added, err)
		}
	}
	if last != keys {
		t.Error("never enough memory")
	}
}

// Whichever of the first allocations is refused, none is counted that was not made.
func TestGroupsCountsRefusals(t *testing.T) {
	key := bytes.Repeat([]byte{'k'}, 500)
	for limit := int64(0); limit < 20_000; limit += 8 {
		budget := NewBudget(limit)
		g := NewGroups(budget)
		var err error
		for i := 0; i < 20 && err == nil; i++ {
			_, _, err = g.Index(append(key, byte(i)))
		}
		checkGroupsBytes(t, g, budget)
		if err == nil && g.Len() != 20 {
			t.Errorf("limit %d: %d groups", limit, g.Len())
		}
	}
}

// What Bytes says is what the heap holds.
func TestGroupsBytesOnTheHeap(t *testing.T) {
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	g := NewGroups(nil)
	var key [16]byte
	for i := range uint64(200_000) {
		binary.BigEndian.PutUint64(key[:], i*0x9e3779b97f4a7c15)
		if _, _, err := g.Index(key[:]); err != nil {
			t.Fatal(err)
		}
	}
	held := heap() - before
	if said := g.Bytes(); said < held*95/100 || said > held*105/100 {
		t.Errorf("the heap grew by %d bytes, Bytes says %d", held, said)
	}
	runtime.KeepAlive(g)
}

// A known key costs no allocation.
func TestGroupsIndexAllocates(t *testing.T) {
	g := NewGroups(nil)
	key := []byte("known")
	if _, _, err := g.Index(key); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		_, _, _ = g.Index(key)
		_, _ = g.Lookup(key)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const benchKeys = 5_000_000

// benchKey is a 16-byte key that looks like a token.
func benchKey(key *[16]byte, i int) {
	binary.LittleEndian.PutUint64(key[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(key[8:], uint64(i)*0xbf58476d1ce4e5b9)
}

func BenchmarkGroupsInsert5M(b *testing.B) {
	var key [16]byte
	for b.Loop() {
		g := NewGroups(nil)
		for i := range benchKeys {
			benchKey(&key, i)
			if _, _, err := g.Index(key[:]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(g.Bytes())/benchKeys, "B/key")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
}

func BenchmarkGroupsLookupAmong5M(b *testing.B) {
	var key [16]byte
	g := NewGroups(nil)
	for i := range benchKeys {
		benchKey(&key, i)
		if _, _, err := g.Index(key[:]); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		i = (i + 1_299_709) % benchKeys
		benchKey(&key, i)
		if number, found := g.Lookup(key[:]); !found || int(number) != i {
			b.Fatal(number, found)
		}
	}
}

// The yardstick: Go's map with string keys.
func BenchmarkMapInsert5M(b *testing.B) {
	var key [16]byte
	for b.Loop() {
		m := map[string]int32{}
		for i := range benchKeys {
			benchKey(&key, i)
			if _, found := m[string(key[:])]; !found {
				m[string(key[:])] = int32(i)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
}
