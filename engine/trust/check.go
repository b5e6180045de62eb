package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// CheckInputs refuses inputs of a fusion that are not of the parties of the policy: each is a table that a listed owner
// signed, or a sum that a listed aggregator signed, of such tables. No owner is there with two tables. unsigned names the inputs
// whose measures no signature tells: see CheckSum.
func (p *Policy) CheckInputs(inputs []Input) (unsigned []string, err error) {
	tables := map[string]string{} // of each owner
	for _, in := range inputs {
		f, err := p.examine(in)
		if err != nil {
			return nil, err
		}
		if f.unsigned {
			unsigned = append(unsigned, in.Name)
		}
		for owner, ids := range f.tables {
			for _, id := range ids {
				if had, ok := tables[owner]; ok && had != id {
					f.add("%s is there with two tables, %s and %s", owner, had[:8], id[:8])
				}
				tables[owner] = id
			}
		}
		if err := f.refusal(in.Name, p); err != nil {
			return nil, err
		}
	}
	return unsigned, nil
}

// CheckSum refuses a table that is not what the policy demands: a sum, signed by a listed aggregator, of exactly one table
// of each listed owner, whole, with the weight of the owner, signed by it and encrypted under the key of the table. Of
// one owner its table will do. It names all that it finds wrong. unsigned says that no signature tells what the measures of the
// sum are: its owners signed different ones, and what an aggregator made of them is its word alone.
func (p *Policy) CheckSum(in Input) (unsigned bool, err error) {
	f, err := p.examine(in)
	if err != nil {
		return false, err
	}
	for _, o := range p.owners {
		switch ids := f.tables[o.name]; {
		case len(ids) == 0:
			f.add("the table of %s is not in it", o.name)
		case len(ids) > 1:
			f.add("%s is in it with %d tables, not with one", o.name, len(ids))
		}
	}
	for _, name := range f.incomplete {
		f.add("the table of %s is not in it with all its files", name)
	}
	for _, x := range f.weights {
		if o := find(p.owners, x.signer); o != nil && x.weight != o.weight {
			f.add("the table of %s has the weight %d, not %d", o.name, x.weight, o.weight)
		}
	}
	return f.unsigned, f.refusal(in.Name, p)
}

// findings are what was found of an input.
type findings struct {
	wrong   []string
	said    map[string]bool     // what is in wrong
	tables  map[string][]string // ids, by the names of owners
	weights []weightOf

	unsigned   bool     // owners signed different measures
	incomplete []string // owners of whose table only some files are there
}

type weightOf struct {
	signer string
	weight int64
}

func (f *findings) add(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !f.said[text] {
		f.said[text] = true
		f.wrong = append(f.wrong, text)
	}
}

// wrongListed is how many things that are wrong a message names.
const wrongListed = 6

// refusal is nil if nothing is wrong.
func (f *findings) refusal(file string, p *Policy) error {
	if len(f.wrong) == 0 {
		return nil
	}
	list := f.wrong
	if more := len(list) - wrongListed; more > 0 {
		list = append(slices.Clone(list[:wrongListed]), fmt.Sprintf("and %d more", more))
	}
	return column.Refuse(file, "not what %s demands: %s", p.File, strings.Join(list, "; ")).
		WithHint("Do not use this file. Ask the owners and the aggregator, over another channel, what happened.")
}

