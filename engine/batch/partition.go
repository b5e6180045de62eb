package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// partition is how a step is divided into parts, and what a survey of its inputs found. All parts, and all shards, have it
// in common: it is kept in a file beside the parts, which whoever comes first writes and nobody replaces.
//
// The file is one object of JSON. What the survey found has the verb's name in it.
type partition struct {
	Rows     int64 // of all parts together
	PartRows int64 // of each part but the last
	Shards   int   // that the parts are meant for; 0: none

	verb   *verb
	found  job.Findings // nil: none
	digest string       // SHA-256 of the file; parts that were made by another partition do not count
}

// partsMax is how many parts a step may have at most: each is a file.
const partsMax = 1 << 20

// ShardsMax is how many shards a level may be divided among.
const ShardsMax = 1 << 20

// newPartition divides a step. partRows is what the user wishes, or 0. Shards get as many parts of one size each as is
// possible.
func newPartition(v *verb, d *job.Division, partRows int64, shards int) *partition {
	p := &partition{Rows: d.Rows, PartRows: d.Align, Shards: shards, verb: v, found: d.Found}
	if p.once() {
		p.PartRows = max(1, d.Rows)
		return p
	}
	rows, align, limit := d.Rows, d.Align, min(d.PartsMax, partsMax)
	if partRows == 0 {
		partRows = max(1, d.PartBytes/max(1, d.RowsBytes)) * align
	}
	if n := int64(shards); n > 0 && rows > 0 {
		units := (rows-1)/align + 1
		parts := (units-1)/max(1, min(partRows, rows)/align) + 1
		parts = min((parts-1)/n+1, units, max(1, limit/n)) * n
		partRows = ((units-1)/parts + 1) * align
	}
	partRows = min(max(partRows, (rows+limit-1)/limit), max(1, rows))
	p.PartRows = (partRows + align - 1) / align * align
	return p
}

// ranges are the parts. There is one at least.
func (p *partition) ranges() []job.Range {
	var out []job.Range
	for from := int64(0); from < p.Rows; {
		to := from + min(p.PartRows, p.Rows-from)
		out = append(out, job.Range{From: from, To: to})
		from = to
	}
	if len(out) == 0 {
		out = append(out, job.Range{})
	}
	return out
}

// key is the fingerprint of the key that the step was divided for; "" of a verb without key.
func (p *partition) key() string {
	if p == nil || p.found == nil {
		return ""
	}
	return p.found.KeyFingerprint()
}

// once says that the step's one part must not be made twice: each time a budget is charged.
func (p *partition) once() bool { return p.found != nil && p.found.Once() }

// shardOf is the shard, from 1 to n, that a part belongs to. Shards have consecutive parts.
func shardOf(part, parts, n int) int { return int(int64(part)*int64(n)/int64(parts)) + 1 }

// MarshalJSON writes the file.
func (p *partition) MarshalJSON() ([]byte, error) {
	text := fmt.Appendf(nil, `{"rows":%d,"part_rows":%d`, p.Rows, p.PartRows)
	if p.Shards != 0 {
		text = fmt.Appendf(text, `,"shards":%d`, p.Shards)
	}
	if p.found != nil {
		found, err := json.Marshal(p.found)
		if err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, `,"%s":%s`, p.verb.name, found)
	}
	return append(text, '}'), nil
}

// parsePartition reads the file of a step of a verb.
func parsePartition(v *verb, data []byte) (*partition, error) {
	p := &partition{verb: v}
	members, err := strictjson.Members(data)
	if err != nil {
		return nil, err
	}
	for name, text := range members {
		var to any
		switch {
		case name == "rows":
			to = &p.Rows
		case name == "part_rows":
			to = &p.PartRows
		case name == "shards":
			to = &p.Shards
		case name == v.name && v.found != nil:
			p.found = v.found()
			to = p.found
		default:
			return nil, fmt.Errorf("unknown field %s", column.Quote(name))
		}
		if bytes.Equal(text, []byte("null")) {
			return nil, fmt.Errorf("%s is null", name)
		}
		if err := strictjson.Decode(text, to); err != nil {
			return nil, err
		}
	}
	if v.found != nil && p.found == nil {
		return nil, errors.New("it lacks what the survey found")
	}
	if p.Rows < 0 || p.PartRows < 1 || (p.Rows-1)/p.PartRows >= partsMax {
		return nil, errors.New("sizes of parts that cannot be")
	}
	return p, nil
}

func partitionName(dir, step string) string { return path.Join(dir, partsName, step+".json") }

const partitionBytesMax = 64 << 20

// sealedPartition begins a file that is sealed: a survey finds bounds and counts in data in the clear.
const sealedPartition = "sealed "

// readPartition reads the partition of a step of a verb; nil when there is none.
func readPartition(ctx context.Context, disk blob.Disk, v *verb, name string, vault *receipt.Vault) (*partition, error) {
	data, err := job.ReadFile(ctx, disk, name, partitionBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text := data
	if sealed, ok := bytes.CutPrefix(data, []byte(sealedPartition)); ok {
		text, err = vault.Open(path.Base(name), string(bytes.TrimSuffix(sealed, []byte("\n"))))
	}
	var p *partition
	if err == nil {
		p, err = parsePartition(v, text)
	}
	if err != nil {
		return nil, column.Refuse(name, "the file is damaged: %w", err).WithHint(hintAnew)
	}
	sum := sha256.Sum256(data)
	p.digest = hex.EncodeToString(sum[:])
	return p, nil
}

// settle makes a partition the step's, unless another program was faster; then that one's is taken.
func (w *work) settle(ctx context.Context, step string, p *partition) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := w.disk.MakeDir(ctx, path.Join(w.job.Dir, partsName)); err != nil {
		return err
	}
	name := partitionName(w.job.Dir, step)
	if w.plan.sealed() {
		text = []byte(sealedPartition + w.vault.Seal(path.Base(name), text))
	}
	u, err := w.disk.Create(ctx, name, blob.CreateOptions{Private: true})
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
	s.partition, err = readPartition(ctx, w.disk, p.verb, name, w.vault)
	if err == nil && s.partition == nil {
		err = column.Refuse(name, "the file is gone").WithHint("Run the same command again.")
	}
	if err != nil {
		return err
	}
	return w.rightKey(step, s.partition)
}
