package fuse

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// fuseMemory is how a fusion by group divides its memory. First rows are read and added up in a table, then sums are merged
// and written.
type fuseMemory struct {
	readers    int        // threads that decode
	sortedRuns int        // inputs in order that can be merged as they are, when nothing else is; half as many beside others
	pool       *sums.Pool // of the table
	writing    int64      // bytes that are left when the result is written
	reader     int64      // bytes that a thread that decodes takes
}

// merge is how many bytes of the pool are left when the result is written and some threads decode meanwhile.
func (m *fuseMemory) merge(readers int) int64 {
	return poolOf(m.writing - int64(readers)*m.reader)
}

// poolOf is the part of some memory that may be a pool: all except a part that stays free for the collector.
func poolOf(bytes int64) int64 { return max(bytes, 0) / 8 * 7 }

const (
	// programBytes is what the program takes before it has read anything: the used part of its code, and what
	// libraries set up.
	programBytes = 50 << 20
	// pageBytes is a page of a column as it is in files of this program, or shorter.
	pageBytes = 1 << 20
	// columnOverhead is what a column takes beside its bytes, in a reader or a writer.
	columnOverhead = 12 << 10
	// measureBytes is what a footer in memory takes for each measure, with its text while it is read.
	measureBytes = 1 << 10
)

// readerBytes is what a thread that decodes an input takes but for the batches: of each column what is read ahead of its row
// group, a page as it is, and one decoded.
func readerBytes(t *ctfile.Table) int64 {
	rows := int64(0)
	for _, g := range t.RowGroups {
		rows = max(rows, g.Rows)
	}
	chunk := min(rows*int64(t.CiphertextBytes()), pageBytes)
	return int64(len(t.Columns)) * (3*chunk + columnOverhead)
}

// writerBytes is a row group that waits to be complete, and the pages of it that are not full, when there are so many bytes
// to write at most.
func writerBytes(columns int, most int64) int64 {
	group := min(ctfile.RowGroupBytesDefault, most) * 5 / 4
	return group + 1<<20 + min(int64(columns)*pageBytes, group) + int64(columns)*columnOverhead
}

// divide divides the memory, or refuses it when it has no room for a batch at each place.
func (f *fusion) divide(columns int, shape sums.Shape) (m fuseMemory, err error) {
	row := int64(columns * f.pk.CiphertextSize())
	all := f.rows() * row
	batch := min(int64(enctable.BatchRows(columns, f.pk.CiphertextSize()))*row, all)
	flight := min(int64(2*f.request.Threads+2)*3*batch, 3*all)
	footers := int64(0)
	for _, in := range f.inputs {
		m.reader = max(m.reader, readerBytes(in.Table)+4*batch)
		footers += int64(len(in.Table.Measures)) * measureBytes
	}
	rest := f.request.Memory - programBytes - footers - flight
	least := sums.PoolBytesMin(shape)/7*8 + 8
	writer := writerBytes(columns, all)
	if need := max(writer, m.reader) + least; rest < need {
		return m, &engine.BudgetError{What: "fusing by group", Need: f.request.Memory - rest + need, Have: f.request.Memory, Limit: f.request.Memory}
	}
	m.readers = int(min(max(rest/4/m.reader, 1), int64(f.request.Threads)))
	m.writing = rest - writer
	m.sortedRuns = int((m.writing - least) / m.reader)
	m.pool = sums.NewPool(max(poolOf(rest-int64(m.readers)*m.reader), sums.PoolBytesMin(shape)), shape)
	return m, nil
}

// scratchDir is where what outgrows the memory goes.
func (f *fusion) scratchDir() string {
	switch {
	case f.request.ScratchDir != "":
		return f.request.ScratchDir
	case strings.Contains(f.request.Out, "://"):
		return os.TempDir()
	}
	return filepath.Dir(f.request.Out)
}

// fillTables prepares the tables that a fusion needs at its end, to re-randomise or to mask a total. Their memory is
// no longer available for anything else.
func (f *fusion) fillTables(ctx context.Context) error {
	var plans []*paillier.PublicTables
	if f.refresh {
		plans = append(plans, f.pk.PlanFullTables(f.request.Memory/keys.PowersShare, f.randomizers))
	}
	if f.kind() == oneTotal {
		plans = append(plans, f.pk.PlanTables(f.request.Memory/keys.PowersShare))
	}
	start := time.Now()
	bytes := int64(0)
	for _, p := range plans {
		if p == nil {
			continue
		}
		bytes += p.Bytes()
		if bytes > f.request.Memory {
			return &engine.BudgetError{What: keys.PowersBudget, Need: bytes, Have: f.request.Memory, Limit: f.request.Memory}
		}
		if _, err := keys.MakePieces(ctx, &p.Tables, f.request.Threads); err != nil {
			return err
		}
		p.Install()
	}
	if bytes > 0 {
		f.request.Memory -= bytes
		f.report.Tables = &job.TablesReport{Bytes: bytes, From: job.PowersMade, Seconds: time.Since(start).Seconds()}
	}
	return nil
}
