package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(60, (*app).runCommand)
}

func (a *app) runCommand() *cobra.Command {
	var resume bool
	cmd := &cobra.Command{
		Use:   "run JOB.toml",
		Short: "Do all steps of a job file, restartable",
		Long: `Do the steps of a job file: encryptions, fusions, decryptions. The keys of a step are the flags of its verb.
Large steps are done in parts; what is done is kept in the job directory, so that a job that was stopped by
Ctrl-C, a crash or a full disk goes on with --resume. A job that is done is checked, and not done again.`,
		Example: `  cipherfold run job.toml
  cipherfold run job.toml --resume
  DATE=2026-11-22 cipherfold run nightly.toml --resume`,
		Args: jobFileArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.readJob(cmd, args[0])
			if err != nil {
				return err
			}
			var s *batch.Summary
			err = a.watched(cmd.Context(), a.workOf(cmd, args[0], j), func(ctx context.Context) (_ []*job.Report, err error) {
				if s, err = batch.Run(ctx, j, resume); err != nil {
					return nil, err
				}
				return s.Reports(), nil
			})
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) { writeSummary(w, s) })
		},
	}
	a.receiptKeyFlag(cmd.Flags())
	a.watchFlags(cmd.Flags())
	cmd.Flags().BoolVar(&resume, "resume", false, "go on with a job that was stopped; a new job is simply begun")
	return cmd
}
