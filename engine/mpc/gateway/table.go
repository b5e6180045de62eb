package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Table says how a table has readings. A long table has a column of attributes' names and one of values; a wide one has a
// column for each attribute.
type Table struct {
	Patient    string   // column
	Time       string   // column
	Attribute  string   // column of a long table; "" for a wide one
	Value      string   // column of a long table
	Attributes []string // that are taken; none means all that the servers have
	TimeUnit   string   // of times that are numbers: ms, s or min; texts and timestamps are RFC 3339
	Round      bool     // to the decimals of the attribute, half to even; without it, a number with more is refused
	SkipOthers bool     // leave out rows of attributes that are not taken, which are refused otherwise
}

// TimeUnits are milliseconds of each unit of times.
var timeUnits = map[string]int64{"ms": 1, "s": 1000, "min": 60_000}

// Check refuses a description that makes no sense.
func (t *Table) Check() error {
	switch {
	case t.Patient == "" || t.Time == "":
		return job.Misuse("Name the columns of patients and times.", "no column of patients or times")
	case (t.Attribute == "") != (t.Value == ""):
		return job.Misuse("Give ‹attribute› and ‹value› for a long table, or neither.", "a long table has columns of attributes and of values")
	case timeUnits[t.TimeUnit] == 0:
		return job.Misuse("Choose ms, s or min.", "‹time_unit› %s is unknown", t.TimeUnit)
	}
	return nil
}

// Ingest reads the rows of a table and adds their readings. Rows without a value are left out. It returns how many readings
// it added, and how many rows of other attributes it left out. A row that is refused is a *column.InputError.
func (g *Gateway) Ingest(ctx context.Context, t *Table, r column.Reader) (added, skipped int64, err error) {
	c := &converter{g: g, t: t}
	err = column.Each(ctx, r, func(b column.Batch) error { return c.batch(ctx, b) })
	return c.added, c.skipped, err
}

// converter makes readings of rows.
type converter struct {
	g              *Gateway
	t              *Table
	added, skipped int64

	patient, time arrow.Array
	attribute     arrow.Array // of a long table
	values        []valueColumn
}

// valueColumn is a column of values: of one attribute in a wide table, of any in a long one.
type valueColumn struct {
	name  string
	index int // of the attribute; in a long table it depends on the row
	about server.Attribute
	array arrow.Array
}

// batch adds the readings of a batch.
func (c *converter) batch(ctx context.Context, b column.Batch) error {
	if err := c.begin(b); err != nil {
		return err
	}
	for i := range int(b.NumRows()) {
		if err := c.row(ctx, b, i); err != nil {
			return err
		}
	}
	return nil
}

