// Command cipherfold adds up columns nobody may see: owners encrypt, an aggregator without a key folds, the key holder
// decrypts only the result.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr}
	root := a.rootCommand()
	root.SetArgs(spread(root, args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	return a.report(ctx, err)
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
corrupted file, output in the way); 4 interrupted.`,
		Example:       "  cipherfold demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cmd.Help()
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &commandLineError{err, fmt.Sprintf("See: %s --help", cmd.CommandPath())}
	})
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print results and errors as JSON on standard output")
	f.BoolVar(&a.quiet, "quiet", false, "no progress and no notes on standard error")
	f.StringVar(&a.logFormat, "log-format", "text", "notes on standard error as `text` or json")
	f.IntVar(&a.threads, "threads", 0, "workers (default: all cores)")
	f.Var(&a.memory, "memory", "budget for buffers, tables and group state, such as 512MiB or 2GiB")
	f.StringVar(&a.kernel, "kernel", "", "arithmetic to use instead of the best available (see doctor)")
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error { return a.begin() }
	for _, c := range []*cobra.Command{
		a.keygenCommand(), a.inspectCommand(), a.encryptCommand(), a.fuseCommand(), a.decryptCommand(),
		a.demoCommand(), a.selftestCommand(), a.doctorCommand(),
	} {
		if c.Args == nil {
			c.Args = noArguments
		}
		root.AddCommand(c)
	}
	return root
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

// required refuses a command line without one of the named flags.
func required(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if !cmd.Flags().Changed(name) {
			return &commandLineError{errors.New("--" + name + " is missing"), fmt.Sprintf("See: %s --help", cmd.CommandPath())}
		}
	}
	return nil
}
