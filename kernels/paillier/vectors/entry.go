package vectors

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// entry reads the fields of one entry of a section. The first error sticks: the fields read after it are zero.
type entry struct {
	file, section string
	index         int
	o             *strictjson.Object
	err           error
}

func newEntry(file, section string, index int, v strictjson.Value) (*entry, error) {
	e := &entry{file: file, section: section, index: index}
	o, err := v.Object()
	if err != nil {
		e.syntax("", err)
		return nil, e.err
	}
	e.o = o
	return e, nil
}

// bad returns an Error about a field of the entry.
func (e *entry) bad(field, format string, args ...any) error {
	return &Error{e.file, e.section, e.index, field, fmt.Sprintf(format, args...)}
}

// fail keeps the first error.
func (e *entry) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *entry) syntax(field string, err error) {
	var s *strictjson.Error
	if errors.As(err, &s) {
		e.fail(e.bad(field, "%s", s.Reason))
	} else if err != nil {
		e.fail(err)
	}
}

// checkFields refuses an entry that lacks a field or has another one.
func (e *entry) checkFields(fields []string) error {
	for _, name := range e.o.Names() {
		if !slices.Contains(fields, name) {
			return e.bad(name, "unknown")
		}
	}
	for _, name := range fields {
		if !e.o.Has(name) {
			return e.bad(name, "missing")
		}
	}
	return nil
}

func (e *entry) text(field string) string {
	s, err := e.o.Text(field)
	e.syntax(field, err)
	return s
}

func (e *entry) bool(field string) bool {
	b, err := e.o.Bool(field)
	e.syntax(field, err)
	return b
}

// int reads a number from 0 to limit-1.
func (e *entry) int(field string, limit int) int {
	i, err := e.o.Int(field)
	e.syntax(field, err)
	if err == nil && (i < 0 || i >= int64(limit)) {
		e.fail(e.bad(field, "%d is not in the range 0..%d", i, limit-1))
		return 0
	}
	return int(i)
}

// hex reads a canonical hexadecimal string: lower case, no leading zeros.
func (e *entry) hex(field string) *big.Int {
	s := e.text(field)
	x, ok := new(big.Int).SetString(s, 16)
	if !ok || x.Sign() < 0 || x.Text(16) != s {
		e.fail(e.bad(field, "not a canonical hexadecimal number"))
		return new(big.Int)
	}
	return x
}

// hexBelow reads a canonical hexadecimal string for a number below limit.
func (e *entry) hexBelow(field string, limit *big.Int) *big.Int {
	x := e.hex(field)
	if x.Cmp(limit) >= 0 {
		e.fail(e.bad(field, "out of range"))
		return new(big.Int)
	}
	return x
}

// decimal reads a canonical decimal string.
func (e *entry) decimal(field string) *big.Int {
	return e.parseDecimal(field, e.text(field))
}

func (e *entry) parseDecimal(field, s string) *big.Int {
	x, ok := new(big.Int).SetString(s, 10)
	if !ok || x.Text(10) != s {
		e.fail(e.bad(field, "%.40q is not a canonical decimal number", s))
		return new(big.Int)
	}
	return x
}

// list reads an array.
func (e *entry) list(field string) []strictjson.Value {
	list, err := e.o.Array(field)
	e.syntax(field, err)
	return list
}

// integer reads a number of any size.
func (e *entry) integer(field string) *big.Int {
	v, err := e.o.Take(field)
	if err != nil {
		e.syntax(field, err)
		return new(big.Int)
	}
	return e.integerOf(field, v)
}

func (e *entry) integerOf(field string, v strictjson.Value) *big.Int {
	s, err := v.Integer()
	if err != nil {
		e.syntax(field, err)
		return new(big.Int)
	}
	return e.parseDecimal(field, s)
}

// integers reads an array of numbers.
func (e *entry) integers(field string) []*big.Int { return e.integersOf(field, e.list(field)) }

func (e *entry) integersOf(field string, list []strictjson.Value) []*big.Int {
	out := make([]*big.Int, len(list))
	for i, v := range list {
		out[i] = e.integerOf(fmt.Sprintf("%s[%d]", field, i), v)
	}
	return out
}

// decimals reads an array of canonical decimal strings.
func (e *entry) decimals(field string) []*big.Int {
	list := e.list(field)
	out := make([]*big.Int, len(list))
	for i, v := range list {
		name := fmt.Sprintf("%s[%d]", field, i)
		s, err := v.Text()
		e.syntax(name, err)
		out[i] = new(big.Int)
		if err == nil {
			out[i] = e.parseDecimal(name, s)
		}
	}
	return out
}

// sub reads a field that is an entry itself, with the given fields.
func (e *entry) sub(field string, v strictjson.Value, fields ...string) (*entry, error) {
	o, err := v.Object()
	if e.syntax(field, err); err != nil {
		return nil, e.err
	}
	s := &entry{file: e.file, section: fmt.Sprintf("%s[%d].%s", e.section, e.index, field), index: -1, o: o}
	return s, s.checkFields(fields)
}

// firstError returns the first error of some entries.
func firstError(entries []*entry) error {
	for _, e := range entries {
		if e.err != nil {
			return e.err
		}
	}
	return nil
}
