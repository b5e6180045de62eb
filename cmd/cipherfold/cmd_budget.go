package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/privacy"
)

func init() {
	registerCommand(50, (*app).budgetCommand)
}

func (a *app) budgetCommand() *cobra.Command {
	var about, rho, epsilon, delta string
	cmd := &cobra.Command{
		Use:   "budget FILE [--rho R | --epsilon E [--delta D]]",
		Short: "Make or show a privacy budget: what may be, and was, released about the same people",
		Long: `Make a privacy budget, or without --rho and --epsilon show one. decrypt --noise release charges it before anything
is released, encrypt --noise charges an owner's own, and both refuse when it is spent. ρ adds up exactly; a
limit on ε at δ is compared by the optimal conversion. A budget is for the people in the data: all releases about
them are charged to one.`,
		Example: `  cipherfold budget privacy.json --epsilon 2 --delta 1e-6 --about 'cohort A'
  cipherfold budget privacy.json --rho 0.5
  cipherfold budget privacy.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] != "" {
				return nil
			}
			return &commandLineError{fmt.Errorf("give one FILE, not %d", len(args)), fmt.Sprintf("See: %s --help", cmd.CommandPath())}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if rho != "" || epsilon != "" || delta != "" {
				b, err := privacy.CreateBudget(cmd.Context(), a.unwatched(false), args[0], about, rho, epsilon, delta)
				if err != nil {
					return err
				}
				return a.showBudget(b)
			}
			if about != "" {
				return &commandLineError{fmt.Errorf("--about without a limit"), "Give --rho R or --epsilon E to make a budget."}
			}
			b, err := privacy.ReadBudget(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.showBudget(b)
		},
	}
	f := cmd.Flags()
	f.StringVar(&rho, "rho", "", "`R` limit of zero-concentrated differential privacy")
	f.StringVar(&epsilon, "epsilon", "", "`E` limit on ε, at --delta; without --delta only pure guarantees can be charged")
	f.StringVar(&delta, "delta", "", "`D` a small probability such as 1e-6")
	f.StringVar(&about, "about", "", "`TEXT` whose data it is for")
	return cmd
}

// showBudget prints a budget and its entries.
func (a *app) showBudget(b *privacy.Budget) error {
	s, err := b.State()
	if err != nil {
		return err
	}
	type report struct {
		job.BudgetState
		Spent []privacy.Release `json:"spent"`
	}
	return a.print(report{s, b.Spent}, func(w io.Writer) {
		float := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
		fmt.Fprintf(w, "%s: limit %s", s.File, s.Limit)
		if s.About != "" {
			fmt.Fprintf(w, ", for %s", s.About)
		}
		fmt.Fprintf(w, "\n  spent  %s (%.3g%%) in %s\n", s.Used, 100*s.Share, count(int64(s.Releases), "release"))
		if s.Releases == 0 {
			return
		}
		fmt.Fprintf(w, "  together  ε = %s at δ = %s; closed form of zCDP, ρ + 2√(ρ·ln 1/δ): %s", float(s.EpsilonAt), float(s.Delta), float(s.EpsilonClosed))
		if s.Epsilon != "" {
			fmt.Fprintf(w, "; pure ε = %s", s.Epsilon)
		}
		fmt.Fprintln(w)
		for _, r := range b.Spent {
			fmt.Fprintf(w, "  %s  %-7s  %-14s  %s  (table %s)\n", r.Time, r.Place, r.Promise(), r.Out, r.Table)
		}
	})
}
