package sums

import "sync/atomic"

// Block is some consecutive rows of a Source, in ascending order of their keys. It may be read by several goroutines.
type Block struct {
	rows   rows
	n      int
	Origin any // what its maker knows about it
	holds  atomic.Int32
	free   func()
}

// rows are the contents of a block.
type rows interface {
	key(i int) []byte
	counts(i int) (records, adds int64)
	// sum returns the product in a slot of row i and its number of factors, 0 when the sum is missing.
	sum(i, slot int) ([]byte, uint32)
}

func newBlock(n int, r rows, free func()) *Block {
	b := &Block{rows: r, n: n, free: free}
	b.holds.Store(1)
	return b
}

// Len is the number of rows, at least 1.
func (b *Block) Len() int { return b.n }

// Key returns the key of row i.
func (b *Block) Key(i int) []byte { return b.rows.key(i) }

// Sum returns the product in a slot of row i and its number of factors: none when it is missing.
func (b *Block) Sum(i, slot int) ([]byte, uint32) { return b.rows.sum(i, slot) }

func (b *Block) hold() { b.holds.Add(1) }

// Release gives the block back.
func (b *Block) Release() {
	if b.holds.Add(-1) == 0 && b.free != nil {
		b.free()
	}
}

// Rows are rows of an input: one record each.
type Rows struct {
	Keys *Keys
	Adds int64    // additions of each row
	Sums [][]byte // for each slot: the ciphertexts of all rows, one after the other, or nil where the input has none
	Size int      // of a ciphertext, in bytes
}

// NewBlock makes a block of rows of an input, which are sorted. free is called when it is no longer used.
func NewBlock(r Rows, free func()) *Block { return newBlock(r.Keys.Len(), &r, free) }

func (r *Rows) key(i int) []byte                 { return r.Keys.At(i) }
func (r *Rows) counts(int) (records, adds int64) { return 1, r.Adds }
func (r *Rows) sum(i, slot int) ([]byte, uint32) {
	if r.Sums[slot] == nil {
		return nil, 0
	}
	return r.Sums[slot][i*r.Size : (i+1)*r.Size], 1
}
