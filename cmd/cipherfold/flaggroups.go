package main

import (
	"slices"

	"github.com/spf13/pflag"
)

// flagGroups are the headings under which help lists flags. Within a group, those most used come first; flags that are in no
// list come last, under the heading of their verb.
var flagGroups = []struct {
	title string
	flags []string
}{
	{"Input", []string{
		"key", "passphrase-file", "in", "cases", "controls", "id", "universe", "drop-unlisted", "null", "pivot", "samples", "samples-by", "per-sample", "counts",
		"dosage", "filter", "region", "af", "multiallelic", "symbolic", "alleles", "chrom-prefix", "constants", "fingerprint", "trust",
	}},
	{"Measures", []string{
		"measure", "square", "product", "duplicates", "by", "total", "weight", "variance", "weight-digits", "ratio", "ratio-interval", "errors", "weighted-mean",
		"regress", "test", "stratum", "combine", "alternative", "method",
	}},
	{"Layout", []string{"layout", "max-adds", "rows-per-file"}},
	{"Privacy", []string{
		"min-group", "min-count", "min-owners", "unfused", "tokenize", "token-key", "token-samples", "disjoint-from", "noise", "epsilon", "delta", "rho",
		"person-records", "sensitivity", "owners", "honest", "noise-groups", "budget", "rerandomize", "allow-repeats", "count-unmatched",
	}},
	{"Output", []string{
		"out", "overwrite", "report", "by-p", "csv-safe", "source", "sign", "sign-passphrase-file", "receipt", "receipt-private", "receipt-key",
	}},
	{"Run", []string{
		"resume", "threads", "memory", "quiet", "json", "json-private", "log-format", "kernel", "table-cache", "tmp-dir", "metrics-addr", "metrics-file",
		"lineage", "profile", "help", "version",
	}},
}

// groupsMin is how many flags a verb has whose help has headings.
const groupsMin = 12

// flagList is flags under a heading.
type flagList struct {
	title string
	flags []*pflag.Flag
}

// grouped puts flags under headings; those of a verb with few flags are under one, whose title is given.
func grouped(flags *pflag.FlagSet, title string) []flagList {
	var all []*pflag.Flag
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all = append(all, f)
		}
	})
	if len(all) < groupsMin {
		return []flagList{{title, all}}
	}
	other := flagList{title: "Other"}
	lists := make([]flagList, len(flagGroups))
	for _, f := range all {
		i := slices.IndexFunc(flagGroups, func(g struct {
			title string
			flags []string
		}) bool {
			return slices.Contains(g.flags, f.Name)
		})
		if i < 0 {
			other.flags = append(other.flags, f)
		} else {
			lists[i].flags = append(lists[i].flags, f)
		}
	}
	var out []flagList
	for i, l := range append(lists, other) {
		if len(l.flags) == 0 {
			continue
		}
		if i < len(flagGroups) {
			l.title = flagGroups[i].title
			slices.SortStableFunc(l.flags, func(a, b *pflag.Flag) int {
				return slices.Index(flagGroups[i].flags, a.Name) - slices.Index(flagGroups[i].flags, b.Name)
			})
		}
		out = append(out, l)
	}
	return out
}
