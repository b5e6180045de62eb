package batch

import (
	"reflect"

	"github.com/cipherfold/cipherfold/engine/job"
)

// cut is how a step is divided into parts: what a survey of its inputs found. All parts, and all shards, have it in common.
type cut struct {
	Rows     int64 `json:"rows"`      // records to encrypt, rows to fuse or decrypt
	PartRows int64 `json:"part_rows"` // of each part but the last
	Shards   int   `json:"shards,omitempty"`

	Encrypt *job.EncryptSurvey `json:"encrypt,omitempty"`
	Decrypt *job.DecryptSurvey `json:"decrypt,omitempty"`
}

// partBytes is how many ciphertexts a part holds, in bytes: some seconds' work.
const partBytes = 64 << 20

// newCut divides rows, of which `align` stay together and have so many bytes of ciphertext. partRows is what the user
// wishes, or 0; there are at least `shards` parts, if there are so many rows.
func newCut(rows, align, bytes, partRows int64, shards int) *cut {
	if partRows == 0 {
		partRows = max(1, partBytes/max(1, bytes)) * align
	}
	if shards > 0 {
		partRows = min(partRows, max(1, rows/int64(shards)))
	}
	partRows = (partRows + align - 1) / align * align
	return &cut{Rows: rows, PartRows: partRows, Shards: shards}
}

// ranges are the parts. There is one at least.
func (c *cut) ranges() []job.Range {
	var out []job.Range
	for from := int64(0); from < c.Rows; from += c.PartRows {
		out = append(out, job.Range{From: from, To: min(c.Rows, from+c.PartRows)})
	}
	if len(out) == 0 {
		out = append(out, job.Range{})
	}
	return out
}

func (c *cut) same(d *cut) bool { return reflect.DeepEqual(c, d) }
