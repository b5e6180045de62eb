package slots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// Preparation is what is done to the values of a measure before they are encrypted, in the order of the fields. The
// zero value leaves them as they are. Owners who fuse must declare the same. The table's footer has it, and fuse
// compares.
//
// Without TPM, Log2 and ZScore values stay the exact decimals they are. With one of them they are read as doubles
// (IEEE 754 binary64). Every step is one correctly rounded operation on doubles (Log2: see log2). The result times
// 10^decimals is rounded to the nearest integer, ties to even. So every machine gets the same bits.
type Preparation struct {
	Unit    string   // what the values are in, such as TPM: noted and compared, nothing is converted
	Levels  string   // TEXT=NUMBER|TEXT=NUMBER...: the values are these texts, which mean the numbers; others are refused
	Range   Interval // refuse values outside
	TPM     bool     // times 10^6, divided by the sum of the column: every owner's column then sums up to a million
	Log2    bool     // log2(x + 1)
	ZScore  string   // MEAN/SD: (x - MEAN) / SD; "constants": those of Encryption.Constants
	Clip    Interval // values outside become the nearest end; Low "constants": those of Encryption.Constants
	Missing string   // "" keeps missing values missing; "zero", "mean" or "median" (of the owner's prepared values) fill them; "refuse"
}

// FromConstants stands for a setting that Encryption.Constants has.
const FromConstants = "constants"

// Interval is from Low to High, both included, as decimal numbers; "" is no limit.
type Interval struct{ Low, High string }

func (i Interval) String() string {
	if i == (Interval{}) {
		return ""
	}
	return i.Low + ".." + i.High
}

// What can stand for missing values.
var missings = []string{"zero", "mean", "median", "refuse"}

// settings of a measure, in the order in which they are documented. Those in bare have no value, or need none.
var (
	Settings = []string{"decimals", "max", "unit", "levels", "range", "tpm", "log2", "zscore", "clip", "missing"}
	bare     = []string{"tpm", "log2", "zscore", "clip"}
)

const MeasureHint = "Write NAME, NAME:decimals=1 or NAME:decimals=1:max=6520."

// set takes one setting of a measure's SPEC.
func (p *Preparation) set(key, value string, valued bool) error {
	var err error
	switch key {
	case "unit":
		if p.Unit = value; value == "" {
			err = fmt.Errorf("is empty")
		}
	case "levels":
		p.Levels, err = parseLevels(value)
	case "range":
		p.Range, err = parseInterval(value)
	case "tpm":
		p.TPM = true
		err = noValue(valued)
	case "log2":
		p.Log2 = true
		err = noValue(valued)
	case "zscore":
		if p.ZScore = FromConstants; valued {
			p.ZScore, err = parseZScore(value)
		}
	case "clip":
		if p.Clip = (Interval{Low: FromConstants}); valued {
			p.Clip, err = parseInterval(value)
		}
	case "missing":
		if p.Missing = value; !slices.Contains(missings, value) {
			err = fmt.Errorf("is none of %s", strings.Join(missings, ", "))
		}
	}
	return err
}

func noValue(valued bool) error {
	if valued {
		return fmt.Errorf("takes no value")
	}
	return nil
}

// parseInterval reads LOW..HIGH, one of which may be left out.
func parseInterval(text string) (Interval, error) {
	low, high, ok := strings.Cut(text, "..")
	if !ok || low == "" && high == "" {
		return Interval{}, fmt.Errorf("is not LOW..HIGH, such as 0..100")
	}
	var err error
	limits := [2]float64{math.Inf(-1), math.Inf(1)}
	for i, s := range []*string{&low, &high} {
		if *s != "" && err == nil {
			*s, limits[i], err = Canonical(*s)
		}
	}
	if err == nil && limits[0] > limits[1] {
		err = fmt.Errorf("begins above its end")
	}
	return Interval{low, high}, err
}

