package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	htmlreport "github.com/cipherfold/cipherfold/engine/report"
	"github.com/cipherfold/cipherfold/io/blob"
)

// pageFlag adds the flag of a page about the result.
func pageFlag(f *pflag.FlagSet, name *string) {
	f.StringVar(name, "report", "", "`FILE` also write a page about the result for a browser: tables and drawings, in one file")
}

// canReport refuses a page that is in the way, before hours of work.
func (a *app) canReport(ctx context.Context, name string, overwrite bool) error {
	if name == "" {
		return nil
	}
	u, err := a.files.Create(ctx, name, blob.CreateOptions{Overwrite: overwrite})
	if err != nil {
		return err
	}
	return u.Abort()
}

// writePage writes the page about a result that is complete.
func (a *app) writePage(ctx context.Context, name string, overwrite bool, r *job.Report) error {
	if name == "" {
		return nil
	}
	if err := htmlreport.Write(ctx, a.unwatched(overwrite), r.Out, name, r); err != nil {
		return fmt.Errorf("%s is complete, but not its report: %w", r.Out, err)
	}
	a.log.Info("report written", "file", name)
	return nil
}
