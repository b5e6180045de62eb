package bench

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeInName is when a run took place, in UTC, so that names sort by it.
const timeInName = "20060102T150405"

// namePattern of result files: what was measured with which settings, when, with which commit. Files that differ only in
// the last two are of one series; the newest counts.
var namePattern = regexp.MustCompile(`^((?:kernels|pipeline|timing|spill|stores|servers)(?:-[a-z0-9]+)*)-([0-9]{8}T[0-9]{6})-((?:[0-9a-f]{12}|unknown)(?:-dirty)?)\.json$`)

// Name returns the name of the file of a run that took place at a time.
func (f *File) Name(at time.Time) string {
	words := []string{"kernels"}
	add := func(word string) {
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	switch {
	case len(f.Stores) > 0:
		words[0] = "stores"
		for _, r := range f.Stores {
			add(strconv.Itoa(r.Bits))
			add(fmt.Sprintf("%drecords", r.Records))
		}
	case len(f.Servers) > 0:
		words[0] = "servers"
		for _, c := range f.Servers {
			add(strconv.Itoa(c.Bits))
		}
		add(fmt.Sprintf("%drecords", f.Servers[0].Records))
	case len(f.Timing) > 0:
		words[0] = "timing"
		for _, c := range f.Timing {
			add(c.Kernel)
		}
		for _, c := range f.Timing {
			add(c.Variant)
		}
		for _, bits := range f.TimingSizes() {
			add(strconv.Itoa(bits))
		}
	case len(f.Spill) > 0:
		words[0] = "spill"
		s := f.Spill[len(f.Spill)-1]
		add(s.Order)
		add(strconv.Itoa(s.Bits))
		add(fmt.Sprintf("%downers", s.Owners))
		add(fmt.Sprintf("%drows", s.Rows))
		add(fmt.Sprintf("%dkeys", s.Keys))
		add(fmt.Sprintf("%dmib", int(s.MemoryMiB)))
		add(fmt.Sprintf("%dcores", f.Machine.Cores))
	case len(f.Pipeline) == 0:
		for _, r := range f.Results {
			add(r.Kernel)
		}
		for _, word := range strings.Split(f.Machine.Off, ",") {
			add(word)
		}
		for _, bits := range f.KeySizes() {
			add(strconv.Itoa(bits))
		}
	default:
		words[0] = "pipeline"
		for _, s := range f.Pipeline {
			add(s.Layout)
		}
		for _, s := range f.Pipeline {
			add(s.Variant)
		}
		for _, s := range f.Pipeline {
			add(strconv.Itoa(s.Bits))
		}
		s := f.Pipeline[0]
		add(fmt.Sprintf("%downers", s.Owners))
		add(fmt.Sprintf("%drows", s.Rows))
		for _, s := range f.Pipeline {
			if s.Measures > 0 {
				add(fmt.Sprintf("%dmeasures", s.Measures))
			}
		}
		add(fmt.Sprintf("%dcores", f.Machine.Cores))
	}
	return fmt.Sprintf("%s-%s-%s.json", strings.Join(words, "-"), at.UTC().Format(timeInName), f.Machine.Commit)
}

// ParseName takes apart the name of a result file: its series, and the time of the run as in timeInName.
func ParseName(name string) (series, at string, ok bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
