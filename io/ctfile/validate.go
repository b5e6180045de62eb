package ctfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	mathbits "math/bits"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
)

// Limits of version 1.
const (
	BitsMax         = 8192    // of the modulus N
	BlockRecordsMax = 1 << 20 // records in a row
	NameBytesMax    = 1024    // of a column or measure
	SampleDigits    = 16      // of the token of a sample, in hex
	WidthMax        = 128     // bits of a slot
	ColumnsMax      = 1 << 18 // ids and ciphertext columns
	MeasuresMax     = 1 << 18
	MaskBits        = 42 // that a total in blocks leaves free at the top of a plaintext, for what masks it
)

// Validate checks a table against the format's rules, except those that need the file. Its errors are
// *column.InputError without a file.
func (t *Table) Validate() error {
	if err := t.validateUnwritten(); err != nil {
		return err
	}
	return t.checkRowGroups()
}

// validateUnwritten is Validate before there are row groups.
func (t *Table) validateUnwritten() error {
	for _, check := range []func() error{t.checkKey, t.checkLayout, t.checkNames, t.checkHeadroom, t.checkMeasures, t.checkTotal, t.checkSlots, t.checkNoise, t.checkPreparation, t.checkOriginals} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// refuse is an InputError of the footer.
func refuse(format string, args ...any) *column.InputError {
	return column.Refuse("", format, args...).WithHint("The file is damaged, or was not made by cipherfold.")
}

func (t *Table) checkKey() error {
	if t.Scheme != SchemePaillier {
		return refuse("the scheme %s is not known", column.Quote(t.Scheme)).
			WithHint("A newer cipherfold may know it; this one knows %q.", SchemePaillier)
	}
	if !slices.Contains([]string{"textbook", "djn", "mhl"}, t.Variant) {
		return refuse("the variant %s is not known", column.Quote(t.Variant)).
			WithHint(`A newer cipherfold may know it; this one knows "textbook", "djn" and "mhl".`)
	}
	if t.Randomizers != "" && (t.Randomizers != RandomizersOwn || t.Variant == "textbook") {
		return refuse("the randomizers %s are not known with the variant %q", column.Quote(t.Randomizers), t.Variant).
			WithHint("A newer cipherfold may know them; this one knows %q, with djn and mhl.", RandomizersOwn)
	}
	if t.Bits < 64 || t.Bits > BitsMax || t.Bits%64 != 0 {
		return refuse("a key of %d bits: not a multiple of 64 up to %d", t.Bits, BitsMax)
	}
	if t.Bits < 2048 && !t.TestKey {
		return refuse("a key of %d bits that is not marked as a test key", t.Bits).
			WithHint("Keys below 2048 bits protect nothing; make a new key.")
	}
	if !isHex(t.Fingerprint, 64) {
		return refuse("the key's fingerprint is not 64 hex digits")
	}
	if _, err := strictjson.Members(t.PublicKey); err != nil {
		return refuse("the public key is not a JSON object: %w", named(err))
	}
	return checkTexts(t.PublicKey)
}

// checkTexts checks that the names and texts in valid JSON can be printed.
func checkTexts(raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return refuse("the public key is not a JSON object: %w", err)
		}
		if text, ok := token.(string); ok && !isLine(text, len(raw)) {
			return refuse("the public key has the text %s, which is not a line that can be shown", column.Quote(text))
		}
	}
}

// isLine says whether text is one line of at most so many bytes that can be shown to a person.
func isLine(text string, bytes int) bool { return len(text) <= bytes && printable.Check(text) == nil }

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

func (t *Table) checkLayout() error {
	switch t.Layout {
	case Records:
		if t.BlockRecords != 0 {
			return refuse("block_records is %d in the layout %q", t.BlockRecords, Records)
		}
	case Blocks:
		if t.BlockRecords < 1 || t.BlockRecords > BlockRecordsMax {
			return refuse("block_records is %d: not between 1 and %d", t.BlockRecords, BlockRecordsMax)
		}
	default:
		return refuse("the layout %s is not known", column.Quote(t.Layout)).
			WithHint("A newer cipherfold may know it; this one knows %q and %q.", Records, Blocks)
	}
	if t.Total && len(t.IDs) > 0 {
		return refuse("a total has id columns")
	}
	if t.Rows < 0 {
		return refuse("rows is %d", t.Rows)
	}
	if t.Part < 0 || t.LastPart && t.Part == 0 {
		return refuse("part is %d", t.Part)
	}
	if more := t.Part > 0 && !t.LastPart; more && t.Layout == Blocks && t.Rows%int64(t.BlockRecords) != 0 {
		return refuse("%d records in part %d are no whole number of blocks, and it is not the last part", t.Rows, t.Part)
	}
	return nil
}

