package fuse

import (
	"maps"
	"slices"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// fuseNoise returns the noise of the fusion of tables, and the largest weight that values in it were multiplied by. It
// refuses tables whose noise does not keep the promise of each of them for the sum.
func fuseNoise(inputs []enctable.Input) (*ctfile.Noise, int64, error) {
	weight := int64(1)
	var out *ctfile.Noise
	var first string
	at := map[string]int{} // where a quantity is in out
	quiet := int64(0)
	shares := map[string]string{} // job ids of the tables that they are of: the input that has it
	for _, in := range inputs {
		w := max(in.Weight, -in.Weight)
		weight = max(weight, codec.SaturatingMul(w, max(1, in.Table.WeightMax)))
		n := in.Table.Noise
		switch {
		case n == nil:
			quiet++
			continue
		case n.Place == privacy.NoiseShare && in.Weight != 1:
			return nil, 0, column.Refuse(in.File, "its noise is a share of what an unweighted sum needs; weight %d is given", in.Weight).
				WithHint("Leave out the weights, or encrypt with ‹noise› local.")
		case n.Place == privacy.NoiseShare:
			if err := countShares(shares, in); err != nil {
				return nil, 0, err
			}
		}
		if out == nil {
			c := *n
			c.Quantities = slices.Clone(n.Quantities)
			for i, q := range c.Quantities {
				at[q.Name] = i
			}
			out, first = &c, in.File
			continue
		}
		if why := differentNoise(out, n); why != "" {
			return nil, 0, column.Refuse(in.File, "its noise differs from that of %s in %s", first, why).
				WithHint("All owners must give the same ‹noise›, ‹epsilon›, ‹delta›, ‹rho›, ‹person_records›, ‹sensitivity›, ‹counts›, ‹owners› and ‹honest›, and the same lists as ‹noise_groups› or ‹universe›.")
		}
		out.Quiet = codec.SaturatingAdd(out.Quiet, n.Quiet)
		for _, q := range n.Quantities {
			if i, ok := at[q.Name]; ok {
				mine := &out.Quantities[i]
				mine.Tables = codec.SaturatingAdd(mine.Tables, q.Tables)
			} else {
				at[q.Name] = len(out.Quantities)
				out.Quantities = append(out.Quantities, q)
			}
		}
	}
	if weight == 1 {
		weight = 0 // the default of the footer
	}
	if out != nil {
		out.Shares = slices.Sorted(maps.Keys(shares))
	}
	if out == nil || quiet == 0 {
		return out, weight, nil
	}
	for _, in := range inputs {
		if in.Table.Noise != nil {
			continue
		}
		if out.Place == privacy.NoiseLocal {
			return nil, 0, column.Refuse(in.File, "it has no noise, but %s has", first).WithHint("With ‹noise› local every owner adds noise, or the promise holds for some people only.")
		}
	}
	out.Quiet = codec.SaturatingAdd(out.Quiet, quiet)
	return out, weight, nil
}

// noSizes refuses to drop groups by their exact sizes if the tables have shares of noise.
func (u *Request) noSizes(inputs []enctable.Input) error {
	for _, in := range inputs {
		if n := in.Table.Noise; n != nil && n.Place == privacy.NoiseShare && u.MinGroup > 0 {
			return column.Refuse(in.File, "it has shares of noise, and ‹min_group› drops groups by their exact sizes, which one person may decide").
				WithHint("Leave out ‹min_group›: the list of groups is public, and all have noise.")
		}
	}
	return nil
}

// countShares notes of which tables an input has the shares. It refuses a share that is already there. Added twice, it
// would be one owner's noise under twice that owner's data, and would count as two. A part of a table has its owner's
// share of some records only.
func countShares(seen map[string]string, in enctable.Input) error {
	if in.Table.Part > 1 || in.Table.Part == 1 && !in.Table.LastPart {
		return column.Refuse(in.File, "it is part %d of a table with shares of noise, which every record needs", in.Table.Part).
			WithHint("Give the directory with all parts of the table.")
	}
	ids := in.Table.Noise.Shares
	if len(ids) == 0 {
		ids = []string{in.Table.JobID}
	}
	for _, id := range ids {
		if first, ok := seen[id]; ok {
			return column.Refuse(in.File, "the share of noise of table %s is in %s too", id, first).
				WithHint("Give every owner's table once: a copy brings its data again, but no noise of its own.")
		}
		seen[id] = in.File
	}
	return nil
}

// differentNoise names a difference between the noise of two tables, or "".
func differentNoise(a, b *ctfile.Noise) string {
	switch {
	case a.Place != b.Place:
		return "place"
	case a.Mechanism != b.Mechanism:
		return "mechanism"
	case a.Epsilon != b.Epsilon || a.Delta != b.Delta || a.Rho != b.Rho:
		return "guarantee"
	case a.Records != b.Records:
		return "the records of a person"
	case a.Counts != b.Counts:
		return "the treatment of counts"
	case a.Owners != b.Owners || a.Honest != b.Honest:
		return "the number of owners"
	case !slices.Equal(a.Groups, b.Groups):
		return "groups"
	case a.ListDigest != b.ListDigest:
		return "the kind of digest of its list: one table is of an earlier version and must be encrypted again"
	case a.List != b.List:
		return "the list of those that have a share"
	}
	quantities := privacy.ByQuantity(a)
	for _, q := range b.Quantities {
		mine := quantities[q.Name]
		if mine == nil {
			continue
		}
		q.Tables = mine.Tables
		if *mine != q {
			return "that on " + column.Quote(q.Name)
		}
	}
	return ""
}

// warnOfQuiet names the tables that have no share of the noise where others have, and those whose list is not certain.
func (f *fusion) warnOfQuiet() {
	shares := slices.ContainsFunc(f.inputs, func(in enctable.Input) bool { return in.Table.Noise != nil })
	for _, in := range f.inputs {
		if shares && in.Table.Noise == nil {
			f.request.Log.Warn("this table has no share of the noise: it counts as one of an owner who is not honest", "file", in.File)
		}
		if n := in.Table.Noise; n != nil && n.List != "" && n.ListDigest == "" {
			f.request.Log.Warn("this table is of an earlier version, whose digest of a list can be forged: its shares may be for another list", "file", in.File)
		}
	}
}