// examine checks signatures, and that whoever signed is listed. Its error is about a file whose signatures are wrong
// whomever one trusts.
func (p *Policy) examine(in Input) (*findings, error) {
	f := &findings{said: map[string]bool{}, tables: map[string][]string{}}
	var all []Signed
	carried := carriedBy{}
	first := in.Table
	if p.Fingerprint != "" && first.Fingerprint != p.Fingerprint {
		f.add("it is encrypted under key %s…, not %s…", first.Fingerprint[:16], p.Fingerprint[:16])
	}
	for _, t := range in.Files {
		s, err := Signature(in.Name, t)
		if err != nil {
			return nil, err
		}
		list, err := carried.of(in.Name, t)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		switch {
		case s == nil && t.IsSum():
			f.add("the sum is not signed by its aggregator")
		case s == nil:
			f.add("the table is not signed by its owner")
		case s.Statement.Kind == kindTable:
			all = append(all, *s)
		case find(p.aggregators, s.Signer()) == nil:
			f.add("the sum is signed by %s, who is no aggregator in it", p.who(s.Signer()))
		}
	}
	if n := first.WithoutID(); n > 0 {
		f.add("tables without an id are in it: %d", n)
	}
	if first.Repeats {
		f.add("a table may be in it more than once")
	}
	statements := distinct(all)
	byTable := map[string][]Signed{}
	for _, s := range statements {
		byTable[s.Statement.TableID] = append(byTable[s.Statement.TableID], s)
	}
	originals := first.Contents() // in the order of their ids
	for i := 0; i < len(originals); {
		from, id := i, originals[i].ID
		for i < len(originals) && originals[i].ID == id {
			i++
		}
		p.examineTable(f, first, id, originals[from:i], byTable[id])
		delete(byTable, id)
	}
	for _, s := range statements {
		if id := s.Statement.TableID; byTable[id] != nil {
			f.add("it has a statement on table %s, which is not in it", column.Quote(id[:min(8, len(id))]))
		}
	}
	examineSchema(f, first, statements)
	return f, nil
}

// examineTable checks the statements on one table, which are in order. entries are those of the table.
func (p *Policy) examineTable(f *findings, t *ctfile.Table, id string, entries []ctfile.Original, statements []Signed) {
	name := entries[0].Name()
	if len(statements) == 0 {
		f.add("table %s is not signed by an owner", name)
		return
	}
	signer := statements[0].Signer()
	owner := find(p.owners, signer)
	if owner == nil {
		f.add("table %s is signed by %s, who is no owner in it", name, p.who(signer))
		return
	}
	f.tables[owner.name] = append(f.tables[owner.name], id)
	for i := range statements {
		s := &statements[i].Statement
		switch {
		case statements[i].Signer() != signer:
			f.add("files of table %s are signed by %s and by %s", name, owner.name, p.who(statements[i].Signer()))
		case s.Fingerprint != t.Fingerprint:
			f.add("%s signed its table under key %s…, not %s…", owner.name, s.Fingerprint[:min(16, len(s.Fingerprint))], t.Fingerprint[:16])
		case s.Source != entries[0].Source:
			f.add("the table of %s is called that of %s, signed was %s", owner.name, column.Quote(entries[0].Source), column.Quote(s.Source))
		case s.Layout != t.Layout:
			f.add("%s signed its table in the layout %s, not %s", owner.name, column.Quote(s.Layout), column.Quote(t.Layout))
		}
	}
	if !complete(id, entries, statements) {
		f.incomplete = append(f.incomplete, owner.name)
	}
	for _, e := range entries {
		f.weights = append(f.weights, weightOf{signer, e.Weight})
	}
}

// complete reports whether the statements are on all files of a table, and the entries are of all of its rows.
func complete(id string, entries []ctfile.Original, statements []Signed) bool {
	last := len(statements) - 1
	if last > 0 || statements[0].Statement.Part > 0 {
		for i := range statements {
			if s := &statements[i].Statement; s.Part != i+1 || s.LastPart != (i == last) {
				return false
			}
		}
	}
	parts := map[string]bool{}
	for _, e := range entries {
		if len(e.Parts) == 0 {
			return true // all rows of the table
		}
		if len(e.Parts) > 1 {
			return false
		}
		parts[e.Parts[0]] = true
	}
	for i := range statements {
		if !parts[fmt.Sprintf("%s:%d", id, i+1)] {
			return false
		}
	}
	return len(entries) == len(statements)
}

// examineSchema checks that the measures of a sum are those that its owners signed, as far as these are the same.
func examineSchema(f *findings, t *ctfile.Table, statements []Signed) {
	same := true // or owners of different measures: nobody signed those of the sum
	for i := range statements {
		s := &statements[i].Statement
		same = same && s.Schema == statements[0].Statement.Schema
		for _, name := range t.IDs {
			if !slices.Contains(s.IDs, name) {
				f.add("it has the id column %s, which its owners did not sign", column.Quote(name))
			}
		}
	}
	f.unsigned = !same
	if len(statements) > 0 && same && schemaOf(t) != statements[0].Statement.Schema {
		f.add("its measures are not those that its owners signed")
	}
}
