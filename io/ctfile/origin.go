package ctfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
)

// Limits of what a footer says about the tables that are in a sum.
const (
	OriginalsMax = 1 << 16 // entries of Table.Originals
	PartsMax     = 8       // entries of Original.Parts
	IDDigits     = 32      // of a table's id, in hex: 128 bits
)

// Original is a table as its owner encrypted it, as far as it is in a sum.
type Original struct {
	ID     string `json:"id"`               // its Table.TableID
	Weight int64  `json:"weight"`           // that its values are multiplied by: not 0
	Source string `json:"source,omitempty"` // its Table.Source
	// Parts are TABLE:N each, N from 1: the rows that are here are only those that are in part N of the table with that
	// id, and in those of all other entries. They ascend. None means all rows.
	Parts []string `json:"parts,omitempty"`
}

// Name is what to call the table in a message: its owner, as far as it has one, and the begin of its id.
func (o *Original) Name() string {
	if o.Source == "" {
		return o.ID[:8]
	}
	return fmt.Sprintf("%s of %s", o.ID[:8], column.Quote(o.Source))
}

// Compare is the order of the originals in a footer: by id, parts and weight.
func (o *Original) Compare(x *Original) int {
	return cmp.Or(cmp.Compare(o.ID, x.ID), slices.Compare(o.Parts, x.Parts), cmp.Compare(o.Weight, x.Weight))
}

// Contents are the original tables in t, in order: t itself, or those of its list. Of a part of a table it is that part of
// them. There is none of a table of an earlier version.
func (t *Table) Contents() []Original {
	var out []Original
	switch {
	case t.TableID == "" || len(t.Originals) == 0 && t.Unidentified > 0:
		return nil
	case len(t.Originals) == 0:
		out = []Original{{ID: t.TableID, Weight: 1, Source: t.Source}}
	default:
		out = slices.Clone(t.Originals)
	}
	if t.Part == 0 || t.Part == 1 && t.LastPart {
		return out
	}
	part := fmt.Sprintf("%s:%d", t.TableID, t.Part)
	for i := range out {
		out[i].Parts = slices.Sorted(slices.Values(append(slices.Clone(out[i].Parts), part)))
	}
	return out
}

// IsSum reports whether t is known to be a sum: not a table as its owner encrypted it.
func (t *Table) IsSum() bool { return t.TableID != "" && (len(t.Originals) > 0 || t.Unidentified > 0) }

// WithoutID is how many tables are in t of which no id is known: those of versions that gave none.
func (t *Table) WithoutID() int64 {
	if t.TableID == "" {
		return max(1, t.Unidentified)
	}
	return t.Unidentified
}

// Owners is how many different original tables are in the sum. One whose weights cancel out is not.
func (t *Table) Owners() int64 {
	type stretch struct{ id, parts string }
	weights := map[stretch]int64{}
	for _, o := range t.Contents() {
		weights[stretch{o.ID, strings.Join(o.Parts, " ")}] += o.Weight
	}
	ids := map[string]bool{}
	for x, weight := range weights {
		if weight != 0 {
			ids[x.id] = true
		}
	}
	return int64(len(ids))
}

// Repeated returns the indices of two of the originals, which are in order, that may have rows in common: entries of one
// id, unless they are of different parts of some table. ok is false when there are none.
func Repeated(list []Original) (a, b int, ok bool) {
	for from := 0; from < len(list); {
		var group []int
		for to := from; to < len(list) && list[to].ID == list[from].ID; to++ {
			group = append(group, to)
		}
		if a, b, ok := repeated(list, group); ok {
			return a, b, true
		}
		from += len(group)
	}
	return 0, 0, false
}

// repeated is Repeated for entries of one id. All of them must be parts of one table: then those of different parts have
// no row in common, and those of the same part must differ in another table's. It takes time in proportion to the
// entries times PartsMax², however many of one id a footer has.
func repeated(list []Original, group []int) (a, b int, ok bool) {
	if len(group) < 2 {
		return 0, 0, false
	}
	for _, part := range list[group[0]].Parts {
		table := part[:IDDigits]
		byPart := map[string][]int{}
		for _, i := range group {
			at := slices.IndexFunc(list[i].Parts, func(p string) bool { return p[:IDDigits] == table })
			if at < 0 {
				byPart = nil
				break
			}
			byPart[list[i].Parts[at]] = append(byPart[list[i].Parts[at]], i)
		}
		if len(byPart) < 2 {
			continue
		}
		for _, part := range slices.Sorted(maps.Keys(byPart)) {
			if a, b, ok := repeated(list, byPart[part]); ok {
				return a, b, true
			}
		}
		return 0, 0, false
	}
	return group[0], group[1], true
}

// checkOriginals checks what the footer says about the tables in the sum.
func (t *Table) checkOriginals() error {
	if t.TableID != "" && !isHex(t.TableID, IDDigits) {
		return refuse("the table's id is not %d hex digits", IDDigits)
	}
	if t.TableID == "" && (len(t.Originals) > 0 || t.Unidentified != 0 || t.Repeats) {
		return refuse("the footer tells which tables are in the sum, and gives it no id")
	}
	if t.Unidentified < 0 {
		return refuse("unidentified is %d", t.Unidentified)
	}
	if len(t.Originals) > OriginalsMax {
		return refuse("%d tables are in the sum, more than %d", len(t.Originals), OriginalsMax)
	}
	for i := range t.Originals {
		o := &t.Originals[i]
		if !isHex(o.ID, IDDigits) {
			return refuse("originals: an id is not %d hex digits", IDDigits)
		}
		if o.Weight == 0 {
			return refuse("originals: table %s has the weight 0", o.ID)
		}
		if !isLine(o.Source, NameBytesMax) {
			return refuse("originals: the source of table %s is not a line of at most %d bytes of text", o.ID, NameBytesMax)
		}
		if err := o.checkParts(); err != nil {
			return err
		}
		if i > 0 && t.Originals[i-1].Compare(o) > 0 {
			return refuse("originals are not in the order of their ids")
		}
	}
	if a, _, ok := Repeated(t.Originals); ok && !t.Repeats {
		return refuse("originals: table %s is there twice", t.Originals[a].ID)
	}
	if t.Repeats && t.Noise != nil {
		return refuse("a table that may be in the sum twice has a guarantee of privacy")
	}
	return nil
}

func (o *Original) checkParts() error {
	if len(o.Parts) > PartsMax {
		return refuse("originals: table %s is a part of %d tables, more than %d", o.ID, len(o.Parts), PartsMax)
	}
	for i, p := range o.Parts {
		table, number, _ := strings.Cut(p, ":")
		if n, err := strconv.ParseInt(number, 10, 32); err != nil || n < 1 || strconv.FormatInt(n, 10) != number || !isHex(table, IDDigits) {
			return refuse("originals: %s is no part of a table", column.Quote(p))
		}
		if i > 0 && o.Parts[i-1][:IDDigits] >= table {
			return refuse("originals: the parts of table %s are not in the order of their tables", o.ID)
		}
	}
	return nil
}
