package encrypt

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine"
)

func index(t *testing.T, keys [][]byte) *engine.Groups {
	g := engine.NewGroups(nil)
	for _, key := range keys {
		if _, added, err := g.Index(key); err != nil || !added {
			t.Fatalf("%q: %v, %v", key, added, err)
		}
	}
	return g
}

func digest(t *testing.T, kind string, keys [][]byte) string {
	got, err := digestOf(kind, index(t, keys), nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// xorDigest is the digest that the footers of earlier versions have.
func xorDigest(keys [][]byte) string {
	var sum [sha256.Size]byte
	for _, key := range keys {
		h := sha256.Sum256(key)
		subtle.XORBytes(sum[:], sum[:], h[:])
	}
	sum = sha256.Sum256(fmt.Appendf(sum[:], "%d", len(keys)))
	return hex.EncodeToString(sum[:])
}

// The attack on an XOR of hashes: of 300 pairs of groups it finds by linear algebra which to exchange. The lists before
// and after have one XOR, and must not have one digest.
func TestXORAttackOnLists(t *testing.T) {
	const pairs = 300
	var honest, other [][]byte
	type row struct {
		sum  [sha256.Size]byte
		used [pairs]bool
	}
	var basis [8 * sha256.Size]*row
	var found *row
	for i := range pairs {
		honest = append(honest, fmt.Appendf(nil, "group %d\x00\x00", i))
		other = append(other, fmt.Appendf(nil, "forged group %d\x00\x00", i))
		a, b := sha256.Sum256(honest[i]), sha256.Sum256(other[i])
		r := new(row)
		subtle.XORBytes(r.sum[:], a[:], b[:])
		r.used[i] = true
		for bit := range basis {
			if r.sum[bit/8]>>(bit%8)&1 == 0 {
				continue
			}
			if basis[bit] == nil {
				basis[bit] = r
				r = nil
				break
			}
			subtle.XORBytes(r.sum[:], r.sum[:], basis[bit].sum[:])
			for j := range r.used {
				r.used[j] = r.used[j] != basis[bit].used[j]
			}
		}
		if r != nil {
			found = r
		}
	}
	if found == nil {
		t.Fatal("the attack found nothing")
	}
	forged := slices.Clone(honest)
	exchanged := 0
	for i, used := range found.used {
		if used {
			forged[i] = other[i]
			exchanged++
		}
	}
	if exchanged == 0 || xorDigest(honest) != xorDigest(forged) {
		t.Fatalf("the attack exchanged %d groups and did not succeed on an XOR", exchanged)
	}
	if digest(t, listOfGroups, honest) == digest(t, listOfGroups, forged) {
		t.Errorf("two lists that differ in %d groups have one digest", exchanged)
	}
}

// The digest is what its description says, computed here over keys that are sorted as a whole, and it does not depend
// on the order in which keys come.
func TestDigestOfLists(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	many := make([][]byte, 3000)
	for i := range many {
		many[i] = fmt.Appendf(nil, "patient-%d-%0*d", random.IntN(7), random.IntN(20), i)
	}
	for name, keys := range map[string][][]byte{
		"none": nil, "one": {[]byte("a")}, "empty": {{}}, "empty and more": {[]byte("a"), {}}, "zeros": {{0}, {}, {0, 0}, {0, 0, 0}},
		"prefixes":  {[]byte("abc"), []byte("ab"), []byte("abcd"), []byte("abcdefghijk"), []byte("abcdefghij"), []byte("abcdefghijkl")},
		"zero tail": {[]byte("ab"), []byte("ab\x00"), []byte("ab\x00\x00\x00\x00\x00\x00\x00\x00\x00")}, "high": {{255}, {0}, {128}, {127}}, "many": many,
	} {
		sorted := slices.Clone(keys)
		slices.SortFunc(sorted, bytes.Compare)
		text := binary.LittleEndian.AppendUint64([]byte(listOfRecords), uint64(len(sorted)))
		for _, key := range sorted {
			text = append(binary.LittleEndian.AppendUint64(text, uint64(len(key))), key...)
		}
		want := sha256.Sum256(text)
		for range 3 {
			if got := digest(t, listOfRecords, keys); got != hex.EncodeToString(want[:]) {
				t.Fatalf("%s: %s, want %x", name, got, want)
			}
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		}
		if digest(t, listOfGroups, keys) == digest(t, listOfRecords, keys) {
			t.Errorf("%s: a list of groups has the digest of a list of records", name)
		}
	}
}

// Lists whose keys say the same one after the other differ.
func TestDigestOfListsSeparatesKeys(t *testing.T) {
	seen := map[string]string{}
	for _, keys := range [][][]byte{
		{[]byte("ab"), []byte("c")}, {[]byte("a"), []byte("bc")}, {[]byte("abc")}, {[]byte("a"), []byte("b"), []byte("c")}, {{}, []byte("abc")}, {},
	} {
		name := fmt.Sprintf("%q", keys)
		got := digest(t, listOfGroups, keys)
		if seen[got] != "" {
			t.Errorf("%s has the digest of %s", name, seen[got])
		}
		seen[got] = name
	}
}

// Sorting stays in the budget: what does not fit is refused, and everything is given back.
func TestDigestOfListsBudget(t *testing.T) {
	var keys [][]byte
	for i := range 1000 {
		keys = append(keys, fmt.Appendf(nil, "%d", i))
	}
	g := index(t, keys)
	for _, limit := range []int64{0, 1000*listEntryBytes - 1} {
		if _, err := digestOf(listOfGroups, g, engine.NewBudget(limit)); err == nil {
			t.Errorf("%d bytes are enough for 1000 keys", limit)
		}
	}
	budget := engine.NewBudget(1000 * listEntryBytes)
	if _, err := digestOf(listOfGroups, g, budget); err != nil {
		t.Error(err)
	}
	if err := budget.Keep("all", 1000*listEntryBytes); err != nil {
		t.Error(err)
	}
}
