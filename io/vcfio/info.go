package vcfio

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
)

// infoDef is how the header defines a key of INFO.
type infoDef struct {
	number, typ string
	line        int64
}

// defineInfo reads a line ##INFO=<ID=...,Number=...,Type=...> as far as it is about counts.
func defineInfo(info map[string]infoDef, text string, line int64) *column.InputError {
	var d infoDef
	id, quoted := "", false
	pairs := strings.FieldsFunc(strings.Trim(text, "<>"), func(r rune) bool { // at commas that are not in quotes
		quoted = quoted != (r == '"')
		return r == ',' && !quoted
	})
	for _, pair := range pairs {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "ID":
			id = value
		case "Number":
			d.number = value
		case "Type":
			d.typ = value
		}
	}
	return define(info, id, d, line)
}

func define(info map[string]infoDef, id string, d infoDef, line int64) *column.InputError {
	if !slices.Contains(infoNames, id) {
		return nil
	}
	if before, twice := info[id]; twice && (before.number != d.number || before.typ != d.typ) {
		return column.Refuse("", "INFO/%s is defined in two ways; the other one is on line %d", id, before.line).AtLine(line).
			WithHint("Which of them holds cannot be known. Make the file anew.")
	}
	d.line = line
	info[id] = d
	return nil
}

// infoColumns are the counts that the header offers, in the order of infoNames. They must be defined as numbers of alleles are.
func (h *header) infoColumns() ([]int, *column.InputError) {
	var out []int
	for i, name := range infoNames {
		d, ok := h.info[name]
		if !ok {
			continue
		}
		want, alternative := "A", "." // a number for each alternative allele; old files leave open how many
		if name == "AN" {
			want, alternative = "1", "1"
		}
		if d.typ != "Integer" || d.number != want && d.number != alternative {
			return nil, column.Refuse("", "INFO/%s is defined with Number=%s and Type=%s, not as the count that it should be: Number=%s, Type=Integer", name, column.Quote(d.number), column.Quote(d.typ), want).
				AtLine(d.line).InColumn(name).WithHint("Counts are read only from INFO that is defined as the specification has it. Check what the field means in this file.")
		}
		out = append(out, i)
	}
	return out, nil
}

// ErrNoSamples says that a file lists sites and no samples.
var ErrNoSamples = errors.New("the file has no samples")

// sitesOnly explains why a file without samples lacks the columns that are counted, or nil.
func (h *header) sitesOnly(o *Options, wanted []string) *column.InputError {
	if len(h.samples) > 0 || o.Counts == Info || o.PerSample {
		return nil
	}
	for _, name := range wanted {
		if !slices.Contains(countNames, name) {
			continue
		}
		e := column.Refuse("", "%w: it lists sites only, so there are no genotypes to count %s of", ErrNoSamples, name).AtLine(h.line).InColumn(name)
		if _, ok := h.info["AC"]; ok {
			return e.WithHint("Its INFO has counts: give ‹counts› info if they are of the people that you mean.")
		}
		return e.WithHint("Use the file with the genotypes that it was made from.")
	}
	return nil
}

// infoCounts are the counts in INFO of one record, absent ones below 0.
type infoCounts struct {
	defined map[string]infoDef // other keys may mean anything
	an      int64
	each    [4][]int64 // by infoNames, for each alternative allele; nothing under AN
}

const noCount = -1

// read finds the counts in INFO and checks them against each other.
func (c *infoCounts) read(info []byte, alleles int) *column.InputError {
	c.an = noCount
	seen := [4]bool{}
	for i := range c.each {
		c.each[i] = c.each[i][:0]
		for range alleles {
			c.each[i] = append(c.each[i], noCount)
		}
	}
	for rest, more := info, true; more; {
		var one []byte
		one, rest, more = bytes.Cut(rest, []byte{';'})
		key, value, _ := bytes.Cut(one, []byte{'='})
		if len(key) < 2 || key[0] != 'A' && key[0] != 'n' {
			continue
		}
		i := slices.Index(infoNames, string(key))
		if i < 0 {
			continue
		}
		name := infoNames[i]
		if _, ok := c.defined[name]; !ok {
			continue
		}
		if seen[i] {
			return column.Refuse("", "%s is there twice", name).InColumn("INFO").WithHint("Which of them holds cannot be known. Make the file anew.")
		}
		seen[i] = true
		into, n := c.each[i][:0], alleles
		if name == "AN" {
			into, n = into[:0:0], 1
		}
		if string(value) == "." {
			continue
		}
		for values, again := value, true; again; {
			var text []byte
			text, values, again = bytes.Cut(values, []byte{','})
			v, ok := parseCount(text)
			if !ok {
				return column.Refuse("", "%s %s is no count", name, column.Quote(string(text[:min(len(text), 100)]))).InColumn("INFO").
					WithHint("It is a whole number that is not negative, or a dot.")
			}
			into = append(into, v)
		}
		if len(into) != n {
			return column.Refuse("", "%s has %d values for %d alternative alleles", name, len(into), alleles).InColumn("INFO").
				WithHint("AN has one value, the other counts have one for each allele in ALT.")
		}
		if name == "AN" {
			c.an = into[0]
		} else {
			c.each[i] = into
		}
	}
	return c.check()
}

// check refuses counts that contradict each other.
func (c *infoCounts) check() *column.InputError {
	sum := int64(0)
	for k, ac := range c.each[0] {
		if ac == noCount {
			continue
		}
		sum += ac
		for _, i := range []int{2, 3} {
			if part := c.each[i][k]; part > ac {
				return column.Refuse("", "%s is %d, more than AC, which is %d", infoNames[i], part, ac).InColumn("INFO").WithHint("Check what the fields mean in this file.")
			}
		}
	}
	if c.an != noCount && sum > c.an {
		return column.Refuse("", "AC is %d, more than AN, which is %d", sum, c.an).InColumn("INFO").
			WithHint("AN counts all alleles that were called, those of AC among them. Check what the fields mean in this file.")
	}
	return nil
}

// countMax bounds counts, so that sums of all alleles of a record do not overflow.
const countMax = 1 << 40

// parseCount reads a whole number, or a dot.
func parseCount(text []byte) (int64, bool) {
	if string(text) == "." {
		return noCount, true
	}
	v := int64(0)
	for _, c := range text {
		if v = v*10 + int64(c-'0'); c-'0' > 9 || v > countMax {
			return 0, false
		}
	}
	return v, len(text) > 0
}

// of is a count of alternative allele k.
func (c *infoCounts) of(source, k int) int64 {
	if source == sourceInfo+1 {
		return c.an
	}
	return c.each[source-sourceInfo][k]
}