// parseLevels reads TEXT=NUMBER|TEXT=NUMBER..., and writes it in one order.
func parseLevels(text string) (string, error) {
	var out []string
	for _, level := range strings.Split(text, "|") {
		i := strings.LastIndexByte(level, '=')
		if i < 0 {
			return "", fmt.Errorf("is not TEXT=NUMBER|TEXT=NUMBER, such as low=1|high=2")
		}
		number, _, err := Canonical(level[i+1:])
		if err != nil {
			return "", err
		}
		out = append(out, level[:i+1]+number)
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if a, b := strings.LastIndexByte(out[i-1], '='), strings.LastIndexByte(out[i], '='); out[i-1][:a] == out[i][:b] {
			return "", fmt.Errorf("has %s twice", column.Quote(out[i][:b]))
		}
	}
	return strings.Join(out, "|"), nil
}

// levels returns the numbers that texts mean, as they are written.
func (p *Preparation) LevelValues() map[string]string {
	out := map[string]string{}
	for _, level := range strings.Split(p.Levels, "|") {
		i := strings.LastIndexByte(level, '=')
		out[level[:i]] = level[i+1:]
	}
	return out
}

// parseZScore reads MEAN/SD.
func parseZScore(text string) (string, error) {
	mean, sd, ok := strings.Cut(text, "/")
	if !ok {
		return "", fmt.Errorf("is not MEAN/SD, such as 3.1/0.8")
	}
	mean, _, err := Canonical(mean)
	if err != nil {
		return "", err
	}
	sd, v, err := Canonical(sd)
	if err == nil && v <= 0 {
		err = fmt.Errorf("has a standard deviation that is not positive")
	}
	return mean + "/" + sd, err
}

// Canonical writes a number in the one shortest form, so that owners who write 0.5 and 0.50 agree.
func Canonical(text string) (string, float64, error) {
	v, err := ParseFloat(text)
	if err != nil {
		return "", 0, fmt.Errorf("has %s, which is not a number", column.Quote(text))
	}
	return strconv.FormatFloat(v, 'f', -1, 64), v, nil
}

// ParseFloat reads a decimal number as the double nearest to it. Blanks around it are ignored, as codec.ParseDecimal does.
func ParseFloat(text string) (float64, error) {
	text = strings.Trim(text, " \t")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, codec.ErrNotFinite
	}
	if strings.ContainsAny(text, "xX_") { // Go's own ways to write numbers
		return 0, strconv.ErrSyntax
	}
	return v, nil
}

// Exact says whether values stay the decimals that they are.
func (p *Preparation) Exact() bool { return !p.TPM && !p.Log2 && p.ZScore == "" }

// Steps is the preparation of a measure as the footer has it.
func (p *Preparation) Steps(measure string) []ctfile.Step {
	var out []ctfile.Step
	add := func(done bool, step, value string) {
		if done {
			out = append(out, ctfile.Step{On: measure, Step: step, Value: value})
		}
	}
	add(p.Unit != "", "unit", p.Unit)
	add(p.Levels != "", "levels", p.Levels)
	add(p.Range != Interval{}, "range", p.Range.String())
	add(p.TPM, "tpm", "")
	add(p.Log2, "log2", "")
	add(p.ZScore != "", "zscore", p.ZScore)
	add(p.Clip != Interval{}, "clip", p.Clip.String())
	add(p.Missing != "", "missing", p.Missing)
	return out
}

// Bound is the largest magnitude that prepared values can have, where the preparation tells, times 10^decimals.
func (p *Preparation) Bound(decimals int) (int64, bool) {
	limits := p.Clip
	if limits == (Interval{}) && p.Exact() {
		limits = p.Range
	}
	if limits.Low == "" || limits.High == "" || limits.Low == FromConstants {
		return 0, false
	}
	low, e1 := codec.ParseDecimal(limits.Low, decimals)
	high, e2 := codec.ParseDecimal(limits.High, decimals)
	if e1 != nil || e2 != nil || low == math.MinInt64 {
		return 0, false
	}
	return max(low, -low, high, -high, 1), true
}

// Choices for Encryption.Duplicates.
const (
	DuplicatesRefuse = "refuse" // an id comes once (in blocks always so)
	DuplicatesSum    = "sum"    // rows of one id become one: values are added up
	DuplicatesMean   = "mean"   // their mean, rounded to the measure's decimals
	DuplicatesFirst  = "first"  // the first of them
)

var Duplicates = []string{"", DuplicatesRefuse, DuplicatesSum, DuplicatesMean, DuplicatesFirst}
