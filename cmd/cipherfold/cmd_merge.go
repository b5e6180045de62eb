package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(90, (*app).mergeCommand)
}

func (a *app) mergeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merge JOB.toml",
		Short: "Put the parts of a job's shards together",
		Long: `Put together what the shards of a job have done, write the outputs of their steps, and tell what comes next. While
parts are missing it refuses, and names the shards that lack. It needs no secret key.`,
		Example: "  cipherfold merge nightly.toml",
		Args:    jobFileArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.readJob(cmd, args[0])
			if err != nil {
				return err
			}
			var m *batch.MergeSummary
			err = a.watched(cmd.Context(), a.workOf(cmd, args[0], j), func(ctx context.Context) (_ []*job.Report, err error) {
				if m, err = batch.Merge(ctx, j); err != nil {
					return nil, err
				}
				return m.Reports(), nil
			})
			if err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				writeSummary(w, m.Summary)
				switch {
				case m.Already:
				case m.Finished:
					fmt.Fprintf(w, "level %d of %d: %s merged; the job is done\n", m.Level, m.Levels, count(int64(m.Parts), "part"))
				case m.Parts == 0:
					fmt.Fprintf(w, "level %d of %d was merged before\nnext: the shards of level %d: cipherfold shard %s I/N; then: cipherfold merge %s\n",
						m.Level, m.Levels, m.Level+1, args[0], args[0])
				default:
					fmt.Fprintf(w, "level %d of %d: %s merged\nnext: the shards of level %d: cipherfold shard %s I/N; then: cipherfold merge %s\n",
						m.Level, m.Levels, count(int64(m.Parts), "part"), m.Level+1, args[0], args[0])
				}
			})
		},
	}
	a.receiptKeyFlag(cmd.Flags())
	a.watchFlags(cmd.Flags())
	return cmd
}
