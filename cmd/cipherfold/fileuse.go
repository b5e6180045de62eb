package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/observe"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
)

// What verbs do with the files that flags name. A flag that is not here, and whose value is called FILE or DIR, is read.
var (
	// dataFlags are inputs, which may be globs and directories. A job looks itself whether they are its outputs, which its steps make
	// for each other. So does a verb for those of countedFlags.
	dataFlags    = []string{"in", "cases", "controls", "universe", "constants", "disjoint-from", "noise-groups", "shares", "answers", "card"}
	countedFlags = []string{"in", "cases", "controls"}

	// writeFlags are written, by this verb and nobody else.
	writeFlags = []string{"out", "shares-out", "receipt", "receipt-private", "report", "metrics-file", "lineage", "export"}

	// otherFlags name what is no file that a verb reads or writes by that name, or an input once more; or they are told elsewhere. So is
	// --out of a directory that keeps other files.
	otherFlags = []string{"tmp-dir", "base", "dir", "weight", "variance", "profile", "receipt-key"}
)

// filesOf are the files that flags name. step says that they are those of a step of a job.
func (a *app) filesOf(ctx context.Context, flags *pflag.FlagSet, step bool) []job.FileUse {
	var files []job.FileUse
	add := func(flag, name string, access job.FileAccess) {
		own := flag == "out" || slices.Contains(dataFlags, flag) && (step || slices.Contains(countedFlags, flag))
		files = append(files, job.FileUse{Option: fieldOf(flag), Name: name, Access: access, Own: own})
	}
	flags.VisitAll(func(f *pflag.Flag) {
		kind, _ := pflag.UnquoteUsage(f)
		isFile := slices.ContainsFunc([]string{"FILE", "DIR", "DST", "SRC"}, func(s string) bool { return strings.HasPrefix(kind, s) })
		if !isFile || slices.Contains(otherFlags, f.Name) || f.Name == "out" && kind == "DIR" {
			return
		}
		names := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			names = list.GetSlice()
		}
		for _, name := range names {
			switch {
			case name == "" || name == "-":
			case f.Name == "samples" && len(name) > blob.NameBytesMax: // names of people, and no file
			case f.Name == "lineage" && strings.Contains(name, "://"): // a server's
			case f.Name == "budget" || f.Name == "record": // which steps, shards and other programs share
				add(f.Name, name, job.Shares)
			case f.Name == "out":
				add(f.Name, name, job.Replaces)
			case slices.Contains(writeFlags, f.Name):
				add(f.Name, name, job.Writes)
			case slices.Contains(dataFlags, f.Name):
				for _, file := range a.listed(ctx, name) {
					add(f.Name, file, job.Reads)
				}
			default:
				add(f.Name, name, job.Reads)
			}
			if f.Name == "key" && !strings.Contains(name, "://") && flags.Lookup("table-cache") != nil && flags.Lookup("table-cache").Value.String() != keys.CacheOff {
				for _, file := range keys.CacheFiles(name) {
					add("table-cache", file, job.Shares) // between the steps that have the key
				}
			}
		}
	})
	return files
}

// listed are the files that an input means. What is wrong with it, its verb says.
func (a *app) listed(ctx context.Context, pattern string) []string {
	names, err := a.unwatched(false).Files().List(ctx, pattern)
	if err != nil {
		return []string{pattern}
	}
	return names
}

// checkFiles refuses an output of any kind that is another file of the command, however both are spelled, before anything is
// opened for writing. more are files that no flag of w names.
func (a *app) checkFiles(ctx context.Context, flags *pflag.FlagSet, more ...job.FileUse) error {
	if ctx.Err() != nil { // what watches is written all the same
		ctx = context.WithoutCancel(ctx)
	}
	files := append(a.filesOf(ctx, flags, false), more...)
	if dir := a.watching.profile; dir != "" {
		for _, name := range observe.ProfileFiles {
			files = append(files, job.FileUse{Option: fieldOf("profile"), Name: filepath.Join(dir, name), Access: job.Writes})
		}
	}
	if key := a.evidence.key; key != "" || a.evidence.file != "" {
		if key == "" {
			key, _ = receipt.DefaultKeyFile() // "" where there is none, which is said when it is needed
		}
		if key != "" {
			files = append(files, job.FileUse{Option: fieldOf("receipt-key"), Name: key, Access: job.Reads},
				job.FileUse{Option: fieldOf("receipt-key"), Name: key + receipt.PublicSuffix, Access: job.Writes})
		}
	}
	if e := a.evidence; e.file != "" && e.private == "" && !strings.Contains(e.file, "://") {
		files = append(files, job.FileUse{Option: fieldOf("receipt-private"), Name: receipt.PrivateName(e.file), Access: job.Writes})
	}
	return job.CheckFiles(ctx, a.unwatched(false).Files(), files)
}
