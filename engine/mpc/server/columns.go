package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
)

// columns are this server's shares of the columns of a query, in memory or, when there are too many, in files without names.
type columns struct {
	records int64
	memory  [][]uint64
	files   []*os.File
	buffers []region // of files, not yet written
}

// region is consecutive words of a file.
type region struct {
	first int64
	data  []byte
}

// regionBytes is how much of a file is written at once.
const regionBytes = 64 << 10

// newColumns makes room for a number of records, in a directory when they have more than memoryBytes.
func newColumns(records int64, n int, memoryBytes int64, dir string) (*columns, error) {
	c := &columns{records: records}
	if records*int64(n)*8 <= memoryBytes {
		for range n {
			c.memory = append(c.memory, make([]uint64, records))
		}
		return c, nil
	}
	for range n {
		f, err := os.CreateTemp(dir, ".columns-")
		if err != nil {
			c.Close()
			return nil, err
		}
		c.files = append(c.files, f)
		if err := os.Remove(f.Name()); err != nil {
			c.Close()
			return nil, err
		}
	}
	c.buffers = make([]region, n)
	return c, nil
}

// put writes the shares of a record.
func (c *columns) put(at int64, shares []uint64) error {
	if c.memory != nil {
		for i, w := range shares {
			c.memory[i][at] = w
		}
		return nil
	}
	for i, w := range shares {
		b := &c.buffers[i]
		if len(b.data) == regionBytes || b.first+int64(len(b.data))/8 != at {
			if err := c.flush(i); err != nil {
				return err
			}
			b.first = at
		}
		b.data = binary.LittleEndian.AppendUint64(b.data, w)
	}
	return nil
}

func (c *columns) flush(i int) error {
	b := &c.buffers[i]
	if len(b.data) > 0 {
		if _, err := c.files[i].WriteAt(b.data, 8*b.first); err != nil {
			return err
		}
	}
	b.data = b.data[:0]
	return nil
}

// finish ends the writing.
func (c *columns) finish() error {
	for i := range c.files {
		if err := c.flush(i); err != nil {
			return err
		}
	}
	return nil
}

// Read implements protocol.Shares.
func (c *columns) Read(_ context.Context, dst []uint64, column int, first int64) error {
	if column >= max(len(c.memory), len(c.files)) || first < 0 || first+int64(len(dst)) > c.records {
		return fmt.Errorf("no shares of records %d to %d of column %d", first, first+int64(len(dst)), column)
	}
	if c.memory != nil {
		copy(dst, c.memory[column][first:])
		return nil
	}
	data := make([]byte, min(8*len(dst), regionBytes))
	for len(dst) > 0 {
		n := min(len(dst), regionBytes/8)
		if _, err := c.files[column].ReadAt(data[:8*n], 8*first); err != nil {
			return err
		}
		for i := range n {
			dst[i] = binary.LittleEndian.Uint64(data[8*i:])
		}
		dst, first = dst[n:], first+int64(n)
	}
	return nil
}

// Close frees the memory or the files.
func (c *columns) Close() {
	for _, f := range c.files {
		f.Close()
	}
}
