package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/batch"
)

func init() {
	registerCommand(70, (*app).planCommand)
}

func (a *app) planCommand() *cobra.Command {
	var shards int
	cmd := &cobra.Command{
		Use:   "plan JOB.toml",
		Short: "Tell what a job file will do: steps, parts, sizes, times",
		Long: `Tell what a job will do: its steps and their order, parts, ciphertexts, bytes, time on this machine, and whether the
sums fit. Inputs are read as far as that takes, and nothing is written. With --shards N the job directory is made
and the steps that can begin are divided for N shards; what the shards of an unplanned job would each find out.`,
		Example: `  cipherfold plan job.toml
  cipherfold plan nightly.toml --shards 16`,
		Args: jobFileArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("shards") && shards < 1 {
				return &commandLineError{errors.New("--shards must be at least 1"), "Leave it out to write nothing."}
			}
			j, err := a.readJob(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.checkFiles(cmd.Context(), cmd.Flags(), a.filesOfJob(args[0], j)...); err != nil {
				return err
			}
			e, err := j.Estimate(cmd.Context(), shards)
			if err != nil {
				return err
			}
			return a.print(e, func(w io.Writer) { writeEstimate(w, e, args[0]) })
		},
	}
	a.unusedReceiptKeyFlag(cmd.Flags())
	cmd.Flags().IntVar(&shards, "shards", 0, "`N` make the job directory, and divide the steps that can begin for N shards")
	return cmd
}

func writeEstimate(w io.Writer, e *batch.Estimate, file string) {
	level := 0
	for _, s := range e.Steps {
		if s.Level != level {
			level = s.Level
			fmt.Fprintf(w, "level %d\n", level)
		}
		fmt.Fprintf(w, "  %-10s %s -> %s\n", s.Name, listed(s.Inputs), s.Out)
		if s.State == batch.Done {
			fmt.Fprintln(w, "             done")
			continue
		}
		about := ""
		if s.AtMost {
			about = "at most "
		}
		var words []string
		if s.Ciphertexts > 0 {
			words = append(words, fmt.Sprintf("%s%s, %s, %s", about, count(s.Records, "record"), count(s.Ciphertexts, "ciphertext"), bytesText(float64(s.Bytes))))
		}
		if s.Parts > 0 {
			words = append(words, count(int64(s.Parts), "part"))
		}
		if s.Made > 0 {
			words = append(words, fmt.Sprintf("%d made", s.Made))
		}
		if s.Seconds > 0 {
			words = append(words, "about "+clockText(time.Duration(s.Seconds*float64(time.Second))))
		}
		if len(s.After) > 0 && s.State == batch.Waits {
			words = append(words, "after "+strings.Join(s.After, ", "))
		}
		fmt.Fprintf(w, "             %s\n", strings.Join(words, ", "))
		if h := s.Headroom; h.MaxAdds > 0 {
			adds := thousands(h.Most)
			if h.Least < h.Most {
				adds = thousands(h.Least) + " to " + adds
			}
			fmt.Fprintf(w, "             additions: %s of %s: %s\n", adds, thousands(h.MaxAdds), h.Verdict())
		}
	}
	switch {
	case e.Level == 0:
		fmt.Fprintf(w, "the job is done (%s)\n", e.Dir)
	case e.Shards > 0:
		fmt.Fprintf(w, "next: cipherfold shard %s I/%d for I = 1 to %d, in any order; then: cipherfold merge %s\n", file, e.Shards, e.Shards, file)
	}
}

// listed writes the names of files, not all of very many.
func listed(names []string) string {
	const most = 4
	if more := len(names) - most; more > 1 {
		return strings.Join(names[:most], " ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, " ")
}