func (t *Table) checkNames() error {
	if len(t.Columns) == 0 {
		return refuse("there is no ciphertext column")
	}
	if n := len(t.IDs) + len(t.Columns); n > ColumnsMax {
		return refuse("%d columns, more than %d", n, ColumnsMax).WithHint("Encrypt the measures in several tables.")
	}
	for _, name := range append(append([]string{}, t.IDs...), t.Columns...) {
		if err := checkName("column", name); err != nil {
			return err
		}
	}
	if err := distinct("column", append(append([]string{}, t.IDs...), t.Columns...)); err != nil {
		return err
	}
	for what, text := range map[string]string{"source": t.Source, "job_id": t.JobID} {
		if !isLine(text, NameBytesMax) {
			return refuse("%s is not a line of at most %d bytes of text", what, NameBytesMax)
		}
	}
	return nil
}

// checkName checks the name of a column or measure: it must be printable and unambiguous.
func checkName(what, name string) error {
	why := ""
	switch err := printable.Check(name); {
	case name == "":
		why = "is empty"
	case len(name) > NameBytesMax:
		why = fmt.Sprintf("is longer than %d bytes", NameBytesMax)
	case err != nil:
		why = "cannot be shown: " + err.Error()
	case strings.TrimSpace(name) != name:
		why = "begins or ends with white space"
	default:
		return nil
	}
	return refuse("the %s name %s %s", what, column.Quote(name), why).WithHint("Give it another name.")
}

func distinct(what string, names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return refuse("two are called %s: every %s needs a name of its own", column.Quote(name), what).
				WithHint("Give one of them another name.")
		}
		seen[name] = true
	}
	return nil
}

func (t *Table) checkHeadroom() error {
	if t.MaxAdds < 1 {
		return refuse("max_adds is %d", t.MaxAdds)
	}
	if t.AddsUsed < 0 || t.AddsUsed > t.MaxAdds {
		return refuse("adds_used is %d, where at most %d additions fit (max_adds)", t.AddsUsed, t.MaxAdds).
			WithHint("Encrypt with a larger ‹max_adds›.")
	}
	return nil
}

func (t *Table) checkMeasures() error {
	if len(t.Measures) == 0 {
		return refuse("there is no measure")
	}
	if len(t.Measures) > MeasuresMax {
		return refuse("%d measures, more than %d", len(t.Measures), MeasuresMax).WithHint("Encrypt them in several tables.")
	}
	byName := make(map[string]*Measure, len(t.Measures))
	names := make([]string, len(t.Measures))
	for i := range t.Measures {
		m := &t.Measures[i]
		if err := checkName("measure", m.Name); err != nil {
			return err
		}
		names[i], byName[m.Name] = m.Name, m
	}
	if err := distinct("measure", names); err != nil {
		return err
	}
	for i := range t.Measures {
		m := &t.Measures[i]
		if err := t.checkMeasure(m); err != nil {
			return err
		}
		if m.Count == "" {
			continue
		}
		count, ok := byName[m.Count]
		switch {
		case !ok:
			return refuse("measure %s: its count %s does not exist", column.Quote(m.Name), column.Quote(m.Count))
		case len(m.Terms) == 0:
			return refuse("measure %s is a count and has a count", column.Quote(m.Name))
		case len(count.Terms) > 0:
			return refuse("measure %s: its count %s is not a count", column.Quote(m.Name), column.Quote(m.Count))
		}
	}
	return nil
}

func (t *Table) checkMeasure(m *Measure) error {
	bad := func(format string, args ...any) error {
		return refuse("measure %s: %s", column.Quote(m.Name), fmt.Sprintf(format, args...))
	}
	for _, name := range append(append([]string{}, m.Terms...), m.Given...) {
		if err := checkName("source column", name); err != nil {
			return err
		}
	}
	if m.Decimals < 0 || m.Decimals > 38 {
		return bad("decimals is %d: not between 0 and 38", m.Decimals)
	}
	if len(m.Terms) == 0 && m.Decimals != 0 {
		return bad("a count with decimals")
	}
	if m.Width < 2 || m.Slots < 1 || m.Offset < 0 || m.Slots > 1 && m.Stride < m.Width {
		return bad("width %d, slots %d, stride %d, offset %d: the slots overlap or are none", m.Width, m.Slots, m.Stride, m.Offset)
	}
	// A plaintext is below N, which has t.Bits bits: t.Bits-1 bits always fit.
	// Each of the terms is bounded before they are added.
	room := t.Bits - 1
	if m.Width > room || m.Offset > room || m.Slots > room || m.Stride > room || m.end() > room {
		return bad("%d slots of %d bits from bit %d on do not fit a plaintext of %d bits", m.Slots, m.Width, m.Offset, room)
	}
	if len(m.InColumns) == 0 {
		return bad("it is in no column")
	}
	if err := distinct("column of a measure", m.InColumns); err != nil {
		return err
	}
	if t.Layout == Records && (m.Slots != 1 || len(m.InColumns) != 1) {
		return bad("%d slots in %d columns, where a row is one record", m.Slots, len(m.InColumns))
	}
	if t.Layout == Blocks {
		if need := (t.BlockRecords + m.Slots - 1) / m.Slots; len(m.InColumns) != need {
			return bad("%d columns of %d slots for blocks of %d records, which need %d", len(m.InColumns), m.Slots, t.BlockRecords, need)
		}
	}
	return t.checkBound(m, bad)
}

// stride is m.Stride where it counts.
func (m *Measure) stride() int {
	if m.Slots == 1 {
		return 0
	}
	return m.Stride
}

