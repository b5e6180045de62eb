package engine

import "encoding/binary"

// arena holds byte strings, numbered in the order in which they were added, in large chunks: no allocation for each, no
// copy when it grows.
type arena struct {
	chunks [][]byte // length: bytes used; capacity: bytes held. The last one is being filled.
	refs   [][]ref  // pages of refPage references, full but for the last
}

// ref says where a string is: chunks[chunk][start:] holds its length (uvarint) and its bytes.
type ref struct{ chunk, start uint32 }

const (
	arenaChunkMin = 1 << 10
	arenaChunkMax = 1 << 20
	refPage       = 1 << 10
	refBytes      = 8
	headerBytes   = 24 // of a slice, on 64-bit machines
)

// at returns string number i.
func (a *arena) at(i int64) []byte {
	r := a.refs[i/refPage][i%refPage]
	chunk := a.chunks[r.chunk][r.start:]
	size, width := binary.Uvarint(chunk)
	end := width + int(size)
	return chunk[width:end:end]
}

// add copies a string into the arena. When memory is refused, nothing was added.
func (a *arena) add(s []byte, memory *ledger) error {
	var prefix [binary.MaxVarintLen64]byte
	width := binary.PutUvarint(prefix[:], uint64(len(s)))
	if err := a.makeRoom(width+len(s), memory); err != nil {
		return err
	}
	chunk := &a.chunks[len(a.chunks)-1]
	page := &a.refs[len(a.refs)-1]
	*page = append(*page, ref{uint32(len(a.chunks) - 1), uint32(len(*chunk))})
	*chunk = append(append(*chunk, prefix[:width]...), s...)
	return nil
}

// makeRoom sees to it that the last chunk can take `size` bytes and the last page one reference.
func (a *arena) makeRoom(size int, memory *ledger) error {
	if last := len(a.refs) - 1; last < 0 || len(a.refs[last]) == refPage {
		if err := addPiece(&a.refs, refPage, refBytes, memory); err != nil {
			return err
		}
	}
	last := len(a.chunks) - 1
	if last >= 0 && cap(a.chunks[last])-len(a.chunks[last]) >= size {
		return nil
	}
	room := arenaChunkMin
	if last >= 0 {
		room = min(2*cap(a.chunks[last]), arenaChunkMax)
	}
	return addPiece(&a.chunks, max(room, size), 1, memory)
}

// addPiece appends an empty slice with room for n elements of the given size.
func addPiece[T any](pieces *[][]T, n, elementBytes int, memory *ledger) error {
	bytes := int64(n * elementBytes)
	if err := memory.take(bytes); err != nil {
		return err
	}
	if old := *pieces; len(old) == cap(old) {
		room := max(2*cap(old), 4)
		if err := memory.take(int64(room) * headerBytes); err != nil {
			memory.give(bytes)
			return err
		}
		*pieces = append(make([][]T, 0, room), old...)
		memory.give(int64(cap(old)) * headerBytes)
	}
	*pieces = append(*pieces, make([]T, 0, n))
	return nil
}

// ledger is what one owner keeps of a budget.
type ledger struct {
	budget *Budget
	what   string
	held   int64
}

func (l *ledger) take(n int64) error {
	if err := l.budget.Keep(l.what, n); err != nil {
		return err
	}
	l.held += n
	return nil
}

func (l *ledger) give(n int64) {
	l.budget.Drop(n)
	l.held -= n
}
