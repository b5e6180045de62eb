package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/observe"
)

// outputFlags are the flags that name a file or directory to be written; what other flags call FILE, they read.
var outputFlags = []string{"out", "receipt", "metrics-file", "lineage", "profile", "budget"}

// checkFiles refuses an output of any kind that is another file of the command, however both are spelled, before anything is
// opened for writing. A verb's own inputs and output are those of w.
func (a *app) checkFiles(ctx context.Context, w work) error {
	fs := a.unwatched(false).Files()
	var files []job.FileUse
	rows := w.flags.Lookup("rows-per-file")
	for _, name := range w.out {
		files = append(files, job.FileUse{Option: "‹out›", Name: name, Write: true, Dir: strings.HasSuffix(name, "/") || rows != nil && rows.Changed})
	}
	if w.file != "" {
		files = append(files, job.FileUse{Option: "the job file", Name: w.file})
	}
	for _, pattern := range w.in {
		names, err := fs.List(ctx, pattern)
		if err != nil {
			names = []string{pattern} // the verb says what is wrong with it
		}
		for _, name := range names {
			files = append(files, job.FileUse{Option: "‹in›", Name: name, Own: true}) // which a verb compares with its output
		}
	}
	if dir := a.watching.profile; dir != "" {
		for _, name := range observe.ProfileFiles {
			files = append(files, job.FileUse{Option: "‹profile›", Name: filepath.Join(dir, name), Write: true})
		}
	}
	add := func(f *pflag.Flag) {
		kind, _ := pflag.UnquoteUsage(f)
		names := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			names = list.GetSlice()
		}
		if !strings.HasPrefix(kind, "FILE") && !strings.HasPrefix(kind, "DIR") || slices.Contains([]string{"in", "out", "tmp-dir", "base", "profile"}, f.Name) {
			return
		}
		for _, name := range names {
			if strings.Contains(kind, "=") { // FILE=W
				name = name[:max(0, strings.LastIndexByte(name, '='))]
			}
			if kind == "FILE|URL" && strings.Contains(name, "://") || name == "" || name == "-" {
				continue
			}
			files = append(files, job.FileUse{Option: "‹" + strings.ReplaceAll(f.Name, "-", "_") + "›", Name: name, Write: slices.Contains(outputFlags, f.Name)})
		}
	}
	w.flags.VisitAll(add)
	return job.CheckFiles(ctx, fs, files)
}
