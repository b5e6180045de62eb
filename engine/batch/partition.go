package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// cut is how a step is divided into parts: what a survey of its inputs found. All parts, and all shards, have it in common:
// it is kept in a file beside the parts, which whoever comes first writes and nobody replaces.
type cut struct {
	Rows     int64 `json:"rows"`             // records to encrypt, rows to fuse or decrypt
	PartRows int64 `json:"part_rows"`        // of each part but the last
	Shards   int   `json:"shards,omitempty"` // that the parts are meant for

	Encrypt *encrypt.SurveyResult `json:"encrypt,omitempty"`
	Decrypt *decrypt.SurveyResult `json:"decrypt,omitempty"`

	digest string // SHA-256 of the file; parts that were made by another cut do not count
}

// How many ciphertexts a part is of, in bytes: some seconds' work. The parts of a fusion are read once more when they are put
// together, so that it is divided only where it takes long, or among shards.
const (
	partBytes     = 64 << 20
	fusePartBytes = 4 << 30
)

// How many parts a step may have: each is a file, and those of a fusion are all open when they are merged.
const (
	partsMax     = 1 << 20
	fusePartsMax = 128
)

// ShardsMax is how many shards a level may be divided among.
const ShardsMax = 1 << 20

// newCut divides rows, of which `align` stay together and have so many bytes of ciphertext, into parts of about `most` bytes,
// at most `limit` parts. partRows is what the user wishes, or 0. Shards get as many parts of one size each as is possible.
func newCut(rows, align, bytes, most, partRows int64, shards int, limit int64) *cut {
	if partRows == 0 {
		partRows = max(1, most/max(1, bytes)) * align
	}
	if n := int64(shards); n > 0 && rows > 0 {
		units := (rows-1)/align + 1
		parts := (units-1)/max(1, min(partRows, rows)/align) + 1
		parts = min((parts-1)/n+1, units, max(1, limit/n)) * n
		partRows = ((units-1)/parts + 1) * align
	}
	partRows = min(max(partRows, (rows+limit-1)/limit), max(1, rows))
	partRows = (partRows + align - 1) / align * align
	return &cut{Rows: rows, PartRows: partRows, Shards: shards}
}

// ranges are the parts. There is one at least.
func (c *cut) ranges() []job.Range {
	var out []job.Range
	for from := int64(0); from < c.Rows; {
		to := from + min(c.PartRows, c.Rows-from)
		out = append(out, job.Range{From: from, To: to})
		from = to
	}
	if len(out) == 0 {
		out = append(out, job.Range{})
	}
	return out
}

// key is the fingerprint of the key that the step was cut for; "" of a fusion.
func (c *cut) key() string {
	switch {
	case c == nil:
	case c.Encrypt != nil:
		return c.Encrypt.Key.Fingerprint
	case c.Decrypt != nil:
		return c.Decrypt.Key.Fingerprint
	}
	return ""
}

// whole says that the step's one part must not be made twice: each time a budget is charged.
func (c *cut) whole() bool { return c.Decrypt != nil && c.Decrypt.Whole }

// shardOf is the shard, from 1 to n, that a part belongs to. Shards have consecutive parts.
func shardOf(part, parts, n int) int { return int(int64(part)*int64(n)/int64(parts)) + 1 }

func cutName(dir, step string) string { return path.Join(dir, partsName, step+".json") }

const cutBytesMax = 64 << 20

// readCut reads a step's cut; nil when there is none.
func readCut(ctx context.Context, disk blob.Disk, name string) (*cut, error) {
	data, err := receipt.ReadFile(ctx, disk, name, cutBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &cut{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil || c.Rows < 0 || c.PartRows < 1 || (c.Rows-1)/c.PartRows >= partsMax {
		return nil, column.Refuse(name, "the file is damaged: %w", errors.Join(err, errSizes)).WithHint(hintAnew)
	}
	sum := sha256.Sum256(data)
	c.digest = hex.EncodeToString(sum[:])
	return c, nil
}

var errSizes = errors.New("sizes of parts that cannot be")

// settle makes a cut the step's, unless another program was faster; then its cut is taken.
func (w *work) settle(ctx context.Context, step string, c *cut) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := w.disk.MakeDir(ctx, path.Join(w.job.Dir, partsName)); err != nil {
		return err
	}
	name := cutName(w.job.Dir, step)
	u, err := w.disk.Create(ctx, name, blob.CreateOptions{})
	if err == nil {
		defer u.Abort()
		if _, err = u.Write(append(text, '\n')); err == nil {
			err = u.Commit(ctx)
		}
	}
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	s := w.state.steps[step]
	s.cut, err = readCut(ctx, w.disk, name)
	if err == nil && s.cut == nil {
		err = column.Refuse(name, "the file is gone").WithHint("Run the same command again.")
	}
	if err != nil {
		return err
	}
	return w.rightKey(step, s.cut)
}
