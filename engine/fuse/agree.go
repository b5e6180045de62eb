package fuse

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// agree refuses tables that were prepared differently in what they share: the ids, a measure, or, if they share a measure,
// the whole table. It returns the preparation and the samples of their fusion.
func agree(inputs []enctable.Input) ([]ctfile.Step, []string, error) {
	var out []ctfile.Step
	in := map[ctfile.Step]bool{} // what is in out
	add := func(s ctfile.Step) {
		if !in[s] {
			in[s] = true
			out = append(out, s)
		}
	}
	ids, measures := map[string]told{}, map[string]told{}
	for i := range inputs {
		x := &inputs[i]
		t := x.Table
		steps := map[string][]ctfile.Step{}
		for _, s := range t.Preparation {
			steps[s.On] = append(steps[s.On], s)
		}
		for _, id := range t.IDs {
			if err := agreeOn(add, ids, id, told{x, steps[id]}); err != nil {
				return nil, nil, err
			}
		}
		var shares *enctable.Input // the first input with the first measure that was there before
		for _, m := range slots.BaseMeasures(t) {
			if first, ok := measures[m.Name]; ok && shares == nil {
				shares = first.input
			}
			if err := agreeOn(add, measures, m.Name, told{x, steps[m.Name]}); err != nil {
				return nil, nil, err
			}
		}
		if shares != nil {
			if err := agreeOnTable(*shares, *x); err != nil {
				return nil, nil, err
			}
		}
		for _, s := range steps[""] {
			add(s)
		}
	}
	samples, err := disjoint(inputs)
	return out, samples, err
}

// told is what an input says about an id column or a measure: its steps.
type told struct {
	input *enctable.Input
	steps []ctfile.Step
}

// agreeOn compares the steps of one id column or measure with those of the first input that has it. The steps of the
// first one are added to those of the fusion.
func agreeOn(add func(ctfile.Step), before map[string]told, on string, it told) error {
	in, mine := it.input, it.steps
	had, ok := before[on]
	if !ok {
		before[on] = it
		for _, s := range mine {
			add(s)
		}
		return nil
	}
	first, theirs := had.input, had.steps
	if slices.Equal(mine, theirs) {
		return nil
	}
	if token := func(s ctfile.Step) bool { return s.Step == "token" }; slices.IndexFunc(mine, token) >= 0 && slices.IndexFunc(theirs, token) >= 0 &&
		slices.Equal(slices.DeleteFunc(slices.Clone(mine), token), slices.DeleteFunc(slices.Clone(theirs), token)) {
		return column.Refuse(in.File, "its tokens are under another key than those of %s", first.File).InColumn(on).
			WithHint("All owners must use the same file as ‹token_key›.")
	}
	return column.Refuse(in.File, "prepared %s, but in %s %s", inWords(mine), first.File, inWords(theirs)).InColumn(on).
		WithHint("All owners must declare the same preparation: the same settings in ‹measure› and ‹id›, and the same ‹tokenize› and ‹constants›.")
}

// inWords writes steps for a message: by "log2, clip=0..5".
func inWords(steps []ctfile.Step) string {
	var out []string
	for _, s := range steps {
		text := s.Step
		if s.Value != "" {
			text += "=" + s.Value
		}
		out = append(out, text)
	}
	if out == nil {
		return "by nothing"
	}
	return "by " + column.Quote(strings.Join(out, ", "))
}

// tableSteps are the steps of a whole table that must agree. Which regions were read does not matter: it chooses
// records and changes none. How VCF files were read is compared with other VCF files only.
func tableSteps(t *ctfile.Table, vcf bool) []ctfile.Step {
	var out []ctfile.Step
	for _, s := range t.Preparation {
		if s.On != "" || s.Step == "source" || s.Step == "vcf region" || s.Step == ids.SampleStep || strings.HasPrefix(s.Step, "vcf ") && !vcf {
			continue
		}
		out = append(out, s)
	}
	return out
}

