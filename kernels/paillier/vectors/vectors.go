// Package vectors checks known answers: files of the format "paillier-vectors-1", made by an independent implementation.
//
// Check recomputes every value of a file, with the kernel of the caller's choice, by public key and by the key's owner,
// and compares it with the file. A file is read strictly (package strictjson): a member that is not known, one that is
// missing, one that occurs twice, and a number not in canonical form are errors. So any change of a byte is found,
// except one that leaves the meaning of the document: white space between tokens that becomes other white space.
//
// Some values cannot be recomputed because nothing depends on them; the format fixes them (see rules.go).
package vectors

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// Format is the first member of every file.
const Format = "paillier-vectors-1"

// ErrEncodingFile says that a file is one of encodings and packing, without keys, which package codec checks.
var ErrEncodingFile = errors.New("a file of encodings, without ciphertexts")

// Report says what was done with a file.
type Report struct {
	Checked    map[string]int // entries checked in each section; all of them were right
	NotChecked []string       // sections that this package does not know how to check, in file order
}

// Error says which value of a file is wrong.
type Error struct {
	File    string
	Section string // "" for the document as a whole
	Index   int    // of the entry in its section, from 0; -1 for the section as a whole
	Field   string // "" for the entry as a whole
	Reason  string
}

func (e *Error) Error() string {
	place := e.File
	if e.Section != "" {
		place += ": " + e.Section
	}
	if e.Index >= 0 {
		place += fmt.Sprintf("[%d]", e.Index)
	}
	if e.Field != "" {
		place += ", field " + e.Field
	}
	return place + ": " + e.Reason
}

// Check checks a file, whose name serves for messages only, with the named kernel of paillier.Kernels ("" for the
// preferred one). Sections on threshold decryption are reported as not checked, save the keys in them. It returns ErrEncodingFile for a file of encodings, an *Error when something is wrong, and a
// *paillier.KeyError when there is no such kernel.
func Check(file string, data []byte, kernel string) (Report, error) {
	c := &checker{file: file, kernel: kernel, report: Report{Checked: map[string]int{}}}
	o, err := strictjson.Parse(data)
	if err != nil {
		return c.report, c.syntax(err)
	}
	if err := c.check(o); err != nil {
		return c.report, err
	}
	return c.report, nil
}

// section is a list of entries with the same fields.
type section struct {
	name   string
	fields []string
	check  func(*checker, []*entry) error
}

// sections lists what a file of one key may hold, in the order of checking: others refer to "encrypt".
var sections = []section{
	{"encrypt", []string{"v", "m", "r", "c"}, (*checker).encrypt},
	{"add", []string{"a", "b", "c", "v"}, (*checker).add},
	{"add_plain", []string{"a", "k", "c", "v"}, (*checker).addPlain},
	{"mul", []string{"a", "s", "c", "v"}, (*checker).mul},
	{"neg", []string{"a", "c", "v"}, (*checker).neg},
	{"rerandomize", []string{"a", "r", "c", "v"}, (*checker).rerandomize},
	{"overflow_refuse", []string{"a", "b", "true", "wrapped"}, (*checker).overflow},
	{"invalid", []string{"c", "why"}, (*checker).invalid},
	{"owner_fast", []string{"v", "rho_p", "rho_q", "c"}, (*checker).ownerFast},
	{"general_g", []string{"g", "mu", "m", "r", "c"}, (*checker).generalG},
	{"mhl_foreign_randomizer", []string{"c", "full_decrypt", "short_decrypt"}, (*checker).foreign},
	{"packed", []string{"value_bits", "max_adds", "w", "slots", "rows", "enc", "sum_c", "sum", "scalar"}, (*checker).packed},
	{"multiexp_inputs", []string{"v", "r", "c"}, (*checker).multiexpInputs},
	{"multiexp", []string{"w", "c", "v"}, (*checker).multiexp},
}

// thresholdSections are known but not checked.
var thresholdSections = []string{"additive", "dj"}

func (c *checker) check(o *strictjson.Object) error {
	format, err := o.Text("format")
	if err != nil {
		return c.syntax(err)
	}
	if format != Format {
		return &Error{c.file, "", -1, "format", fmt.Sprintf("%.40q, this program knows %q", format, Format)}
	}
	set, err := o.Text("set")
	if err != nil {
		return c.syntax(err)
	}
	if reason := badSet(set); reason != "" {
		return &Error{c.file, "", -1, "set", reason}
	}
	switch {
	case o.Has("fixed"):
		return ErrEncodingFile
	case o.Has("messages"):
		return c.protocol(o)
	default:
		return c.scheme(o)
	}
}

// scheme checks a file of one key: first that all members are there and no others, then the key, then the sections.
func (c *checker) scheme(o *strictjson.Object) error {
	keyValue, err := o.Take("key")
	if err != nil {
		return c.syntax(err)
	}
	entries := make([][]*entry, len(sections))
	for i, s := range sections {
		if entries[i], err = c.entries(o, s); err != nil {
			return err
		}
	}
	if err := c.rest(o, thresholdSections); err != nil {
		return err
	}
	if err := c.key("key", -1, keyValue); err != nil {
		return err
	}
	c.report.Checked["key"] = 1
	for i, s := range sections {
		if entries[i] == nil {
			continue
		}
		if err := s.check(c, entries[i]); err != nil {
			return err
		}
		c.report.Checked[s.name] = len(entries[i])
	}
	return nil
}

// entries reads a section; it is nil when the file has none.
func (c *checker) entries(o *strictjson.Object, s section) ([]*entry, error) {
	if !o.Has(s.name) {
		return nil, nil
	}
	list, err := o.Array(s.name)
	if err != nil {
		return nil, c.syntax(err)
	}
	entries := make([]*entry, len(list))
	for i, v := range list {
		if entries[i], err = newEntry(c.file, s.name, i, v); err != nil {
			return nil, err
		}
		if err := entries[i].checkFields(s.fields); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// rest reports the sections that are known but not checked.
func (c *checker) rest(o *strictjson.Object, known []string) error {
	for _, name := range o.Names() {
		if !slices.Contains(known, name) {
			continue
		}
		if _, err := o.Take(name); err != nil {
			return c.syntax(err)
		}
		c.report.NotChecked = append(c.report.NotChecked, name)
	}
	if err := o.Done(); err != nil {
		return c.syntax(err)
	}
	return nil
}

// syntax makes an Error of an error of strictjson.
func (c *checker) syntax(err error) error {
	var e *strictjson.Error
	if errors.As(err, &e) {
		return &Error{c.file, "", -1, e.Path, e.Reason}
	}
	return &Error{c.file, "", -1, "", err.Error()}
}

// Total is the number of entries checked.
func (r Report) Total() int {
	total := 0
	for _, n := range r.Checked {
		total += n
	}
	return total
}

// Sections lists the sections checked, in alphabetic order.
func (r Report) Sections() []string { return slices.Sorted(maps.Keys(r.Checked)) }
