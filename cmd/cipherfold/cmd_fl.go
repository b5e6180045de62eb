package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/federated/update"
	"github.com/cipherfold/cipherfold/engine/job"
)

func init() {
	registerCommand(115, (*app).flCommand)
}

func (a *app) flCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fl keys|round|encrypt|fuse|answer|open",
		Short: "Federated learning: the mean of many members' gradients, none of which anybody sees",
		Long: `Add up vectors of many members, such as the gradients of a model, so that only their weighted mean is ever read.
There is no key holder: each update has a key of its own, and enough members together open the sum, once.

  every member   cipherfold fl keys --name ward-3 --out keys
  coordinator    cipherfold fl round --card cards/*.card.json --network lung --number 1 --parameters 176116 \
                   --out round.json
  every member   cipherfold fl encrypt --round round.json --key keys/ward-3.key.age --in gradients.parquet \
                   --out ward-3.update.parquet --shares-out ward-3.shares.json
  aggregator     cipherfold fl fuse --round round.json --in *.update.parquet --out sum.parquet
  some members   cipherfold fl answer --round round.json --key keys/ward-3.key.age --in sum.parquet \
                   --shares *.shares.json --out ward-3.answer.json
  anybody        cipherfold fl open --round round.json --in sum.parquet --answers *.answer.json --out mean.parquet

The encryption rests on ring learning with errors, which quantum computers are not known to break. See
docs/federated.md for what it protects, and against whom.`,
		Example: "  cipherfold fl keys --name ward-3 --out keys\n  cipherfold fl fuse --round round.json --in *.update.parquet --out sum.parquet",
		RunE:    func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	for _, c := range []*cobra.Command{a.flKeysCommand(), a.flRoundCommand(), a.flEncryptCommand(), a.flFuseCommand(), a.flAnswerCommand(), a.flOpenCommand()} {
		c.Args = noArguments
		cmd.AddCommand(c)
	}
	return cmd
}

// memberOptions say whose keys a verb works with.
type memberOptions struct{ file, passphraseFile string }

func (o *memberOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "key", "", "`FILE` the member's secret keys (fl keys)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase of the keys")
}

// reader returns how to read the keys.
func (o *memberOptions) reader(a *app) func(context.Context) (*round.Identity, error) {
	return func(ctx context.Context) (*round.Identity, error) {
		a.warnOfReaders(ctx, "the member's keys", o.file)
		return round.ReadIdentity(ctx, a.unwatched(false).Files(), o.file, a.passphrase(ctx, o.passphraseFile))
	}
}

func (a *app) flKeysCommand() *cobra.Command {
	var name, out, passphraseFile string
	var plain, weak, overwrite bool
	cmd := &cobra.Command{
		Use:   "keys --name NAME --out DIR",
		Short: "Make a member's keys",
		Long: `Make a member's keys: DIR/NAME.card.json, the public part that goes into the descriptions of rounds, and the secret
part, encrypted under a passphrase, as DIR/NAME.key.age or, with --plain, as DIR/NAME.key.json. The keys sign what the
member makes and open what is sealed to it. They last for many rounds; the keys of updates are made anew for each.

Members compare the fingerprints of all cards with each other, by another way than the files came.`,
		Example: "  cipherfold fl keys --name ward-3 --out keys\n  cipherfold fl keys --name ward-3 --out keys --passphrase-file pass.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "name", "out"); err != nil {
				return err
			}
			if plain && passphraseFile != "" {
				return &commandLineError{fmt.Errorf("--plain and --passphrase-file exclude each other"), "Give one of them."}
			}
			if strings.Contains(out, "://") {
				return &commandLineError{fmt.Errorf("--out %s: keys are made on this machine", out), "Name a directory; copy the card to whoever makes the rounds."}
			}
			id, err := round.NewIdentity(name)
			if err != nil {
				return err
			}
			if !overwrite {
				if err := notThere(id.Files(out)...); err != nil {
					return err
				}
			}
			var passphrase []byte
			if !plain {
				if passphrase, err = a.newPassphrase(cmd.Context(), passphraseFile, weak); err != nil {
					return err
				}
			}
			if err := makeDirectory(out); err != nil {
				return err
			}
			card, secret, err := id.Write(cmd.Context(), a.unwatched(overwrite), out, passphrase)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"card": card, "secret": secret, "fingerprint": id.Card().Fingerprint()}, func(w io.Writer) {
				fmt.Fprintf(w, "card         %s\nsecret keys  %s\nfingerprint  %s\n", card, secret, id.Card().Fingerprint())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "`NAME` of the member, such as ward-3")
	f.StringVar(&out, "out", "", "`DIR` directory for the two files")
	f.StringVar(&passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase (default: ask on the terminal)")
	f.BoolVar(&plain, "plain", false, "write the secret keys unencrypted")
	f.BoolVar(&weak, "insecure-passphrase", false, "allow a passphrase of fewer than 8 characters, for tests")
	f.BoolVar(&overwrite, "overwrite", false, "replace keys that exist")
	return cmd
}

