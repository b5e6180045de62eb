package enctable

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// SumOf sets what the footer of a sum says about the tables in it: Originals, Unidentified and Repeats. It refuses a sum
// that would have rows of one table twice, naming both inputs, unless repeats allows it. Then no input may have noise, as
// its guarantee would not hold.
//
// Of tables without an id (of earlier versions) it recognises only a copy that is the same byte by byte.
func SumOf(out *ctfile.Table, inputs []Input, repeats bool) error {
	type origin struct {
		ctfile.Original
		input int
	}
	var all []origin
	copies := map[string]string{} // of inputs without an id, by their digests
	out.Originals, out.Unidentified, out.Repeats = nil, 0, repeats
	for i, in := range inputs {
		t := in.Table
		out.Repeats = out.Repeats || t.Repeats
		out.Unidentified = codec.SaturatingAdd(out.Unidentified, t.WithoutID())
		for _, o := range t.Contents() {
			o.Weight = times(o.Weight, in.Weight)
			if len(o.Parts) > ctfile.PartsMax {
				return column.Refuse(in.File, "part %d of a table that is made of parts of tables, %d deep", t.Part, ctfile.PartsMax).
					WithHint("Give the directory with all parts of the table.")
			}
			all = append(all, origin{o, i})
		}
		if digest := contentDigest(t); digest != "" && t.TableID == "" {
			if first, ok := copies[digest]; ok && !repeats {
				return column.Refuse(in.File, "the same table as %s: its values would be counted twice", first).WithHint(hintRepeats)
			}
			copies[digest] = in.File
		}
	}
	if len(all) > ctfile.OriginalsMax {
		return column.Refuse(inputs[0].File, "the sum is of %d tables; at most %d may be in one", len(all), ctfile.OriginalsMax).
			WithHint("Owners who have many files encrypt them together, as one table.")
	}
	slices.SortStableFunc(all, func(a, b origin) int { return a.Compare(&b.Original) })
	for _, o := range all {
		out.Originals = append(out.Originals, o.Original)
	}
	if a, b, ok := ctfile.Repeated(out.Originals); ok && !out.Repeats {
		x, y := min(all[a].input, all[b].input), max(all[a].input, all[b].input)
		return column.Refuse(inputs[y].File, "table %s is in it and in %s too: its values would be counted twice", all[a].Name(), inputs[x].File).WithHint(hintRepeats)
	}
	for _, in := range inputs {
		if out.Repeats && in.Table.Noise != nil {
			return column.Refuse(in.File, "it has noise, whose guarantee does not hold for a sum in which a table may be twice").
				WithHint("Leave out ‹allow_repeats›, and the tables that were made with it.")
		}
	}
	return nil
}

// times is the product of two weights, or as near as 64 bits come to it: then there is no headroom for the sum.
func times(a, b int64) int64 {
	product := codec.SaturatingMul(max(a, -a), max(b, -b))
	if (a < 0) != (b < 0) {
		return -product
	}
	return product
}

const hintRepeats = "Leave one of them out. To count values twice on purpose, give ‹allow_repeats›: then the sum has no guarantee of privacy."

// contentDigest is that of all ids and ciphertexts of a table; "" of one without rows.
func contentDigest(t *ctfile.Table) string {
	var b strings.Builder
	for _, g := range t.RowGroups {
		b.WriteString(g.SHA256 + g.IDsSHA256)
	}
	return b.String()
}

// SumID is the id of the table that a fusion makes: the same for the same inputs and options. Random ones are for a
// fusion that uses random numbers.
func SumID(inputs []Input, options string, random bool) string {
	digest := make([]byte, ctfile.IDDigits/2)
	if random {
		_, _ = rand.Read(digest) // never fails (crypto/rand)
		return hex.EncodeToString(digest)
	}
	h := sha256.New()
	var list []string
	for _, in := range inputs {
		list = append(list, fmt.Sprintf("%q %q %d*%d", in.Table.TableID, in.Table.JobID, in.Table.Part, in.Weight))
	}
	slices.Sort(list)
	fmt.Fprintf(h, "cipherfold sum\n%q\n%s", list, options)
	return hex.EncodeToString(h.Sum(digest[:0])[:len(digest)])
}

// WarnOfUnidentified says what cannot be promised of tables without an id.
func WarnOfUnidentified(o job.Options, t *ctfile.Table, file string) {
	if n := t.WithoutID(); n > 0 {
		o.Log.Warn("of tables that an earlier version encrypted nobody can tell whether one is in a sum twice: they have no id", "tables", n, "file", file)
	}
}

// originalsListed is how many tables a report lists.
const originalsListed = 1024

// DescribeOriginals reports which owners' tables are in a table.
func DescribeOriginals(t *ctfile.Table) *job.OriginalsReport {
	list := t.Contents()
	return &job.OriginalsReport{Tables: t.Owners(), List: list[:min(len(list), originalsListed)], Unidentified: t.WithoutID(), Repeats: t.Repeats}
}

// CheckOwners refuses a table of fewer owners' tables than there must be. Tables without an id do not count: each of them
// could be a copy of another.
func CheckOwners(file string, t *ctfile.Table, least int64) error {
	n := t.Owners()
	switch {
	case n >= least || least == 0:
		return nil
	case t.WithoutID() > 0:
		return column.Refuse(file, "in it are tables with an id: %d, without: %d; ‹min_owners› %d counts those with one", n, t.WithoutID(), least).
			WithHint("Owners whose tables an earlier version encrypted must encrypt them again.")
	}
	return column.Refuse(file, "%s in it, fewer than ‹min_owners› %d", areTables(n), least).WithHint("Fuse the tables of more owners before anyone opens the sum.")
}

func areTables(n int64) string {
	if n == 1 {
		return "the table of 1 owner is"
	}
	return fmt.Sprintf("the tables of %d owners are", n)
}

// CheckFused refuses what is not known to be a sum of several owners' tables, unless unfused: opening it would show one owner's
// rows. A table of an earlier version does not tell what is in it. It is taken for a sum if something was added up in it.
func CheckFused(file string, t *ctfile.Table, unfused bool) error {
	const hint = "Fuse the tables of several owners first: the key holder must not see one owner's. For a test, or for the owner alone, give ‹unfused›."
	known, unknown := t.Owners(), t.WithoutID()
	switch {
	case unfused || known+unknown > 1 || unknown == 1 && t.AddsUsed > 1:
		return nil
	case unknown == 1:
		return column.Refuse(file, "nothing was added up in it: it is a table as one owner encrypted it").WithHint(hint)
	case known == 0:
		return column.Refuse(file, "no owner's table is in it: their weights cancel out").WithHint(hint)
	case !t.IsSum():
		return column.Refuse(file, "not fused: it is the table of one owner").WithHint(hint)
	}
	return column.Refuse(file, "only one owner's table was fused in it").WithHint(hint)
}

// WarnOfTwo says what the owners of a sum of two tables can do, unless the sum has noise.
func WarnOfTwo(o job.Options, t *ctfile.Table, file string, noise bool) {
	if t.Owners()+t.WithoutID() == 2 && !noise {
		o.Log.Warn("the sum is of two owners' tables: whoever has one of them can subtract it and see the other's", "file", file)
	}
}

// WarnOfUnsignedMeasures tells that nobody but the aggregator says what the measures of a sum are.
func WarnOfUnsignedMeasures(o job.Options, file string) {
	o.Log.Warn("the owners signed different measures, so that no signature covers the names and the layout of those in this sum: ask the owners, and see what «inspect» lists", "file", file)
}
