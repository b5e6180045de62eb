package encrypt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/cipherfold/cipherfold/engine"
)

// Kinds of lists, for digestOf.
const (
	listOfRecords = "cipherfold list of records\x00"
	listOfGroups  = "cipherfold list of groups\x00"
)

// listEntryBytes is what digestOf needs for each key while it sorts.
const listEntryBytes = 16

// digestOf identifies a public list: it is the same for lists of the same kind and keys, in whatever order, and no two
// other lists are known to have the same. It is SHA-256 over the kind, the number of keys, and every key after its
// length, in the order of the keys' bytes; numbers have 8 bytes, little-endian. Sorting takes 16 bytes of the budget for
// each key.
//
// An XOR of the keys' hashes would not do: of 300 pairs of groups, linear algebra finds in milliseconds which to exchange
// so that it stays the same.
func digestOf(kind string, keys *engine.Groups, budget *engine.Budget) (string, error) {
	need := int64(keys.Len()) * listEntryBytes
	if err := budget.Keep("sorting the list", need); err != nil {
		return "", err
	}
	defer budget.Drop(need)
	type entry struct {
		begin  uint64 // 8 bytes of the key, after what all keys begin with
		number int32
	}
	common := commonPrefix(keys)
	entries := make([]entry, keys.Len())
	for number, key := range keys.All() {
		var begin [8]byte
		copy(begin[:], key[common:])
		entries[number] = entry{binary.BigEndian.Uint64(begin[:]), number}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if c := cmp.Compare(a.begin, b.begin); c != 0 {
			return c
		}
		return bytes.Compare(keys.Key(a.number), keys.Key(b.number))
	})
	h := sha256.New()
	h.Write([]byte(kind))
	text := binary.LittleEndian.AppendUint64(nil, uint64(len(entries)))
	for _, e := range entries {
		key := keys.Key(e.number)
		text = append(binary.LittleEndian.AppendUint64(text, uint64(len(key))), key...)
		if len(text) >= 1<<12 {
			h.Write(text)
			text = text[:0]
		}
	}
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// commonPrefix is how many bytes all keys begin with.
func commonPrefix(keys *engine.Groups) int {
	var first []byte
	n := 0
	for number, key := range keys.All() {
		if number == 0 {
			first, n = key, len(key)
		}
		n = min(n, len(key))
		for i := range n {
			if key[i] != first[i] {
				n = i
				break
			}
		}
	}
	return n
}
