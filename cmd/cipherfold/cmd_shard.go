package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(80, (*app).shardCommand)
}

func (a *app) shardCommand() *cobra.Command {
	var fromZero bool
	cmd := &cobra.Command{
		Use:   "shard JOB.toml I/N",
		Short: "Do the I-th of N shares of a job's next steps, for schedulers",
		Long: `Do the I-th of N shares of the steps that can begin. Shards may run in any order, at a time, on any machines that share
the job directory, and again: what is done is not done again, and what is done twice does no harm. When all are
done, cipherfold merge puts their parts together, and the next level of steps can begin.`,
		Example: `  cipherfold shard nightly.toml 3/16
  cipherfold shard nightly.toml $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT
  cipherfold shard nightly.toml --from-zero $JOB_COMPLETION_INDEX/16`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return &commandLineError{fmt.Errorf("which shard is missing"), "Write it as I/N, such as: cipherfold shard " + args[0] + " 3/16"}
			}
			return jobFileArgument(cmd, args[:max(0, len(args)-1)])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			i, n, err := parseShard(args[1], fromZero)
			if err != nil {
				return err
			}
			j, err := a.readJob(cmd, args[0])
			if err != nil {
				return err
			}
			var s *batch.ShardSummary
			err = a.watched(cmd.Context(), a.workOf(cmd, args[0], j), func(ctx context.Context) (_ []*job.Report, err error) {
				if s, err = batch.Shard(ctx, j, i, n); err != nil {
					return nil, err
				}
				return s.Reports, nil
			})
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				switch {
				case s.Level == 0:
					fmt.Fprintf(w, "shard %d/%d: nothing to do, the job is done\n", i, n)
				case s.Before > 0:
					fmt.Fprintf(w, "shard %d/%d: level %d of %d: %s done, %d before\n", i, n, s.Level, s.Levels, count(int64(s.Parts), "part"), s.Before)
				default:
					fmt.Fprintf(w, "shard %d/%d: level %d of %d: %s done\n", i, n, s.Level, s.Levels, count(int64(s.Parts), "part"))
				}
			})
		},
	}
	a.unusedReceiptKeyFlag(cmd.Flags())
	a.watchFlags(cmd.Flags())
	cmd.Flags().BoolVar(&fromZero, "from-zero", false, "I is from 0 to N-1, as Kubernetes and AWS Batch count")
	return cmd
}

// parseShard reads I/N. The I that it returns is from 1.
func parseShard(s string, fromZero bool) (i, n int, err error) {
	left, right, ok := strings.Cut(s, "/")
	i, errI := strconv.Atoi(left)
	n, errN := strconv.Atoi(right)
	hint := "Write it as I/N, from 1/N to N/N."
	if fromZero {
		i++
		hint = "Write it as I/N, from 0/N to (N-1)/N."
	}
	if !ok || errI != nil || errN != nil || i < 1 || i > n || n > batch.ShardsMax {
		return 0, 0, &commandLineError{fmt.Errorf("%q is no shard", s), hint}
	}
	return i, n, nil
}