// begin finds the columns of a batch.
func (c *converter) begin(b column.Batch) error {
	find := func(name string) (arrow.Array, error) {
		i := b.ColumnIndex(name)
		if i < 0 {
			return nil, column.Refuse(b.File, "no column %q; there are %q", name, column.Names(b.Schema()))
		}
		return b.Column(i), nil
	}
	var err error
	if c.patient, err = find(c.t.Patient); err != nil {
		return err
	}
	if c.time, err = find(c.t.Time); err != nil {
		return err
	}
	c.values = c.values[:0]
	if c.t.Attribute != "" {
		if c.attribute, err = find(c.t.Attribute); err != nil {
			return err
		}
		values, err := find(c.t.Value)
		c.values = append(c.values, valueColumn{name: c.t.Value, array: values})
		return err
	}
	names := c.t.Attributes
	if len(names) == 0 {
		for _, name := range column.Names(b.Schema()) {
			if _, _, ok := c.g.Attribute(name); ok {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return column.Refuse(b.File, "no column has the name of an attribute; those are %q", c.g.Attributes())
		}
	}
	for _, name := range names {
		index, about, ok := c.g.Attribute(name)
		if !ok {
			return job.Misuse(fmt.Sprintf("The servers have %q.", c.g.Attributes()), "there is no attribute %q", name)
		}
		values, err := find(name)
		if err != nil {
			return err
		}
		c.values = append(c.values, valueColumn{name: name, index: index, about: about, array: values})
	}
	return nil
}

// row adds the readings of a row.
func (c *converter) row(ctx context.Context, b column.Batch, i int) error {
	if c.attribute != nil {
		if c.attribute.IsNull(i) {
			return b.Refuse(i, c.t.Attribute, "no attribute")
		}
		name := text(c.attribute, i)
		index, about, ok := c.g.Attribute(name)
		if ok && len(c.t.Attributes) > 0 {
			ok = slices.Contains(c.t.Attributes, name)
		}
		if !ok && c.t.SkipOthers {
			c.skipped++
			return nil
		}
		if !ok {
			return b.Refuse(i, c.t.Attribute, "the attribute %q is not taken; those are %q", name, c.g.Attributes()).
				WithHint("‹skip_others› leaves such rows out.")
		}
		c.values[0].index, c.values[0].about = index, about
	}
	patient, at, placed := "", int64(0), false
	for _, v := range c.values {
		if v.array.IsNull(i) {
			continue
		}
		if !placed {
			if c.patient.IsNull(i) {
				return b.Refuse(i, c.t.Patient, "no patient")
			}
			if c.time.IsNull(i) {
				return b.Refuse(i, c.t.Time, "no time")
			}
			var err error
			patient, placed = text(c.patient, i), true
			if at, err = c.moment(i); err != nil {
				return b.Refuse(i, c.t.Time, "%w", err)
			}
		}
		value, err := parseValue(text(v.array, i), v.about, c.t.Round)
		if err != nil {
			return b.Refuse(i, v.name, "%s: %w", text(v.array, i), err)
		}
		if err := c.g.Add(ctx, v.index, Reading{Patient: patient, Time: at, Value: value}); err != nil {
			if ctx.Err() != nil || c.g.sendFailed() {
				return err
			}
			return b.Refuse(i, v.name, "%w", err)
		}
		c.added++
	}
	return nil
}

// sendFailed says whether sending has ended with an error.
func (g *Gateway) sendFailed() bool {
	select {
	case <-g.failed:
		return true
	default:
		return false
	}
}

// text is a value as text, the shortest that means the same number.
func text(a arrow.Array, i int) string {
	if s, ok := a.(*array.String); ok {
		return s.Value(i)
	}
	return a.ValueStr(i)
}

// moment is the time of a row.
func (c *converter) moment(i int) (int64, error) {
	if t, ok := c.time.(*array.Timestamp); ok {
		kind := t.DataType().(*arrow.TimestampType)
		ns := kind.Unit
		return t.Value(i).ToTime(ns).UnixMilli(), nil
	}
	return ParseTime(text(c.time, i), c.t.TimeUnit)
}

// ParseTime reads a time: a number of a unit (ms, s, min) since 1970, or a text as of RFC 3339 or ISO 8601, in UTC where it
// names no zone. It returns milliseconds since 1970; parts of them are dropped.
func ParseTime(s, unit string) (int64, error) {
	if n, err := codec.ParseDecimal(s, 6); err == nil || errors.Is(err, codec.ErrDecimals) {
		if err != nil {
			return 0, fmt.Errorf("the time %s has more than 6 decimals", s)
		}
		ms := timeUnits[unit]
		if n > math.MaxInt64/ms || n < math.MinInt64/ms {
			return 0, fmt.Errorf("the time %s is out of range", s)
		}
		n *= ms
		return (n - ((n%1e6)+1e6)%1e6) / 1e6, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("the time %q is neither a number nor like 2026-01-31T12:00:00Z", s)
}

// parseValue reads a decimal number.
func parseValue(s string, a server.Attribute, round bool) (int64, error) {
	v, err := codec.ParseDecimal(s, a.Decimals)
	if !errors.Is(err, codec.ErrDecimals) {
		return v, err
	}
	if !round {
		return 0, fmt.Errorf("more decimals than the %d of %s; ‹round› rounds", a.Decimals, a.Name)
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, codec.ErrNotNumber
	}
	f *= float64(a.Scale())
	if f = math.RoundToEven(f); math.Abs(f) > 1<<53 {
		return 0, codec.ErrOverflow
	}
	return int64(f), nil
}
