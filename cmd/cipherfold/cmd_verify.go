package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/blob"
)

func init() {
	registerCommand(110, (*app).verifyCommand)
}

func (a *app) verifyCommand() *cobra.Command {
	var publicKey, private, skip string
	var recompute bool
	var in []string
	var minGroup int64
	var o receipt.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify RECEIPT | verify --recompute SUM --in FILE...",
		Short: "Check a job's signed receipt against its files",
		Long: `Check a receipt: its signature, and that every input and output is there and has the size and the SHA-256 that
the receipt says, and that encrypted tables are encrypted under the key that it names. A changed byte anywhere is
refused (exit code 3).

Of files that are not encrypted tables a receipt has commitments. They can be checked by those who have the receipt's
private part: RECEIPT with .private.json for .json, or --private. Others learn nothing of such files but their names.

Nothing is opened outside the directory --base, for a receipt may be forged; --anywhere opens files wherever they are.
A server that a receipt names is never spoken to.

A receipt carries the public key of its signer. Without --public-key, a valid signature shows only that nothing
was changed since somebody signed: who that was, the receipt cannot prove by itself.

With --recompute it takes a fused table and the tables it was made of, makes the sum again, as its footer says, and
compares ids, ciphertexts and footers. That needs no key. What was re-randomised, or a masked total of blocks, cannot be
compared.`,
		Example: `  cipherfold verify a.receipt.json --public-key hospital-a.pub
  cipherfold verify --recompute sum.cf.parquet --in a.cf.parquet b.cf.parquet
  cipherfold verify a.receipt.json --public-key hospital-a.pub --base /data/from-a --skip-missing inputs`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &commandLineError{fmt.Errorf("verify takes one receipt, not %d", len(args)), "See: cipherfold verify --help"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if recompute {
				return a.recompute(cmd, args[0], in, minGroup)
			}
			if len(in) > 0 || minGroup != 0 {
				return &commandLineError{errors.New("--in and --min-group go with --recompute"), "Add --recompute, or leave them out."}
			}
			switch skip {
			case "", "inputs", "outputs", "all":
				o.SkipInputs, o.SkipOutputs = skip == "inputs" || skip == "all", skip == "outputs" || skip == "all"
			default:
				return &commandLineError{fmt.Errorf("--skip-missing %s is neither inputs nor outputs nor all", skip), "Name what may be missing."}
			}
			ctx := cmd.Context()
			fs := a.options(false).Files()
			o.Name, o.Threads = args[0], a.workers()
			var err error
			if publicKey != "" {
				if o.PublicKey, err = receipt.ReadPublicKey(ctx, fs, publicKey); err != nil {
					return err
				}
			}
			data, err := job.ReadFile(ctx, fs, args[0], receipt.BytesMax)
			if err != nil {
				return err
			}
			given := private != ""
			if !given {
				private = receipt.PrivateName(args[0])
			}
			switch text, err := job.ReadFile(ctx, fs, private, receipt.BytesMax); {
			case err == nil:
				if o.Private, err = receipt.ParsePrivate(private, text); err != nil {
					return err
				}
			case given || !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, blob.ErrPermission):
				return err
			}
			report, err := receipt.Verify(ctx, fs, data, o)
			if err != nil {
				if report != nil && !a.json {
					writeVerification(printable.NewWriter(a.out), args[0], report)
				}
				return err
			}
			return a.print(verificationOf(args[0], report), func(w io.Writer) { writeVerification(w, args[0], report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&publicKey, "public-key", "", "`FILE` public key (.pub) of whoever must have signed the receipt")
	f.StringVar(&private, "private", "", "`FILE` the receipt's private part (default: beside it, if it is there)")
	f.StringVar(&o.Base, "base", "", "`DIR` directory in which the job ran, from which relative names start (default: this one)")
	f.BoolVar(&o.Anywhere, "anywhere", false, "open files outside of --base, too, wherever the receipt says they are")
	f.StringVar(&skip, "skip-missing", "", "`WHAT` inputs, outputs or all: leave out what is not there, and say so, instead of refusing")
	f.BoolVar(&recompute, "recompute", false, "make the fused table SUM again from its inputs, and compare")
	f.StringArrayVar(&in, "in", nil, "`FILE...` with --recompute: the tables that SUM was made of")
	f.Int64Var(&minGroup, "min-group", 0, "`N` with --recompute: as the fusion had it")
	return cmd
}

// recompute makes a sum again, and compares.
func (a *app) recompute(cmd *cobra.Command, sum string, in []string, minGroup int64) error {
	if len(in) == 0 {
		return &commandLineError{errors.New("--recompute without --in"), "Name the tables that the sum was made of."}
	}
	for _, other := range []string{"public-key", "base", "skip-missing"} {
		if cmd.Flags().Changed(other) {
			return &commandLineError{fmt.Errorf("--recompute and --%s exclude each other", other), "A receipt is checked on its own."}
		}
	}
	dir, err := os.MkdirTemp("", "cipherfold-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := inspect.Recompute(cmd.Context(), a.options(false), sum, in, minGroup, filepath.Join(dir, "again.cf.parquet"))
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s: the sum of %s, made again: %s of it, and %s folded, are the same\n", sum, count(int64(len(r.Inputs)), "table"), count(r.Rows, "row"), count(r.Ciphertexts, "ciphertext"))
		if r.Signer != "" {
			fmt.Fprintf(w, "  signed by    %s\n", r.Signer)
		}
	})
}

// verification is the outcome of verify as JSON.
type verification struct {
	Receipt  string          `json:"receipt"`
	Verified bool            `json:"verified"`
	Signer   string          `json:"signer"`  // the key's id
	Trusted  bool            `json:"trusted"` // the key was given, not taken from the receipt
	Job      string          `json:"job,omitempty"`
	Steps    []verifiedStep  `json:"steps"`
	Started  time.Time       `json:"started"`
	Ended    time.Time       `json:"ended"`
	Program  receipt.Program `json:"program"`
	Machine  receipt.Machine `json:"machine"`
	Checked  int             `json:"checked"`
	Skipped  int             `json:"skipped"`
	Closed   int             `json:"committed"` // files that nothing here opens the commitments to
	Files    []verifiedFile  `json:"files"`

	old bool // the receipt itself has all of it
}

type verifiedStep struct {
	Verb        string                    `json:"verb"`
	Parameters  map[string]receipt.Values `json:"parameters"`
	Key         *receipt.Key              `json:"key,omitempty"`
	Kernel      string                    `json:"kernel,omitempty"`
	Records     int64                     `json:"records"`
	Ciphertexts int64                     `json:"ciphertexts"`
	Missing     map[string]int64          `json:"missing,omitempty"`
	Filled      map[string]int64          `json:"filled,omitempty"`
	Dropped     map[string]int64          `json:"dropped,omitempty"`
}

// Public is the outcome without what the private part says.
func (v verification) Public() any {
	if v.old {
		return v
	}
	v.Steps, v.Files = slices.Clone(v.Steps), slices.Clone(v.Files)
	for i := range v.Steps {
		s := &v.Steps[i]
		s.Missing, s.Filled, s.Dropped = nil, nil, nil
	}
	for i := range v.Files {
		if f := &v.Files[i]; f.Fingerprint == "" {
			f.Bytes, f.SHA256, f.Rows = 0, "", nil
		}
	}
	return v
}

type verifiedFile struct {
	File        string         `json:"file"`
	Role        receipt.Role   `json:"role"`
	Status      receipt.Status `json:"status"`
	Bytes       int64          `json:"bytes,omitempty"`
	SHA256      string         `json:"sha256,omitempty"`
	Rows        *int64         `json:"rows,omitempty"`
	Fingerprint string         `json:"fingerprint,omitempty"` // of the key of an encrypted table
}

func verificationOf(name string, r *receipt.Report) verification {
	v := verification{
		Receipt: name, Verified: true, Signer: r.Receipt.Signer.ID(), Trusted: r.Trusted, Job: r.Receipt.Job,
		Started: r.Receipt.Started, Ended: r.Receipt.Ended, Program: r.Receipt.Program, Machine: r.Receipt.Machine, Files: []verifiedFile{},
	}
	v.old = r.Receipt.Old()
	for _, s := range r.Receipt.Steps {
		v.Steps = append(v.Steps, verifiedStep{s.Verb, s.Parameters, s.Key, s.Kernel, s.Records, s.Ciphertexts, s.Missing, s.Filled, s.Dropped})
	}
	for _, c := range r.Files {
		f := verifiedFile{File: c.File.Path, Role: c.Role, Status: c.Status, Bytes: c.File.Bytes, SHA256: c.File.SHA256, Rows: c.File.Rows}
		if c.File.Table != nil {
			f.Fingerprint = c.File.Table.Fingerprint
		}
		switch c.Status {
		case receipt.Skipped:
			v.Skipped++
		case receipt.Closed:
			v.Closed++
		default:
			v.Checked++
		}
		v.Files = append(v.Files, f)
	}
	return v
}

func writeVerification(w io.Writer, name string, r *receipt.Report) {
	x := r.Receipt
	fmt.Fprintf(w, "%s\n  signed by  %s\n", name, x.Signer.ID())
	if r.Trusted {
		fmt.Fprintf(w, "             the key that --public-key names\n")
	} else {
		fmt.Fprintf(w, "             a key that only the receipt itself vouches for: compare it with its owner over another\n             channel, or give --public-key\n")
	}
	if x.Job != "" {
		fmt.Fprintf(w, "  job        %s\n", x.Job)
	}
	for _, s := range x.Steps {
		fmt.Fprintf(w, "  %-9s  %s\n", s.Verb, strings.Join(stepWords(s), ", "))
		if s.Key != nil {
			fmt.Fprintf(w, "             key %s, %s, %s, %d bits\n", s.Key.Fingerprint, s.Key.Scheme, s.Key.Variant, s.Key.Bits)
			if s.Key.TestKey {
				fmt.Fprintln(w, "             TEST KEY: below 2048 bits, protects nothing")
			}
		}
	}
	fmt.Fprintf(w, "  when       %s to %s\n", x.Started.Format(time.RFC3339), x.Ended.Format(time.RFC3339))
	commit := ""
	if x.Program.Commit != "" {
		commit = " commit " + x.Program.Commit[:min(12, len(x.Program.Commit))]
		if x.Program.Modified {
			commit += " with changes"
		}
	}
	fmt.Fprintf(w, "  program    %s %s%s, %s on %s/%s, %s\n\n", x.Program.Name, x.Program.Version, commit, x.Program.Go, x.Machine.OS, x.Machine.Arch, count(int64(x.Machine.Cores), "core"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	counts := map[receipt.Status]int{}
	for _, c := range r.Files {
		counts[c.Status]++
		size := thousands(c.File.Bytes) + " bytes"
		if c.Status == receipt.Closed {
			size = ""
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t", c.Status, c.Role, oneLine(c.File.Path), size)
		if c.File.Rows != nil {
			fmt.Fprint(t, count(*c.File.Rows, "record"))
		}
		if c.File.Table != nil {
			fmt.Fprintf(t, "\tencrypted under %s", c.File.Table.Fingerprint[:min(16, len(c.File.Table.Fingerprint))])
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	fmt.Fprintln(w)
	if counts[receipt.Same]+counts[receipt.Skipped]+counts[receipt.Closed] < len(r.Files) {
		return // the error says the rest
	}
	switch same := counts[receipt.Same]; {
	case same == len(r.Files):
		fmt.Fprintf(w, "The signature is right, and %s as the receipt says.\n", areFiles(same))
	case same == 0:
		fmt.Fprintf(w, "The signature is right. No file was checked.\n")
	default:
		fmt.Fprintf(w, "The signature is right. %s as the receipt says.\n", areFiles(same))
	}
	if n := counts[receipt.Skipped]; n > 0 {
		fmt.Fprintf(w, "%s not checked: missing.\n", areFiles(n))
	}
	if n := counts[receipt.Closed]; n > 0 {
		fmt.Fprintf(w, "%s not checked: the receipt commits to them, and its private part, which opens that, is not here.\n", areFiles(n))
	}
}

func areFiles(n int) string {
	if n == 1 {
		return "1 file is"
	}
	return count(int64(n), "file") + " are"
}

// oneLine keeps a name from breaking lines or driving a terminal.
func oneLine(s string) string { return printable.Escape(s) }

// stepWords say what a step did.
func stepWords(s receipt.Step) []string {
	words := []string{count(s.Records, "record"), count(s.Ciphertexts, "ciphertext")}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		words = append(words, name+" "+oneLine(strings.Join(s.Parameters[name], " ")))
	}
	if s.Kernel != "" {
		words = append(words, "kernel "+s.Kernel)
	}
	missing := int64(0)
	for _, n := range s.Missing {
		missing += n
	}
	if missing > 0 {
		words = append(words, thousands(missing)+" missing")
	}
	filled := int64(0)
	for _, n := range s.Filled {
		filled += n
	}
	if filled > 0 {
		words = append(words, thousands(filled)+" filled")
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Dropped)) {
		words = append(words, thousands(s.Dropped[reason])+" dropped: "+reason)
	}
	return words
}