func (a *app) flRoundCommand() *cobra.Command {
	var cards, weights []string
	var out string
	var overwrite bool
	var r round.Round
	cmd := &cobra.Command{
		Use:   "round --card FILE... --number N --parameters N --out FILE",
		Short: "Describe a round: members, parameters, bounds",
		Long: `Describe a round. All members get the description, byte for byte the same; its digest is in every file of the round.
What cannot be added up safely is refused here, before anything is encrypted.

Sets of parameters, with values in 6.25 bytes or as said:
  R-1   the default: sums below 2^31
  R-1w  sums below 2^35, for weights chosen after encryption (--alpha-max)
  R-1p  3.1 bytes: sums below 2^19
  R-Q   5 bytes: sums below 2^31, security of 128 bits against quantum computers, 17 members at most
  R-2   3.1 bytes: sums below 2^21
  R-2Q  3.1 bytes: sums below 2^19, security of 128 bits against quantum computers

A sum is as large as 2^(bits-1) times all weights, times --alpha-max.`,
		Example: `  cipherfold fl round --card cards/*.card.json --network lung --number 1 --parameters 176116 --out round.json
  cipherfold fl round --card cards/*.card.json --network lung --number 2 --parameters 176116 \
    --clip 0.5 --weight-max 9000 --out r2.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "card", "network", "number", "parameters", "out"); err != nil {
				return err
			}
			o := a.unwatched(overwrite)
			if err := a.checkFiles(cmd.Context(), cmd.Flags()); err != nil {
				return err
			}
			everybody, single, err := weightsMax(weights)
			if err != nil {
				return err
			}
			for _, pattern := range cards {
				files, err := o.Files().List(cmd.Context(), pattern)
				if err != nil {
					return err
				}
				for _, file := range files {
					card, err := round.ReadCard(cmd.Context(), o.Files(), file)
					if err != nil {
						return err
					}
					m := round.Member{Card: card, WeightMax: everybody}
					if w, ok := single[card.Name]; ok {
						m.WeightMax = w
						delete(single, card.Name)
					}
					r.Members = append(r.Members, m)
				}
			}
			for name := range single {
				return &commandLineError{fmt.Errorf("--weight-max names %s, of whom there is no card", name), "Name members of the round."}
			}
			made, err := round.New(r)
			if err != nil {
				return err
			}
			if err := made.Write(cmd.Context(), o, out); err != nil {
				return err
			}
			type member struct {
				Name        string `json:"name"`
				Fingerprint string `json:"fingerprint"`
				WeightMax   int64  `json:"weight_max"`
			}
			var members []member
			for _, m := range made.Members {
				members = append(members, member{m.Name, m.Fingerprint(), m.WeightMax})
			}
			return a.print(map[string]any{"out": out, "sha256": made.Digest(), "threshold": made.Threshold, "minimum": made.Minimum, "members": members}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: round %d of %s, %s\n  sha256 %s\n", out, made.Number, made.Network, count(made.Parameters, "number"), made.Digest())
				fmt.Fprintf(w, "  %d of %d members open a sum, of %d members at least\n", made.Threshold, len(members), made.Minimum)
				for _, m := range members {
					fmt.Fprintf(w, "  %-16s weight up to %-8s card %s\n", m.Name, thousands(m.WeightMax), m.Fingerprint)
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&cards, "card", nil, "`FILE...` cards of the members, in the order of the round")
	f.StringVar(&r.Network, "network", "", "`NAME` of those who learn together")
	f.Uint64Var(&r.Number, "number", 0, "`N` of the round: no network uses a number twice")
	f.Int64Var(&r.Parameters, "parameters", 0, "`N` numbers in every vector")
	f.StringVar(&r.SetName, "set", "R-1", "`NAME` set of parameters")
	f.Float64Var(&r.Clip, "clip", 1, "`C` numbers are clipped to the range from -C to C")
	f.IntVar(&r.Bits, "bits", 16, "`N` of a number, 2 to 30: it is rounded to a multiple of C/(2^(N-1)-1)")
	f.Float64Var(&r.NormMax, "norm-max", 0, "`L` longer vectors are shortened to the L2 norm L before (default: none)")
	f.StringArrayVar(&weights, "weight-max", nil, "`W|MEMBER=W...` the most that the members' own weights can be (default 1)")
	f.Uint64Var(&r.AlphaMax, "alpha-max", 1, "`A` the most that a weight of fl fuse can be")
	f.IntVar(&r.Threshold, "threshold", 0, "`T` helpers that open a sum (default: the fewest that are safe)")
	f.IntVar(&r.Minimum, "minimum", 3, "`M` members that a sum must have to be opened")
	f.StringVar(&out, "out", "", "`DST` description to write")
	f.BoolVar(&overwrite, "overwrite", false, "replace a description that exists")
	return cmd
}

// weightsMax reads W and MEMBER=W.
func weightsMax(list []string) (everybody int64, single map[string]int64, err error) {
	everybody, single = 1, map[string]int64{}
	for _, s := range list {
		i := strings.LastIndex(s, "=")
		w, err := strconv.ParseInt(s[i+1:], 10, 64)
		if err != nil || w < 1 {
			return 0, nil, &commandLineError{fmt.Errorf("--weight-max %s is neither W nor MEMBER=W, with a whole number W from 1", s), "Write 9000, or ward-3=9000."}
		}
		if i < 0 {
			everybody = w
		} else {
			single[s[:i]] = w
		}
	}
	return everybody, single, nil
}

func (a *app) flEncryptCommand() *cobra.Command {
	var e update.EncryptRequest
	var member memberOptions
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "encrypt --round FILE --key FILE --in SRC --out DST --shares-out FILE",
		Short: "Encrypt a member's vector",
		Long: `Encrypt a member's vector: a column of floating-point numbers, such as gradients, in the order of its rows, which is
the same for all members. Numbers are clipped, made integers by random rounding, multiplied by --weight, and encrypted
under a fresh key, which is kept nowhere.

The update goes to the aggregator. The shares of its key go to all members: one is sealed to each of them.`,
		Example: `  cipherfold fl encrypt --round round.json --key keys/ward-3.key.age --in gradients.parquet --weight 830 \
    --out ward-3.update.parquet --shares-out ward-3.shares.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "round", "key", "in", "out", "shares-out"); err != nil {
				return err
			}
			if !cmd.Flags().Changed("null") {
				e.Nulls = nil
			}
			report, err := a.perform(cmd, work{verb: "fl encrypt", in: e.In, out: []string{e.Out, e.Shares}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				e.Options, e.Identity = o, member.reader(a)
				return update.Encrypt(ctx, e)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %.1f s (%s numbers/s)\n", report.Out, count(report.Records, "number"), report.Seconds, numbersPerSecond(report.Records, report.Seconds))
			})
		},
	}
	f := cmd.Flags()
	roundFlag(f, &e.Round)
	member.AddFlags(f)
	f.StringArrayVar(&e.In, "in", nil, "`SRC...` table with the vector: .parquet, .arrow, .feather, .csv or .tsv, in one file or several")
	f.StringVar(&e.Column, "column", "", "`COL` column of the numbers (default: the only one of floating-point numbers)")
	f.StringVar(&e.Tensor, "tensor", "", "`COL` column with the names of tensors, which come back in the mean")
	f.StringArrayVar(&e.Nulls, "null", nil, "`TEXT...` what means a missing number in CSV and TSV, which is refused (default: empty and NA)")
	f.Int64Var(&e.Weight, "weight", 1, "`W` of this member, such as the number of its records; it stays secret")
	f.Lookup("weight").Annotations = map[string][]string{untold: nil}
	f.StringVar(&e.Out, "out", "", "`DST` update to write")
	f.StringVar(&e.Shares, "shares-out", "", "`FILE` shares of its key to write")
	f.BoolVar(&overwrite, "overwrite", false, "replace outputs that exist")
	a.receiptFlags(f)
	a.watchFlags(f)
	return cmd
}