func (t *Table) checkBound(m *Measure, bad func(string, ...any) error) error {
	digits := strings.Trim(m.Bound, "0123456789") == ""
	if m.Bound == "" || !digits || m.Bound[0] == '0' && m.Bound != "0" || len(m.Bound) > BitsMax/3 {
		return bad("the bound %s is not a decimal integer", column.Quote(m.Bound))
	}
	// Sums from -bound·max_adds to bound·max_adds fit a signed number of Width bits: 2·bound·max_adds < 2^Width.
	bound, _ := new(big.Int).SetString(m.Bound, 10)
	if sum := bound.Mul(bound, big.NewInt(t.MaxAdds)); sum.BitLen() > m.Width-1 {
		return bad("%d additions of values up to %s and the sign need more than the slot's %d bits", t.MaxAdds, column.Quote(m.Bound), m.Width)
	}
	if m.Width > WidthMax {
		return bad("slots of %d bits, more than %d", m.Width, WidthMax)
	}
	return nil
}

// checkTotal checks that a total in blocks could be masked.
func (t *Table) checkTotal() error {
	if t.Total && t.Layout == Blocks {
		return t.CheckTotalRoom()
	}
	return nil
}

// checkSlots checks that no two slots share a bit of a ciphertext, and that
// every ciphertext column is used. It takes time in proportion to the columns
// of all measures, whatever their slots.
func (t *Table) checkSlots() error {
	words := t.Bits / 64
	at := make(map[string]int, len(t.Columns))
	for i, name := range t.Columns {
		at[name] = i
	}
	used := make([][]uint64, len(t.Columns)) // a bit per plaintext bit
	own := make([]uint64, words)             // the measure's
	for i := range t.Measures {
		m := &t.Measures[i]
		m.bits(own)
		for _, name := range m.InColumns {
			c, ok := at[name]
			if !ok {
				return refuse("measure %s: there is no ciphertext column %s", column.Quote(m.Name), column.Quote(name))
			}
			if used[c] == nil {
				used[c] = slices.Clone(own)
				continue
			}
			for w, bits := range own {
				if shared := used[c][w] & bits; shared != 0 {
					return refuse("measure %s: its slot %d in column %s overlaps another", column.Quote(m.Name), m.slotOf(64*w+mathbits.TrailingZeros64(shared)), column.Quote(name))
				}
				used[c][w] |= bits
			}
		}
	}
	for i, name := range t.Columns {
		if used[i] == nil {
			return refuse("ciphertext column %s holds no measure", column.Quote(name))
		}
	}
	return nil
}

// bits sets the bits of a plaintext that the measure's slots have.
func (m *Measure) bits(plaintext []uint64) {
	clear(plaintext)
	for slot := range m.Slots {
		from := m.Offset + slot*m.stride()
		for to := from + m.Width; from < to; {
			n := min(to-from, 64-from%64)
			plaintext[from/64] |= (1<<n - 1) << (from % 64)
			from += n
		}
	}
}

// slotOf is the slot that a bit of a plaintext belongs to.
func (m *Measure) slotOf(bit int) int {
	if m.Slots == 1 {
		return 0
	}
	return (bit - m.Offset) / m.Stride
}

// checkPreparation checks that steps and samples can be printed and compared.
func (t *Table) checkPreparation() error {
	for _, s := range t.Preparation {
		if s.Step == "" {
			return refuse("preparation: a step without a name")
		}
		for _, text := range []string{s.On, s.Step, s.Value} {
			if !isLine(text, NameBytesMax) {
				return refuse("preparation: %s is not a line of at most %d bytes of text", column.Quote(text), NameBytesMax)
			}
		}
	}
	for i, s := range t.Samples {
		if !isHex(s, SampleDigits) {
			return refuse("samples: %s is not %d hex digits", column.Quote(s), SampleDigits)
		}
		if i > 0 && s <= t.Samples[i-1] {
			return refuse("samples: they are not in ascending order")
		}
	}
	return nil
}

func (t *Table) checkRowGroups() error {
	rows := int64(0)
	for i, g := range t.RowGroups {
		if g.Rows < 1 || g.Rows > math.MaxInt64-rows {
			return refuse("row_groups: %d rows", g.Rows).InRowGroup(i + 1)
		}
		rows += g.Rows
		if !isHex(g.SHA256, 64) || !isHex(g.IDsSHA256, 64) {
			return refuse("row_groups: a digest is not 64 hex digits").InRowGroup(i + 1)
		}
	}
	want := t.Rows
	switch {
	case t.Total:
		if rows != 1 {
			return refuse("a total of %d rows", rows)
		}
		return nil
	case t.Layout == Blocks:
		want = t.blocks()
	}
	if rows != want {
		return refuse("the row groups have %d rows, where %d records make %d", rows, t.Rows, want)
	}
	return nil
}

// blocks is the number of rows of Blocks that the table's records make.
func (t *Table) blocks() int64 {
	n := t.Rows / int64(t.BlockRecords)
	if t.Rows%int64(t.BlockRecords) != 0 {
		n++
	}
	return n
}
