package job

import (
	"context"
	"errors"
)

// Range is some consecutive rows of all inputs of a fusion, one input after the other in the order given: From is the
// first, from 0, and To is one beyond the last. Of tables in blocks the rows are blocks.
type Range struct{ From, To int64 }

// FuseRows returns how many rows a fusion has, for cutting it into ranges: the rows of all inputs. Tables in blocks are
// fused block by block, and have as many rows as one of them has blocks; for one total they have the blocks of all.
func FuseRows(ctx context.Context, u Fusion) (int64, error) {
	f, err := u.begin(ctx)
	if err != nil {
		return 0, err
	}
	rows := int64(0)
	for _, in := range f.inputs {
		rows += in.table.FileRows()
		if in.table.Layout == Blocks && !f.wantsTotal() {
			break
		}
	}
	return rows, nil
}

var errNoRuns = errors.New("fusing in parts is not built yet")

// FuseRun folds the rows of a range into a sorted run of partial sums, the file out on u.Disk.
func FuseRun(ctx context.Context, u Fusion, part Range, out string) (*Report, error) {
	return nil, errNoRuns
}

// FuseRuns merges the runs of ranges that cover all rows into u.Out. The result is the one of Fuse.
func FuseRuns(ctx context.Context, u Fusion, runs []string) (*Report, error) {
	return nil, errNoRuns
}