func roundFlag(f *pflag.FlagSet, to *string) {
	f.StringVar(to, "round", "", "`FILE` description of the round (fl round)")
}

// numbersPerSecond is how many of something there are in a second.
func numbersPerSecond(n int64, seconds float64) string {
	return thousands(int64(float64(n) / max(seconds, 1e-9)))
}

func (a *app) flFuseCommand() *cobra.Command {
	var q update.FuseRequest
	var weights []string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "fuse --round FILE --in FILE... --out DST",
		Short: "Add up encrypted updates without a key",
		Long: `Add up encrypted updates, or sums of them, without a key. Updates of another round, of another model or of members who
are in it already are refused. Weights can be chosen now: a member who is not trusted can be left out. A sum is not
opened where they are so far apart that it is nearly one member's vector.

The sum says which updates are in it. It is opened once, so it should have all that are to be in it.`,
		Example: `  cipherfold fl fuse --round round.json --in *.update.parquet --out sum.parquet
  cipherfold fl fuse --round round.json --in *.update.parquet --weight ward-3=2 --out sum.parquet`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "round", "in", "out"); err != nil {
				return err
			}
			var err error
			if q.Weights, err = update.ParseWeights(weights); err != nil {
				return err
			}
			report, err := a.perform(cmd, work{verb: "fl fuse", in: q.In, out: []string{q.Out}}, overwrite, func(ctx context.Context, o job.Options) (*job.Report, error) {
				q.Options = o
				return update.Fuse(ctx, q)
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s of %s, %.1f s (%s numbers/s)\n", report.Out, count(report.Records, "number"), count(int64(len(report.Inputs)), "file"),
					report.Seconds, numbersPerSecond(report.Values, report.Seconds))
			})
		},
	}
	f := cmd.Flags()
	roundFlag(f, &q.Round)
	f.StringArrayVar(&q.In, "in", nil, "`FILE...` updates, or sums of updates: files, globs or directories")
	f.StringVar(&q.Out, "out", "", "`DST` sum to write")
	f.StringArrayVar(&weights, "weight", nil, "`MEMBER=W...` multiply a member's update by W, a whole number")
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	a.receiptFlags(f)
	a.watchFlags(f)
	return cmd
}

