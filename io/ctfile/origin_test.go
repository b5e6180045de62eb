package ctfile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/io/column"
)

// tableID is the id of the n-th table of a test.
func tableID(n int) string { return fmt.Sprintf("%032x", n) }

func TestOriginals(t *testing.T) {
	f := forge(t, blocksTable())
	f.table["table_id"], f.table["unidentified"], f.table["repeats"] = tableID(9), 2, true
	f.table["originals"] = []any{
		object{"id": tableID(1), "weight": -3, "source": "hospital-a"},
		object{"id": tableID(2), "weight": 1, "parts": []string{tableID(2) + ":1", tableID(7) + ":12"}},
		object{"id": tableID(2), "weight": 1, "parts": []string{tableID(2) + ":1", tableID(7) + ":12"}, "x_note": "ignored"},
	}
	r, err := Open(ctx, memFS(f.bytes(t)), "f", column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	table := r.Table()
	parts := []string{tableID(2) + ":1", tableID(7) + ":12"}
	want := []Original{{tableID(1), -3, "hospital-a", nil}, {tableID(2), 1, "", parts}, {tableID(2), 1, "", parts}}
	if !reflect.DeepEqual(table.Originals, want) || table.TableID != tableID(9) || table.Unidentified != 2 || !table.Repeats {
		t.Errorf("%+v", table)
	}
	c := table.clone()
	c.Originals[0].Source, c.Originals[1].Parts[0] = "other", "other"
	if !reflect.DeepEqual(table.Originals, want) {
		t.Error("a clone shares its originals")
	}
}

func TestOriginalsRefused(t *testing.T) {
	two := func(f func(a, b object)) func(object) {
		return func(table object) {
			a, b := object{"id": tableID(1), "weight": 1}, object{"id": tableID(2), "weight": 1}
			f(a, b)
			table["originals"] = []any{a, b}
		}
	}
	for _, c := range []struct {
		want   string
		tamper func(table object)
	}{
		{"the table's id is not 32 hex digits", func(t object) { t["table_id"] = "01" }},
		{"the table's id is not 32 hex digits", func(t object) { t["table_id"] = strings.Repeat("A", 32) }},
		{"gives it no id", func(t object) { delete(t, "table_id"); t["unidentified"] = 1 }},
		{"gives it no id", func(t object) { delete(t, "table_id"); t["repeats"] = true }},
		{"gives it no id", func(t object) {
			delete(t, "table_id")
			t["originals"] = []any{object{"id": tableID(1), "weight": 1}}
		}},
		{"unidentified is -1", func(t object) { t["unidentified"] = -1 }},
		{"an id is not 32 hex digits", two(func(a, _ object) { a["id"] = "x" })},
		{"has the weight 0", two(func(a, _ object) { delete(a, "weight") })},
		{"is not a line", two(func(a, _ object) { a["source"] = "a\x1b[2J" })},
		{"is not a line", two(func(a, _ object) { a["source"] = strings.Repeat("a", NameBytesMax+1) })},
		{"not in the order of their ids", two(func(a, _ object) { a["id"] = tableID(3) })},
		{"is there twice", two(func(a, _ object) { a["id"] = tableID(2) })},
		{"is there twice", two(func(a, b object) { a["id"], b["parts"] = tableID(2), []string{tableID(2) + ":1"} })},
		{"is no part of a table", two(func(a, _ object) { a["parts"] = []string{tableID(2)} })},
		{"is no part of a table", two(func(a, _ object) { a["parts"] = []string{tableID(2) + ":0"} })},
		{"is no part of a table", two(func(a, _ object) { a["parts"] = []string{tableID(2) + ":01"} })},
		{"is no part of a table", two(func(a, _ object) { a["parts"] = []string{":1"} })},
		{"not in the order of their tables", two(func(a, _ object) { a["parts"] = []string{tableID(2) + ":1", tableID(2) + ":2"} })},
		{"more than 8", two(func(a, _ object) {
			var parts []string
			for i := range 9 {
				parts = append(parts, tableID(i)+":1")
			}
			a["parts"] = parts
		})},
		{`unknown field "Weight" of originals`, two(func(a, _ object) { a["Weight"] = 1 })},
		{"has a guarantee of privacy", func(t object) { t["repeats"], t["noise"] = true, noised() }},
	} {
		f := forge(t, blocksTable())
		f.table["table_id"] = tableID(9)
		c.tamper(f.table)
		if _, err := readBytes(f.bytes(t), column.ReadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

// Entries of one table have no row in common if some table has them in different parts.
func TestRepeated(t *testing.T) {
	part := func(table, n int) string { return fmt.Sprintf("%s:%d", tableID(table), n) }
	for _, c := range []struct {
		name  string
		parts [][]string
		want  bool
	}{
		{"one", [][]string{nil}, false},
		{"the same twice", [][]string{nil, nil}, true},
		{"a part and the whole", [][]string{nil, {part(1, 1)}}, true},
		{"two parts", [][]string{{part(1, 1)}, {part(1, 2)}}, false},
		{"a part twice", [][]string{{part(1, 1)}, {part(1, 2)}, {part(1, 2)}}, true},
		{"parts of different sums", [][]string{{part(2, 1)}, {part(3, 2)}}, true},
		{"parts of parts", [][]string{{part(1, 1), part(2, 1)}, {part(1, 1), part(2, 2)}, {part(1, 2), part(2, 1)}}, false},
		{"a part of a part twice", [][]string{{part(1, 1), part(2, 1)}, {part(1, 1), part(2, 1)}, {part(1, 2), part(2, 1)}}, true},
		{"the second table tells", [][]string{{part(1, 1), part(2, 1)}, {part(2, 2)}}, false},
		{"a part of another sum and all its rows", [][]string{{part(1, 1)}, {part(1, 1), part(2, 1)}}, true},
	} {
		list := []Original{{ID: tableID(0), Weight: 1}}
		for _, parts := range c.parts {
			list = append(list, Original{ID: tableID(1), Weight: 1, Parts: parts})
		}
		list = append(list, Original{ID: tableID(2), Weight: 1})
		a, b, got := Repeated(list)
		if got != c.want || got && (a < 1 || a >= b || b >= len(list)-1) {
			t.Errorf("%s: %d, %d, %v", c.name, a, b, got)
		}
	}
}

// Forged footers cannot make the check slow: it is linear in the entries of one table.
func TestRepeatedIsLinear(t *testing.T) {
	seconds := func(n int) float64 {
		list := make([]Original, n)
		for i := range list {
			list[i] = Original{ID: tableID(1), Weight: 1}
			for table := range PartsMax - 1 {
				list[i].Parts = append(list[i].Parts, fmt.Sprintf("%s:1", tableID(table)))
			}
			list[i].Parts = append(list[i].Parts, fmt.Sprintf("%s:%d", tableID(PartsMax), i+1))
		}
		start := time.Now()
		if _, _, ok := Repeated(list); ok {
			t.Fatal("different parts are called the same")
		}
		return time.Since(start).Seconds()
	}
	seconds(1 << 10)
	few, many := seconds(1<<12), seconds(1<<16)
	if many > 16*10*max(few, 1e-3) {
		t.Errorf("%.3f s for 4096 entries, %.3f s for 65536", few, many)
	}
}

func TestContents(t *testing.T) {
	part := func(table, n int) string { return fmt.Sprintf("%s:%d", tableID(table), n) }
	list := []Original{{tableID(1), 2, "a", nil}, {tableID(2), 1, "", []string{part(1, 4)}}}
	for _, c := range []struct {
		name      string
		table     Table
		want      []Original
		owners    int64
		withoutID int64
	}{
		{"an earlier version", Table{JobID: "x"}, nil, 0, 1},
		{"an owner's", Table{TableID: tableID(5), Source: "a"}, []Original{{tableID(5), 1, "a", nil}}, 1, 0},
		{"a part of an owner's", Table{TableID: tableID(5), Part: 2}, []Original{{tableID(5), 1, "", []string{part(5, 2)}}}, 1, 0},
		{"the only part", Table{TableID: tableID(5), Part: 1, LastPart: true}, []Original{{tableID(5), 1, "", nil}}, 1, 0},
		{"a sum", Table{TableID: tableID(5), Originals: list}, list, 2, 0},
		{"a part of a sum", Table{TableID: tableID(0), Originals: list, Part: 3},
			[]Original{{tableID(1), 2, "a", []string{part(0, 3)}}, {tableID(2), 1, "", []string{part(0, 3), part(1, 4)}}}, 2, 0},
		{"a sum of tables without ids", Table{TableID: tableID(5), Unidentified: 3}, nil, 0, 3},
		{"weights that cancel out", Table{TableID: tableID(5), Repeats: true, Originals: []Original{{tableID(1), -2, "", nil}, {tableID(1), 2, "", nil}, {tableID(2), 1, "", nil}}},
			[]Original{{tableID(1), -2, "", nil}, {tableID(1), 2, "", nil}, {tableID(2), 1, "", nil}}, 1, 0},
	} {
		if got := c.table.Contents(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if n, m := c.table.Owners(), c.table.WithoutID(); n != c.owners || m != c.withoutID {
			t.Errorf("%s: %d owners, %d without id", c.name, n, m)
		}
	}
	if list[1].Parts[0] != part(1, 4) || len(list[1].Parts) != 1 {
		t.Error("Contents changed the table's list")
	}
}