func agreeOnTable(a, b enctable.Input) error {
	fromVCF := func(in enctable.Input) bool {
		return slices.Contains(in.Table.Preparation, ctfile.Step{Step: "source", Value: "vcf"})
	}
	vcf := fromVCF(a) && fromVCF(b)
	theirs, mine := tableSteps(a.Table, vcf), tableSteps(b.Table, vcf)
	differ := func(x, y []ctfile.Step) []ctfile.Step {
		have := map[ctfile.Step]bool{}
		for _, s := range y {
			have[s] = true
		}
		return slices.DeleteFunc(slices.Clone(x), func(s ctfile.Step) bool { return have[s] })
	}
	onlyMine, onlyTheirs := differ(mine, theirs), differ(theirs, mine)
	if len(onlyMine)+len(onlyTheirs) == 0 {
		return nil
	}
	return column.Refuse(b.File, "the table was prepared %s, but that of %s %s", inWords(onlyMine), a.File, inWords(onlyTheirs)).
		WithHint("All owners must declare the same preparation: the same ‹duplicates›, and the same settings for VCF files.")
}

// disjoint refuses tables of one measure that have a sample in common, as far as they carry tokens of samples. It
// returns the samples of all.
func disjoint(inputs []enctable.Input) ([]string, error) {
	all := map[string][]int{}      // by token: the inputs that have it
	measures := map[string][]int{} // by measure: the inputs that have it and tokens
	check, checked := "", ""
	for i, x := range inputs {
		c, ok := ids.SampleTokenCheck(x.Table)
		if !ok {
			continue
		}
		if check != "" && c != check {
			return nil, column.Refuse(x.File, "the tokens of its samples are under another key than those of %s", checked).
				WithHint("All owners must use the same file as ‹token_key›.")
		}
		check, checked = c, x.File
		known := map[int]bool{} // inputs with samples of this one
		for _, s := range x.Table.Samples {
			for _, k := range all[s] {
				known[k] = true
			}
		}
		for _, m := range slots.BaseMeasures(x.Table) {
			for _, k := range measures[m.Name] {
				if known[k] {
					return nil, sharedSamples(inputs, k, x, m.Name)
				}
			}
			measures[m.Name] = append(measures[m.Name], i)
		}
		for _, s := range x.Table.Samples {
			all[s] = append(all[s], i)
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// sharedSamples refuses that an input has samples of another one, and a measure that this one has too.
func sharedSamples(inputs []enctable.Input, other int, x enctable.Input, measure string) error {
	has := map[string]bool{}
	for _, s := range inputs[other].Table.Samples {
		has[s] = true
	}
	shared := 0
	for _, s := range x.Table.Samples {
		if has[s] {
			shared++
		}
	}
	return column.Refuse(x.File, "duplicate samples: %s of this table are in %s too", job.Count(shared, "sample"), inputs[other].File).InColumn(measure).
		WithHint("Every person counts once. The owners find which samples these are by ‹disjoint_from›, which names the file, the line and the sample. One owner's files of several chromosomes are encrypted together.")
}

// unmatched counts the ids that are not in every input: how many, and not which. It reads ids only, and holds them in memory.
func (f *fusion) unmatched(ctx context.Context) (int64, error) {
	idColumns := f.inputs[0].Table.IDs
	index := engine.NewGroups(engine.NewBudget(f.request.Memory))
	defer index.Free()
	var inputs, last []int32 // per id: in how many inputs it is, and 1 + the last of these
	progress := &engine.Progress{}
	for _, in := range f.inputs {
		progress.Total.Add(in.Table.Rows)
	}
	defer f.request.Watch("count unmatched", progress)()
	measures := measureIndex(f.inputs[0].Table)
	for i, in := range f.inputs {
		if err := comparable(f.inputs[0], measures, in); err != nil {
			return 0, err
		}
		r, err := f.reader(ctx, in, dataset.BatchRows, idColumns...)
		if err != nil {
			return 0, err
		}
		var key []byte
		err = column.Each(ctx, r, func(b column.Batch) error {
			for row := range int(b.NumRows()) {
				key = ids.AppendKey(key[:0], b.Columns(), row)
				n, added, err := index.Index(key)
				if err != nil {
					return err
				}
				if added {
					inputs, last = append(inputs, 0), append(last, 0)
				}
				if last[n] != int32(i+1) {
					inputs[n]++
					last[n] = int32(i + 1)
				}
			}
			progress.Done.Add(b.NumRows())
			return nil
		})
		r.Close()
		if err != nil {
			return 0, err
		}
	}
	count := int64(0)
	for _, n := range inputs {
		if int(n) < len(f.inputs) {
			count++
		}
	}
	return count, nil
}
