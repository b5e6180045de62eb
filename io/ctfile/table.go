package ctfile

import (
	"encoding/json"

	"github.com/cipherfold/cipherfold/io/column"
)

// Layouts of an encrypted table.
const (
	Records = "records" // a row is one record
	Blocks  = "blocks"  // a row is Table.BlockRecords consecutive records
)

// SchemePaillier is the one scheme of version 1.
const SchemePaillier = "paillier"

// Table is what the footer of an encrypted table says about it.
type Table struct {
	Scheme      string          `json:"scheme"`      // "paillier"
	Variant     string          `json:"variant"`     // "textbook", "djn" or "mhl"
	Bits        int             `json:"bits"`        // of the modulus N: a multiple of 64, at least 2048 unless TestKey
	Fingerprint string          `json:"fingerprint"` // of the key: 64 hex digits
	PublicKey   json.RawMessage `json:"public_key"`  // the key's public part, a JSON object

	Layout       string   `json:"layout"`        // Records or Blocks
	BlockRecords int      `json:"block_records"` // records in a row of Blocks, except the last row; 0 in Records
	IDs          []string `json:"ids"`           // id columns; may be empty
	Columns      []string `json:"columns"`       // ciphertext columns, which follow the ids in the file

	Measures []Measure `json:"measures"`

	MaxAdds  int64  `json:"max_adds"`  // how many encryptions may be added up in a ciphertext
	AddsUsed int64  `json:"adds_used"` // how many are at most, at most MaxAdds
	Rows     int64  `json:"rows"`      // records, not blocks
	Source   string `json:"source"`
	JobID    string `json:"job_id"`
	TestKey  bool   `json:"test_key,omitempty"` // made with a key that protects nothing
	Total    bool   `json:"total,omitempty"`    // all records folded into one row, without ids

	// A table may be several files, each with some of its rows, which Rows counts. The tables of all files are the
	// same except for Rows, AddsUsed and RowGroups. In Blocks all blocks are whole except the last of the last file.
	Part     int  `json:"part,omitempty"`      // which of the files this is, from 1; 0 if it is the only one
	LastPart bool `json:"last_part,omitempty"` // there are no more files

	// Preparation is what was done to ids and values before encryption, in order. Tables fuse only when they agree in
	// it; the fusing program checks that.
	Preparation []Step `json:"preparation,omitempty"`
	// Samples are tokens of the people whose data is summed up here, ascending and different: 16 hex digits each.
	Samples []string `json:"samples,omitempty"`

	// WeightMax is the largest magnitude of a weight that values were multiplied by; 0 means 1.
	WeightMax int64 `json:"weight_max,omitempty"`
	// Noise is what was added to values; nil is nothing.
	Noise *Noise `json:"noise,omitempty"`

	// Randomizers is RandomizersOwn when the randomizers of all ciphertexts are powers of the key's hs; "" says nothing.
	Randomizers string `json:"randomizers,omitempty"`

	// TableID tells the table from all others: IDDigits hex digits, random for a table that was encrypted; "" in tables of
	// earlier versions. All files of a table have the same.
	TableID string `json:"table_id,omitempty"`
	// Originals are the tables that are summed up here, ascending; none means that this is such a table itself, unless
	// Unidentified says otherwise.
	Originals []Original `json:"originals,omitempty"`
	// Unidentified is how many tables without an id are summed up here besides.
	Unidentified int64 `json:"unidentified,omitempty"`
	// Repeats says that a table may be in the sum more than once. Then there is no Noise.
	Repeats bool `json:"repeats,omitempty"`

	RowGroups []RowGroup `json:"row_groups"` // of the file, set by the Writer

	// Beside the table the footer may have these two texts, which package trust writes and checks, and which the Writer
	// gets from Options.Sign. The Reader sets them, and FooterDigest.
	Signature    string `json:"-"` // the signed statement on the file
	Statements   string `json:"-"` // those on the tables in a sum
	FooterDigest string `json:"-"` // SHA-256 of the table's JSON text in the footer, 64 hex digits
}

