// Command cipherfold adds up columns nobody may see: owners encrypt, an aggregator without a key folds, the key holder
// decrypts only the result.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob/stores"
)

func main() {
	log.SetOutput(io.Discard) // libraries of stores log there what they return as errors, too
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr, files: new(stores.FS)}
	defer a.files.Close() // of what was written all is committed by now
	root := a.rootCommand()
	root.SetArgs(spread(root, args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !a.json { // a mistake before it in the line keeps the flag from being read
		options, _, _ := strings.Cut(strings.Join(args, "\x00")+"\x00", "\x00--\x00")
		a.json = slices.Contains(strings.Split(options, "\x00"), "--json")
	}
	return a.report(ctx, err)
}

// commands are the commands by their places in the help.
var commands = map[int]func(*app) *cobra.Command{}

// registerCommand makes a command one of the program's. Commands are listed in the order of their places, which leave
// room between them.
func registerCommand(place int, command func(*app) *cobra.Command) {
	if commands[place] != nil {
		panic(fmt.Sprintf("two commands have place %d", place))
	}
	commands[place] = command
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cipherfold",
		Short: "Add up encrypted columns without seeing them",
		Long: `Cipherfold adds up columns nobody may see. Owners encrypt numbers under one public key, an aggregator
without a key folds the encrypted tables together, and the holder of the secret key decrypts
only the result: exact sums and counts, with means, variances and correlations.

  owner        cipherfold encrypt --key public.json --in rna.parquet --out a.cf.parquet \
                 --id gene --measure tpm:decimals=1:max=100000
  aggregator   cipherfold fuse --in a.cf.parquet b.cf.parquet --out fused.cf.parquet
  key holder   cipherfold decrypt --key secret.age --in fused.cf.parquet --out sums.parquet

Exit codes: 0 done; 1 failed; 2 usage; 3 input refused (bad data, wrong key, no headroom,
corrupted file, output in the way); 4 interrupted; 5 not now (shards are missing, or another program
runs the job): try again.`,
		Example:       "  cipherfold demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownVerb,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cmd.Help()
		},
	}
	program := receipt.ThisProgram()
	root.Version = strings.TrimSpace(program.Version + " " + program.Commit)
	root.SetVersionTemplate(fmt.Sprintf("cipherfold {{.Version}} (%s, %s/%s)\n", program.Go, runtime.GOOS, runtime.GOARCH))
	root.Flags().Bool("version", false, "print the version of the program")
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print results and errors as JSON on standard output")
	f.BoolVar(&a.counts, "json-private", false, "with --json: also counts of missing and dropped values, and digests of tables in the clear, which others should not get")
	f.BoolVar(&a.quiet, "quiet", false, "no progress and no notes on standard error")
	f.StringVar(&a.logFormat, "log-format", "text", "`FORM` notes on standard error as text or json")
	f.IntVar(&a.threads, "threads", 0, "`N` workers (default: all cores)")
	f.Var(&a.memory, "memory", "`SIZE` budget for buffers, tables and group state, such as 512MiB or 2GiB")
	f.StringVar(&a.kernel, "kernel", "", "`NAME` arithmetic to use instead of the best available (see doctor)")
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := fromEnvironment(cmd, os.LookupEnv); err != nil {
			return err
		}
		if err := refuseEmpty(cmd.Flags()); err != nil {
			return err
		}
		return a.begin()
	}
	for _, place := range slices.Sorted(maps.Keys(commands)) {
		c := commands[place](a)
		if c.Args == nil {
			c.Args = noArguments
		}
		root.AddCommand(c)
	}
	return root
}

// knownVerb refuses a first word that is no verb.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "See: cipherfold --help"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("Did you mean %s? %s", strings.Join(near, " or "), hint)
	}
	return &commandLineError{fmt.Errorf("%q is no verb", args[0]), hint}
}

// noArguments refuses words that belong to no flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &commandLineError{fmt.Errorf("%q belongs to no flag", args[0]), fmt.Sprintf("See: %s --help", cmd.CommandPath())}
}

// commandLineError is a mistake in the command line itself.
type commandLineError struct {
	error
	hint string
}

func (e *commandLineError) Unwrap() error { return e.error }

// helpOf is a hint where to read about a command.
func helpOf(cmd *cobra.Command) string { return fmt.Sprintf("See: %s --help", cmd.CommandPath()) }

// required refuses options without one of the named ones, or with nothing as its value.
func required(flags *pflag.FlagSet, hint string, names ...string) error {
	var missing []string
	for _, name := range names {
		f := flags.Lookup(name)
		if !f.Changed {
			missing = append(missing, fieldOf(name))
			continue
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			return &commandLineError{fmt.Errorf("%s is empty", fieldOf(name)), hint}
		}
	}
	switch n := len(missing); n {
	case 0:
		return nil
	case 1:
		return &commandLineError{fmt.Errorf("%s is missing", missing[0]), hint}
	default:
		return &commandLineError{fmt.Errorf("%s and %s are missing", strings.Join(missing[:n-1], ", "), missing[n-1]), hint}
	}
}

// flagError says what is wrong with a flag in words that do not come from a library.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("See: %s --help", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.InheritedFlags()} {
			flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		}
		if near, ok := job.Nearest(unknown.GetSpecifiedName(), names); ok {
			hint = fmt.Sprintf("Did you mean --%s? %s", near, hint)
		}
	}
	return &commandLineError{errors.New(flagText(err)), hint}
}

func flagText(err error) string {
	var (
		unknown *pflag.NotExistError
		none    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		dashes := "--"
		if unknown.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return fmt.Sprintf("unknown flag %s%s", dashes, unknown.GetSpecifiedName())
	case errors.As(err, &none):
		return fmt.Sprintf("--%s needs a value", none.GetFlag().Name)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		what := fmt.Sprintf("%s %s", fieldOf(f.Name), invalid.GetValue())
		switch {
		case errors.Is(err, strconv.ErrRange):
			return fmt.Sprintf("%s is out of range", what)
		case strings.HasPrefix(f.Value.Type(), "int"):
			return fmt.Sprintf("%s is not a whole number", what)
		case f.Value.Type() == "bool":
			return fmt.Sprintf("%s=%s is neither true nor false", fieldOf(f.Name), invalid.GetValue())
		default:
			return fmt.Sprintf("%s: %v", what, errors.Unwrap(invalid))
		}
	}
	return err.Error()
}
