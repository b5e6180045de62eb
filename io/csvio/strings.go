package csvio

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// stringColumn gathers the values of one column of a batch, in buffers that
// the next batch uses again.
type stringColumn struct {
	offsets []int32 // one more than there are values
	data    []byte
	valid   []byte // bitmap, least significant bit first
	nulls   int
}

func (c *stringColumn) reset() {
	c.offsets = append(c.offsets[:0], 0)
	c.data, c.valid, c.nulls = c.data[:0], c.valid[:0], 0
}

func (c *stringColumn) append(value []byte) {
	c.grow(1)
	c.data = append(c.data, value...)
	c.offsets = append(c.offsets, int32(len(c.data)))
}

func (c *stringColumn) appendNull() {
	c.grow(0)
	c.nulls++
	c.offsets = append(c.offsets, int32(len(c.data)))
}

// grow adds the bit of the next value to the bitmap.
func (c *stringColumn) grow(bit byte) {
	i := uint(len(c.offsets) - 1)
	if i%8 == 0 {
		c.valid = append(c.valid, bit)
		return
	}
	c.valid[i/8] |= bit << (i % 8)
}

// array returns the values as an Arrow string array in memory from mem. The
// caller keeps data within math.MaxInt32 bytes.
func (c *stringColumn) array(mem memory.Allocator) arrow.Array {
	if len(c.data) > math.MaxInt32 {
		panic("csvio: a batch beyond the range of string offsets")
	}
	buffers := []*memory.Buffer{nil, copied(mem, arrow.Int32Traits.CastToBytes(c.offsets)), copied(mem, c.data)}
	if c.nulls > 0 {
		buffers[0] = copied(mem, c.valid)
	}
	data := array.NewData(arrow.BinaryTypes.String, len(c.offsets)-1, buffers, nil, c.nulls, 0)
	defer data.Release()
	memory.ReleaseBuffers(buffers)
	return array.NewStringData(data)
}

func copied(mem memory.Allocator, b []byte) *memory.Buffer {
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(len(b))
	copy(buf.Bytes(), b)
	return buf
}

// nulls is the set of texts that mean null.
type nulls struct {
	texts []string
	sizes uint64 // bit n: some text has n bytes; bit 63: 63 or more
}

func newNulls(texts []string) nulls {
	n := nulls{texts: texts}
	for _, t := range texts {
		n.sizes |= 1 << min(len(t), 63)
	}
	return n
}

func (n *nulls) has(value []byte) bool {
	if n.sizes&(1<<min(len(value), 63)) == 0 {
		return false
	}
	for _, t := range n.texts {
		if string(value) == t {
			return true
		}
	}
	return false
}