// RandomizersOwn is the one value of Table.Randomizers that says something.
const RandomizersOwn = "hs"

// Step is one preparation of an id column, of a measure or of the whole table.
type Step struct {
	On    string `json:"on,omitempty"`    // the id column or measure; "" for all of the table
	Step  string `json:"step"`            // what was done
	Value string `json:"value,omitempty"` // and with which setting
}

// Measure is one quantity packed into ciphertexts. Over the records in which every column of Given is present, it is
// the sum of the product of the columns Terms. Without Terms it is the number of such records.
//
// Record i of a row is in column InColumns[i/Slots], in the Width bits of its
// plaintext from bit Offset + (i%Slots)·Stride on.
type Measure struct {
	Name      string   `json:"name"`
	Terms     []string `json:"terms"`      // source columns multiplied; none: a count
	Given     []string `json:"given"`      // source columns that must be present
	Decimals  int      `json:"decimals"`   // the packed integer is the value x 10^Decimals
	Bound     string   `json:"bound"`      // decimal integer: |packed integer of one record| <= Bound
	Width     int      `json:"width"`      // bits of a slot
	Slots     int      `json:"slots"`      // records in a ciphertext
	Stride    int      `json:"stride"`     // bits from one record's slot to the next; not used when Slots is 1
	Offset    int      `json:"offset"`     // lowest bit of the first record's slot
	InColumns []string `json:"in_columns"` // of Table.Columns
	Count     string   `json:"count"`      // name of the measure that counts the records summed up; "" for none
}

// RowGroup is what the footer says about a row group. The package's
// documentation says what the digests are of.
type RowGroup struct {
	Rows      int64  `json:"rows"`              // rows of the Parquet file: blocks in Blocks
	SHA256    string `json:"ciphertext_sha256"` // 64 hex digits
	IDsSHA256 string `json:"ids_sha256"`        // 64 hex digits
}

// CiphertextBytes is the length of a ciphertext: that of N².
func (t *Table) CiphertextBytes() int { return 2 * t.Bits / 8 }

// CheckTotalRoom refuses a layout whose slots do not leave MaskBits free at the top of a plaintext: a total of such blocks
// could not be masked. Its error is an *column.InputError without a file.
func (t *Table) CheckTotalRoom() error {
	room := t.Bits - 1 - MaskBits
	for i := range t.Measures {
		m := &t.Measures[i]
		if end := m.end(); end > room {
			return refuse("measure %s: its slots end at bit %d of a key of %d bits, which leaves no room for the mask of a total (%d bits)",
				column.Quote(m.Name), end, t.Bits, MaskBits).WithHint("Fuse by group or by record, or encrypt again.")
		}
	}
	return nil
}

// end is the first bit above the measure's slots.
func (m *Measure) end() int { return m.Offset + m.Width + (m.Slots-1)*m.stride() }

// FileRows is the number of rows of the Parquet file, as its row groups say.
func (t *Table) FileRows() int64 {
	rows := int64(0)
	for _, g := range t.RowGroups {
		rows += g.Rows
	}
	return rows
}

// clone returns a copy that shares nothing with t.
func (t *Table) clone() *Table {
	c := *t
	c.PublicKey = append(json.RawMessage(nil), t.PublicKey...)
	c.IDs = append([]string{}, t.IDs...)
	c.Columns = append([]string{}, t.Columns...)
	c.RowGroups = append([]RowGroup{}, t.RowGroups...)
	c.Preparation = append([]Step(nil), t.Preparation...)
	c.Samples = append([]string(nil), t.Samples...)
	c.Noise = t.Noise.clone()
	c.Originals = append([]Original(nil), t.Originals...)
	for i := range c.Originals {
		c.Originals[i].Parts = append([]string(nil), c.Originals[i].Parts...)
	}
	c.Measures = append([]Measure{}, t.Measures...)
	for i := range c.Measures {
		m := &c.Measures[i]
		m.Terms = append([]string{}, m.Terms...)
		m.Given = append([]string{}, m.Given...)
		m.InColumns = append([]string{}, m.InColumns...)
	}
	return &c
}
