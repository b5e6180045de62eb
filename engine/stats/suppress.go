package stats

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Suppression hides what rests on few values: all statistics of a measure, its count included, in a record where fewer than
// Least of its values were added up, and all of a pair of measures.
//
// A pair must also not differ from its two measures, or from another pair that has one of them, by fewer than Least records:
// with the sums of both populations, the records that only one of them has could be computed. And where the hidden records of
// a measure or pair have fewer than Least values together, or none, one more is hidden: whoever knows the total over all
// records could subtract the others from it.
//
// A hidden count hides zero, too. What owners know of each other, and relations between measures such as one that is the sum
// of two, are not known here.
type Suppression struct {
	Least int64
	units []unit
	// further are the units that are hidden in a record because of the other records.
	further map[Place][]int
}

// unit is a measure or a pair: what is hidden together.
type unit struct {
	count   int   // quantity that counts its values
	within  []int // of a pair: the quantities that count the values of its measures
	sharing []int // of a pair: earlier units, of pairs that have a measure in common with it
	pairs   []int // of a measure: units of its pairs
}

// Place says where a record is: in which file of the table, in which row of it, and which record of that row.
type Place struct {
	File   string
	Row    int64
	Record int
}

func (p Place) compare(q Place) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Row, q.Row), cmp.Compare(p.Record, q.Record))
}

// NewSuppression prepares to look at the counts of a table, of which ForTable makes statistics. least 0 hides nothing.
func NewSuppression(t *ctfile.Table, least int64) *Suppression {
	s := &Suppression{Least: least}
	counts := map[string]int{} // quantities that count, by what must be present
	for q, m := range t.Measures {
		if len(m.Terms) == 0 {
			counts[slots.KeyOf(nil, m.Given)] = q
		}
	}
	measures := map[string]int{} // units
	for _, m := range t.Measures {
		if len(m.Given) == 1 && len(m.Terms) == 1 {
			measures[m.Name] = len(s.units)
			s.units = append(s.units, unit{count: counts[slots.KeyOf(nil, m.Given)]})
		}
	}
	for _, m := range t.Measures {
		if len(m.Given) != 2 || !slices.Equal(m.Terms, m.Given) {
			continue
		}
		u := unit{count: counts[slots.KeyOf(nil, m.Given)]}
		for _, name := range m.Given {
			of := &s.units[measures[name]]
			u.within = append(u.within, of.count)
			u.sharing = append(u.sharing, of.pairs...)
			of.pairs = append(of.pairs, len(s.units))
		}
		s.units = append(s.units, u)
	}
	return s
}

// Tally is what one worker saw.
type Tally struct {
	Small   int64 // results, each of a record and a measure or pair, that rest on fewer than Least values or could betray them
	Further int64 // hidden besides, because of other records
	Single  int64 // results of a measure that rest on one value

	// Per unit, of all records: of its values, and of those of the first and second measure that are not in the pair.
	hidden [][3]hiddenValues
}

// hiddenValues is how many values are hidden, and which record with some of them to hide next.
type hiddenValues struct {
	hidden int64
	zero   bool // a count of 0 is hidden: alone, it would be known to be 0
	next   *candidate
}

// candidate is a record that is not hidden.
type candidate struct {
	values int64 // of the unit
	place  Place
}

func (c *candidate) before(d *candidate) bool {
	return d == nil || c != nil && (c.values < d.values || c.values == d.values && c.place.compare(d.place) < 0)
}

// NewTally begins one; that of no suppression is nil.
func (s *Suppression) NewTally() *Tally {
	if s == nil {
		return nil
	}
	return &Tally{hidden: make([][3]hiddenValues, len(s.units))}
}

// Hide looks at records, counts, and says what is to be hidden: hidden[count quantity][record], nil when nothing can be.
// place tells where a record is.
func (s *Suppression) Hide(t *Tally, sums [][]codec.Int, records int, place func(record int) Place) [][]bool {
	count := func(quantity, record int) int64 { return int64(sums[quantity][record].LowBits()) }
	if s.Least == 0 {
		for _, u := range s.units {
			for r := 0; u.within == nil && r < records; r++ {
				if count(u.count, r) == 1 {
					t.Single++
				}
			}
		}
		return nil
	}
	hidden := make([][]bool, len(sums))
	for _, u := range s.units {
		hidden[u.count] = make([]bool, records)
	}
	few := func(n int64) bool { return n > 0 && n < s.Least }
	for r := range records {
		for _, u := range s.units {
			n := count(u.count, r)
			small := n < s.Least
			for _, w := range u.within {
				small = small || few(count(w, r)-n) || hidden[w][r]
			}
			for _, other := range u.sharing {
				if d := n - count(s.units[other].count, r); few(max(d, -d)) {
					small, hidden[s.units[other].count][r] = true, true
				}
			}
			hidden[u.count][r] = hidden[u.count][r] || small
		}
		at := place(r)
		for i, u := range s.units {
			n := count(u.count, r)
			differences := [3]int64{n}
			for j, w := range u.within {
				differences[1+j] = count(w, r) - n
			}
			small := hidden[u.count][r]
			if small {
				t.Small++
			}
			for j, d := range differences {
				switch c := &t.hidden[i][j]; {
				case small:
					c.hidden = codec.SaturatingAdd(c.hidden, max(0, d))
					c.zero = c.zero || j == 0 && d == 0
				case d > 0:
					if x := (candidate{n, at}); x.before(c.next) {
						c.next = &x
					}
				}
			}
		}
		for _, i := range s.further[at] {
			s.hideFurther(t, hidden, i, r)
		}
	}
	return hidden
}

// hideFurther hides a unit in a record, and of a measure the pairs that it is in.
func (s *Suppression) hideFurther(t *Tally, hidden [][]bool, i, record int) {
	u := s.units[i]
	if !hidden[u.count][record] {
		hidden[u.count][record] = true
		t.Further++
	}
	for _, pair := range u.pairs {
		s.hideFurther(t, hidden, pair, record)
	}
}

// Add adds up what two workers saw.
func (t *Tally) Add(x *Tally) {
	t.Small, t.Further, t.Single = t.Small+x.Small, t.Further+x.Further, t.Single+x.Single
	for i := range t.hidden {
		for j := range t.hidden[i] {
			c, d := &t.hidden[i][j], x.hidden[i][j]
			c.hidden, c.zero = codec.SaturatingAdd(c.hidden, d.hidden), c.zero || d.zero
			if d.next != nil && d.next.before(c.next) {
				c.next = d.next
			}
		}
	}
}

// Again says, of all records of the table, whether more must be hidden than what a record tells by itself, and notes it: then
// all is to be looked at once more. It is false the second time.
func (s *Suppression) Again(t *Tally) bool {
	if s.Least == 0 || s.further != nil {
		return false
	}
	s.further = map[Place][]int{}
	for i := range s.units {
		for _, c := range t.hidden[i] {
			if (c.hidden > 0 || c.zero) && c.hidden < s.Least && c.next != nil && !slices.Contains(s.further[c.next.place], i) {
				s.further[c.next.place] = append(s.further[c.next.place], i)
			}
		}
	}
	return len(s.further) > 0
}
