package job

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// prepare puts what the encryption declares about ids, duplicates and long tables between the source's files and the rest.
// From then on IDs are the names that the table has.
func (e *Encryption) prepare(ctx context.Context, src *source) error {
	if !slices.Contains(duplicates, e.Duplicates) {
		return usage("Choose "+strings.Join(duplicates[1:], ", ")+".", "unknown --duplicates %s", e.Duplicates)
	}
	ids, err := parseIDs(e.IDs, e.Tokenize)
	if err != nil {
		return err
	}
	x := &preparer{ids: ids, duplicates: e.Duplicates, noteSamples: e.TokenSamples}
	if err := e.readTokenKey(ctx, x); err != nil {
		return err
	}
	if e.Pivot != "" {
		if src.pivot, err = newPivot(e.Pivot, x.ids); err != nil {
			return err
		}
	}
	if e.Layout == Blocks && x.duplicates == "" {
		x.duplicates = DuplicatesRefuse
	}
	e.IDs = x.names()
	src.prep = x
	return nil
}

// readTokenKey reads the key of tokens when something needs it.
func (e *Encryption) readTokenKey(ctx context.Context, x *preparer) error {
	needed := x.tokenises() || e.TokenSamples || len(e.DisjointFrom) > 0
	switch {
	case needed && e.TokenKey == "":
		return usage("Give the file that cipherfold keygen --token-key wrote: --token-key FILE.", "tokens need a key")
	case !needed && e.TokenKey != "":
		return usage("Name the id columns to replace: --tokenize COL[,COL].", "--token-key without --tokenize")
	case !needed:
		return nil
	}
	var err error
	x.key, err = ReadTokenKey(ctx, e.FS, e.TokenKey)
	return err
}

// forIDs returns the preparation of a reference list of the ids: they are written in it as in the source, under the names
// that the table has.
func (x *preparer) forIDs() *preparer {
	y := &preparer{key: x.key, duplicates: DuplicatesRefuse}
	for _, c := range x.ids {
		c.fields = slices.Clone(c.fields)
		for i := range c.fields {
			c.fields[i].column = c.fields[i].name
		}
		y.ids = append(y.ids, c)
	}
	return y
}

// plain says whether nothing is to be done.
func (x *preparer) plain() bool {
	return len(x.ordered) == 0 && !x.gathers() && x.key == nil && !slices.ContainsFunc(x.ids, func(c idColumn) bool { return !c.plain() })
}

// prepareMeasures fills in constants and bounds that the preparations of measures tell, and takes the preparer out again when
// there is nothing to prepare.
func (e *Encryption) prepareMeasures(ctx context.Context, src *source) error {
	constants, err := e.readConstants(ctx)
	if err != nil {
		return err
	}
	for i := range e.Measures {
		m := &e.Measures[i]
		if err := constants.fillIn(m); err != nil {
			return err
		}
		if bound, ok := m.Prepare.bound(m.Decimals); ok && m.Bound == 0 && e.Duplicates != DuplicatesSum {
			m.Bound = bound
		}
	}
	if err := src.prep.measure(e.Measures); err != nil {
		return err
	}
	if src.prep.plain() {
		src.prep = nil
	}
	return nil
}

// steps is the preparation of the whole table, for its footer.
func (s source) steps(measures []Measure) []ctfile.Step {
	var out []ctfile.Step
	if s.prep != nil {
		out = s.prep.steps(measures)
	}
	return append(out, s.vcf.steps(s.files)...)
}

// filled returns how many missing values were filled in the last pass, by measure.
func (s source) filled() map[string]int64 {
	if s.prep == nil {
		return nil
	}
	return s.prep.filled()
}

// constants are what Encryption.Constants says of each measure.
type constants map[string]constant

type constant struct{ mean, sd, low, high string }

// readConstants reads the files of constants.
func (e *Encryption) readConstants(ctx context.Context) (constants, error) {
	if len(e.Constants) == 0 {
		return nil, nil
	}
	src, err := listSource(ctx, e.Options, e.Constants, nil)
	if err != nil {
		return nil, err
	}
	schema, err := src.rawSchema(ctx)
	if err != nil {
		return nil, err
	}
	have := column.Names(schema)
	columns := []string{"measure"}
	for _, name := range []string{"mean", "sd", "low", "high"} {
		if slices.Contains(have, name) {
			columns = append(columns, name)
		}
	}
	r, err := src.openFiles(ctx, columns)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := constants{}
	return out, column.Each(ctx, r, func(b column.Batch) error {
		for i := range int(b.NumRows()) {
			if b.Column(0).IsNull(i) {
				return b.Refuse(i, "measure", "the name of the measure is missing").WithHint("Every row names a measure.")
			}
			name := b.Column(0).ValueStr(i)
			if _, twice := out[name]; twice {
				return b.Refuse(i, "measure", "%s is there twice", column.Quote(name)).WithHint("Give every measure one row.")
			}
			var c constant
			for k, to := range map[string]*string{"mean": &c.mean, "sd": &c.sd, "low": &c.low, "high": &c.high} {
				at := slices.Index(columns, k)
				if at < 0 || b.Column(at).IsNull(i) {
					continue
				}
				text, v, err := canonical(b.Column(at).ValueStr(i))
				if err != nil || k == "sd" && v <= 0 {
					return b.Refuse(i, k, "%s is not %s", column.Quote(b.Column(at).ValueStr(i)), map[bool]string{true: "a positive number", false: "a number"}[k == "sd"]).
						WithHint("Write a decimal number.")
				}
				*to = text
			}
			out[name] = c
		}
		return nil
	})
}

