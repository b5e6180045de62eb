package ctfile

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// blockSizes returns the number of records of each row of Blocks. It needs at least one id column, and all of them
// must agree.
func blockSizes(ids []arrow.Array) ([]int, error) {
	var sizes []int
	for k, col := range ids {
		l, ok := col.(*array.List)
		if !ok {
			return nil, fmt.Errorf("an id column of type %s in the layout %q", col.DataType(), Blocks)
		}
		for i := range l.Len() {
			from, to := l.ValueOffsets(i)
			n := int(to - from)
			if k == 0 {
				sizes = append(sizes, n)
			} else if sizes[i] != n {
				return nil, fmt.Errorf("a block has %d ids in one column and %d in another", sizes[i], n)
			}
		}
	}
	return sizes, nil
}