func (a *app) flAnswerCommand() *cobra.Command {
	var q update.AnswerRequest
	var member memberOptions
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "answer --round FILE --key FILE --in SUM --shares FILE... --out FILE",
		Short: "Help to open a sum, once",
		Long: `Help to open a sum. The answer is the sum of the shares that this member has of the keys of those in it, and tells nothing
about any of them alone. Whoever has the sum and enough answers reads the mean.

A member answers once for a round: a second answer, for other updates or weights, is refused, as the difference of two
sums tells a single member's vector. What was answered is recorded in a file beside the keys. Keep it with the keys.`,
		Example: `  cipherfold fl answer --round round.json --key keys/ward-3.key.age --in sum.parquet \
    --shares *.shares.json --out ward-3.answer.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "round", "key", "in", "shares", "out"); err != nil {
				return err
			}
			w := work{verb: "fl answer", in: append([]string{q.In}, q.Shares...), out: []string{q.Out}}
			if q.Record == "" {
				if strings.Contains(member.file, "://") {
					return &commandLineError{fmt.Errorf("--key %s is not on a disk, where the record of answers could be beside it", member.file), "Give --record FILE, on a disk."}
				}
				q.Record = recordOf(member.file)
				w.files = []job.FileUse{{Option: fieldOf("record"), Name: q.Record, Access: job.Shares}}
			}
			var opening *round.Opening
			report, err := a.perform(cmd, w, overwrite, func(ctx context.Context, o job.Options) (report *job.Report, err error) {
				q.Options, q.Identity = o, member.reader(a)
				report, opening, err = update.Answer(ctx, q)
				return report, err
			})
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				fmt.Fprintf(w, "%s: an answer for %s, recorded in %s\n", report.Out, q.In, q.Record)
				writeWeights(w, opening)
			})
		},
	}
	f := cmd.Flags()
	roundFlag(f, &q.Round)
	member.AddFlags(f)
	f.StringVar(&q.In, "in", "", "`FILE` the sum; only its footer is read")
	f.StringArrayVar(&q.Shares, "shares", nil, "`FILE...` shares of all members in the sum")
	f.StringVar(&q.Record, "record", "", "`FILE` record of the rounds that this member has answered for (default: beside the key, with .answered)")
	f.StringVar(&q.Out, "out", "", "`DST` answer to write")
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	a.receiptFlags(f)
	a.watchFlags(f)
	return cmd
}

// recordOf is where the record of answers is, beside the key itself, by whatever links that is named.
func recordOf(key string) string {
	if target, err := filepath.EvalSymlinks(key); err == nil {
		key = target
	}
	return filepath.Clean(key) + ".answered"
}

// writeWeights writes what members' updates were multiplied with, unless that is 1 for all.
func writeWeights(w io.Writer, o *round.Opening) {
	var list []string
	uneven := false
	for _, in := range o.Inputs {
		list = append(list, fmt.Sprintf("%s %d", in.Member, in.Weight))
		uneven = uneven || in.Weight != 1
	}
	if uneven {
		fmt.Fprintf(w, "  weights: %s\n", strings.Join(list, ", "))
	}
}

// openReport is the report of an opening with what it tells.
type openReport struct {
	*job.Report
	Opened *update.Opened `json:"opened"`
}

// Public is what may be printed for others.
func (r openReport) Public() any { return openReport{r.Report.Told(), r.Opened} }

func (a *app) flOpenCommand() *cobra.Command {
	var q update.OpenRequest
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "open --round FILE --in SUM --answers FILE... --out DST",
		Short: "Read the mean from a sum and the helpers' answers",
		Long: `Read the weighted mean of the members' vectors from a sum and the answers of enough members. Every block of the sum has a
check value: what does not belong together is refused, and no mean is written.`,
		Example: `  cipherfold fl open --round round.json --in sum.parquet --answers *.answer.json --out mean.parquet`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "round", "in", "answers", "out"); err != nil {
				return err
			}
			var opened *update.Opened
			report, err := a.perform(cmd, work{verb: "fl open", in: append([]string{q.In}, q.Answers...), out: []string{q.Out}}, overwrite, func(ctx context.Context, o job.Options) (report *job.Report, err error) {
				q.Options = o
				report, opened, err = update.Open(ctx, q)
				return report, err
			})
			if err != nil {
				return err
			}
			return a.print(openReport{report, opened}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, %.1f s\n  the mean of %s (%s), with a weight of %s in all\n  each within %.3g of the mean of the clipped numbers\n", report.Out, count(report.Records, "number"), report.Seconds,
					count(int64(len(opened.Members)), "member"), strings.Join(opened.Members, ", "), thousands(opened.Weight), opened.Step)
			})
		},
	}
	f := cmd.Flags()
	roundFlag(f, &q.Round)
	f.StringVar(&q.In, "in", "", "`FILE` the sum")
	f.StringArrayVar(&q.Answers, "answers", nil, "`FILE...` answers of members")
	f.StringVar(&q.Out, "out", "", "`DST` mean to write: .parquet, .arrow, .csv or .tsv")
	f.BoolVar(&overwrite, "overwrite", false, "replace an output that exists")
	a.receiptFlags(f)
	a.watchFlags(f)
	return cmd
}