// fillIn replaces settings that stand for constants.
func (c constants) fillIn(m *Measure) error {
	wanting := func(setting, columns string) error {
		return usage("Give a table with the columns measure, "+columns+" by --constants FILE, or the numbers themselves.",
			"measure %s: %s has no constants", column.Quote(m.Name), setting)
	}
	x, ok := c[m.Name]
	if m.Prepare.ZScore == FromConstants {
		if !ok || x.mean == "" || x.sd == "" {
			return wanting("zscore", "mean, sd")
		}
		m.Prepare.ZScore = x.mean + "/" + x.sd
	}
	if m.Prepare.Clip.Low == FromConstants {
		if !ok || x.low == "" && x.high == "" {
			return wanting("clip", "low, high")
		}
		m.Prepare.Clip = Interval{x.low, x.high}
		low, high := math.Inf(-1), math.Inf(1)
		if x.low != "" {
			_, low, _ = canonical(x.low)
		}
		if x.high != "" {
			_, high, _ = canonical(x.high)
		}
		if low > high {
			return usage("Correct the file of constants.", "measure %s: clip=%s begins above its end", column.Quote(m.Name), m.Prepare.Clip)
		}
	}
	return nil
}

// sampleStep is the step that says under which key the tokens of a table's samples are.
const sampleStep = "samples"

// sampleTokens makes the tokens of the samples that VCF files are read for, and refuses a sample that another owner's table
// has.
func (e *Encryption) sampleTokens(ctx context.Context, src source) ([]string, error) {
	if !e.TokenSamples && len(e.DisjointFrom) == 0 {
		return nil, nil
	}
	key := src.prep.key
	others := map[string]string{} // the table that each token is in
	for _, pattern := range e.DisjointFrom {
		files, err := e.FS.List(ctx, pattern)
		if err != nil {
			return nil, err
		}
		if err := notAnInput(e.Out, files); err != nil {
			return nil, err
		}
		for _, file := range files {
			t, _, err := readTable(ctx, e.Options, file)
			if err != nil {
				return nil, err
			}
			check, ok := samplesCheck(t)
			if !ok {
				return nil, column.Refuse(file, "the table has no tokens of its samples").WithHint("Its owner must encrypt with --token-samples.")
			}
			if check != key.Check() {
				return nil, column.Refuse(file, "the tokens of its samples are under another key").WithHint("All owners must use the same --token-key.")
			}
			for _, s := range t.Samples {
				others[s] = file
			}
		}
	}
	all := map[string]bool{}
	tokens := key.samples()
	for _, file := range src.files {
		if !vcfio.IsVCF(file) {
			return nil, column.Refuse(file, "not a VCF file: it has no samples to compare").WithHint("--token-samples and --disjoint-from are for VCF files.")
		}
		r, err := src.vcf.open(ctx, e.FS, file, column.ReadOptions{Columns: []string{"chrom"}})
		if err != nil {
			return nil, err
		}
		v := r.(*vcfio.Reader)
		for _, name := range v.Samples() {
			token := tokens.of(name)
			if other, ok := others[token]; ok {
				r.Close()
				return nil, column.Refuse(file, "duplicate sample: %s is in %s too", column.Quote(name), other).AtLine(v.HeaderLine()).InColumn(name).
					WithHint("Every person counts once. Agree on who counts the sample, and leave it out here by --samples.")
			}
			all[token] = true
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	if !e.TokenSamples {
		return nil, nil
	}
	out := make([]string, 0, len(all))
	for token := range all {
		out = append(out, token)
	}
	slices.Sort(out)
	return out, nil
}

// samplesCheck returns the check value of the key of a table's sample tokens, if it has any.
func samplesCheck(t *ctfile.Table) (string, bool) {
	i := slices.IndexFunc(t.Preparation, func(s ctfile.Step) bool { return s.On == "" && s.Step == sampleStep })
	if i < 0 {
		return "", false
	}
	return t.Preparation[i].Value, true
}
