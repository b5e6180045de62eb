package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/internal/printable"
)

// openClient reads a configuration file and what it names.
func openClient(cmd *cobra.Command, config string) (*client.Config, *client.Client, error) {
	if err := required(cmd.Flags(), helpOf(cmd), "config"); err != nil {
		return nil, nil, err
	}
	c, err := client.ReadConfig(config)
	if err != nil {
		return nil, nil, err
	}
	cl, err := client.New(c)
	return c, cl, err
}

func (a *app) mpcIngestCommand() *cobra.Command {
	var config string
	var batch int
	var patience time.Duration
	var t gateway.Table
	cmd := &cobra.Command{
		Use:   "ingest --config FILE TABLE ...",
		Short: "Store readings on all servers, each in shares",
		Long: `Read tables of readings (CSV, Parquet, Arrow; - for CSV from standard input), split each value into shares, and send
each server its shares. A long table has a column of attributes and one of values; a wide one has a column for each
attribute. Batches wait in a spool on disk until all servers hold them: ingest may be interrupted and called again,
also without a table, to send what is in the spool. A reading that is sent again replaces the earlier one.`,
		Example: `  cipherfold mpc ingest --config gateway.toml --time minute --time-unit min --attribute parameter --value value vitals.csv
  cipherfold mpc ingest --config gateway.toml wide.parquet`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.Check(); err != nil {
				return err
			}
			c, cl, err := openClient(cmd, config)
			if err != nil {
				return err
			}
			if c.Spool == "" {
				return &commandLineError{fmt.Errorf("%s names no spool", config), "Add a line such as: spool = \"spool\""}
			}
			if batch < 0 || patience < 0 {
				return &commandLineError{errors.New("--batch or --patience is negative"), "Leave it out for the default."}
			}
			g, err := gateway.Open(cmd.Context(), gateway.Options{Client: cl, Spool: c.Spool, SpoolMax: int64(c.SpoolMB) << 20, Batch: batch, Patience: patience, Log: a.log})
			if err != nil {
				return serverRefusal(err)
			}
			var added, skipped int64
			for _, name := range args {
				n, m, err2 := g.IngestFile(cmd.Context(), a.unwatched(false), &t, name, os.Stdin)
				added, skipped = added+n, skipped+m
				if err = err2; err != nil {
					break
				}
			}
			if err == nil {
				err = g.Finish(cmd.Context())
			}
			if err2 := g.Close(); err == nil {
				err = err2
			}
			if err != nil {
				return serverRefusal(err)
			}
			return a.print(map[string]any{"readings": added, "skipped_rows": skipped, "batches": g.Progress.Sent.Load()}, func(w io.Writer) {
				batches := "1 batch"
				if n := g.Progress.Sent.Load(); n != 1 {
					batches = fmt.Sprintf("%d batches", n)
				}
				fmt.Fprintf(w, "readings  %d, held by all servers in %s\n", added, batches)
				if skipped > 0 {
					fmt.Fprintf(w, "left out  %s of other attributes\n", count(skipped, "row"))
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&config, "config", "", "`FILE` configuration of the gateway")
	f.StringVar(&t.Patient, "patient", "patient", "`COLUMN` of patients")
	f.StringVar(&t.Time, "time", "time", "`COLUMN` of times")
	f.StringVar(&t.TimeUnit, "time-unit", "ms", "`UNIT` of times that are numbers, since 1970: ms, s or min")
	f.StringVar(&t.Attribute, "attribute", "", "`COLUMN` of attributes, in a long table")
	f.StringVar(&t.Value, "value", "", "`COLUMN` of values, in a long table")
	f.StringArrayVar(&t.Attributes, "only", nil, "`NAME` an attribute to take; may be repeated (default: all that the servers have)")
	f.BoolVar(&t.SkipOthers, "skip-others", false, "leave out rows of other attributes")
	f.BoolVar(&t.Round, "round", false, "round values with more decimals than the attribute has")
	f.IntVar(&batch, "batch", 0, "`N` readings of a batch (default 20000)")
	f.DurationVar(&patience, "patience", 0, "`TIME` how long to wait for a server that is away (default 10m)")
	return cmd
}

// queryWords are the words that ask for a statistic.
var queryWords = strings.Join(access.Statistics, ", ")

func (a *app) mpcQueryCommand() *cobra.Command {
	var config, from, until, timeUnit string
	var asCSV bool
	var timeout time.Duration
	q := client.Question{}
	cmd := &cobra.Command{
		Use:   "query STATISTIC ATTRIBUTE ... --config FILE",
		Short: "Ask all servers for a statistic, or for the values of a patient",
		Long: `Ask all servers. STATISTIC is one of
  mean     means, by sums of shares
  var      means, variances and standard deviations
  cov      covariances of all pairs of attributes
  cor      correlations of all pairs
  regress  the least-squares fit of the first attribute to the others, with standard errors and R²
  get      single values of one attribute, which only you can open
  average  a mean of one attribute, which only you can open
Records are the times at which a patient has a reading of all attributes. A query is signed and checked by each server;
what it refuses, it says.`,
		Example: `  cipherfold mpc query mean HR --config rita.toml
  cipherfold mpc query regress SysABP HR --config rita.toml --from 2026-01-01 --until 2026-02-01 --csv
  cipherfold mpc query get HR --config alice.toml --patient p-017`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 || !slices.Contains(access.Statistics, args[0]) {
				return &commandLineError{errors.New("a statistic and at least one attribute are needed"), "The statistics are " + queryWords + "."}
			}
			if timeout <= 0 {
				return &commandLineError{fmt.Errorf("--timeout %v is not above 0", timeout), "Leave it out for 10m."}
			}
			q.Statistic, q.Attributes = args[0], args[1:]
			for _, bound := range []struct {
				flag, text string
				to         **int64
			}{{"from", from, &q.From}, {"until", until, &q.Until}} {
				if bound.text == "" {
					continue
				}
				t, err := gateway.ParseTime(bound.text, timeUnit)
				if err != nil {
					return &commandLineError{fmt.Errorf("--%s: %w", bound.flag, err), "Write a time such as 2026-01-31T12:00:00Z."}
				}
				*bound.to = &t
			}
			_, cl, err := openClient(cmd, config)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("no answer within %v", timeout))
			defer cancel()
			answer, err := cl.Ask(ctx, &q)
			if err != nil {
				if cmd.Context().Err() == nil && ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				return serverRefusal(err)
			}
			return a.printAnswer(answer, asCSV)
		},
	}
	f := cmd.Flags()
	f.StringVar(&config, "config", "", "`FILE` your configuration")
	f.StringArrayVar(&q.Patients, "patient", nil, "`NAME` a patient; may be repeated (default: all)")
	f.StringVar(&from, "from", "", "`TIME` the first that counts")
	f.StringVar(&until, "until", "", "`TIME` the first that does not count")
	f.StringVar(&timeUnit, "time-unit", "ms", "`UNIT` of times that are numbers, since 1970: ms, s or min")
	f.StringVar(&q.GroupBy, "group-by", "", "`WHAT` one result for each patient, hour or day")
	f.BoolVar(&asCSV, "csv", false, "print the result as CSV")
	f.DurationVar(&timeout, "timeout", 10*time.Minute, "`TIME` how long to wait for the answer")
	f.IntVar(&q.KeyBits, "key-bits", 2048, "`N` size of the key for get and average, which is made for the query")
	return cmd
}

// printAnswer prints what came back.
func (a *app) printAnswer(answer *client.Answer, asCSV bool) error {
	var header []string
	var rows [][]string
	var v any
	if answer.Statistic == access.Get {
		header = []string{"patient", "time", "attribute", "value", "unit"}
		values := answer.Retrieved()
		for _, x := range values {
			rows = append(rows, []string{x.Patient, x.Time, x.Attribute, x.Value, x.Unit})
		}
		v = map[string]any{"statistic": answer.Statistic, "values": values}
	} else {
		quantities, err := answer.Quantities()
		if err != nil {
			return err
		}
		header = []string{"group", "records", "patients", "quantity", "value", "unit"}
		for _, q := range quantities {
			value := "none: " + q.Note
			if q.Value != nil {
				value = strconv.FormatFloat(*q.Value, 'g', -1, 64)
			} else if asCSV {
				value = ""
			}
			rows = append(rows, []string{q.Group, strconv.FormatInt(q.Records, 10), strconv.Itoa(q.Patients), q.Name, value, q.Unit})
		}
		v = map[string]any{"statistic": answer.Statistic, "results": quantities}
	}
	if asCSV && !a.json {
		w := csv.NewWriter(printable.NewWriter(a.out))
		return errors.Join(w.Write(header), w.WriteAll(rows))
	}
	return a.print(v, func(w io.Writer) {
		if len(header) == 6 && (len(rows) == 0 || rows[0][0] == "") { // there are no groups
			header = header[1:]
			for i := range rows {
				rows[i] = rows[i][1:]
			}
		}
		tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{header}, rows...) {
			fmt.Fprintln(tab, strings.Join(row, "\t"))
		}
		tab.Flush()
	})
}
