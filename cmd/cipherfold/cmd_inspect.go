package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

func init() {
	registerCommand(100, (*app).inspectCommand)
}

func (a *app) inspectCommand() *cobra.Command {
	var export, passphraseFile string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Show what a key file, an encrypted table or a job directory holds",
		Long: `Show what key files and encrypted tables hold: scheme, fingerprint, columns, bounds, additions used, rows;
and how far the job of a job directory has come. Nothing is decrypted; a secret key encrypted under a passphrase is
opened to be checked.`,
		Example: `  cipherfold inspect keys/public.json a.cf.parquet
  cipherfold inspect jobs/nightly
  cipherfold inspect keys/public.json --export public.jwk`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return &commandLineError{fmt.Errorf("no file to inspect"), "See: cipherfold inspect --help"}
			}
			o := a.options(overwrite)
			if export != "" {
				if len(files) != 1 {
					return &commandLineError{fmt.Errorf("--export takes one key file"), "Export one key at a time."}
				}
				if err := a.checkFiles(cmd.Context(), cmd.Flags(), job.FileUse{Option: "the key file", Name: files[0], Access: job.Reads}); err != nil {
					return err
				}
				if err := inspect.ExportJWK(cmd.Context(), o, files[0], export, a.passphrase(cmd.Context(), passphraseFile)); err != nil {
					return err
				}
				return a.print(map[string]string{"file": files[0], "export": export}, func(w io.Writer) {
					fmt.Fprintf(w, "%s: written as %s\n", files[0], export)
				})
			}
			var all []any
			for _, file := range files {
				if batch.IsJob(cmd.Context(), o, file) {
					x, err := batch.Inspect(cmd.Context(), o, file)
					if err != nil {
						return err
					}
					all = append(all, x)
					continue
				}
				x, err := inspect.File(cmd.Context(), o, file, a.passphrase(cmd.Context(), passphraseFile))
				if err == nil && x.Kind == "secret key" {
					a.warnOfReaders(cmd.Context(), "the secret key", file)
				}
				if err != nil {
					return err
				}
				all = append(all, x)
			}
			return a.print(all, func(w io.Writer) {
				for i, x := range all {
					if i > 0 {
						fmt.Fprintln(w)
					}
					switch x := x.(type) {
					case *batch.Status:
						writeStatus(w, x)
					case *inspect.Inspection:
						writeInspection(w, x)
					}
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&export, "export", "", "`FILE` write the key there as python-paillier's JWK, unencrypted")
	f.StringVar(&passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase of secret.age")
	f.BoolVar(&overwrite, "overwrite", false, "replace an export that exists")
	return cmd
}

func writeInspection(w io.Writer, x *inspect.Inspection) {
	fmt.Fprintf(w, "%s\n  %s, %s, %s, %d bits\n  fingerprint  %s\n", x.File, x.Kind, x.Scheme, x.Variant, x.Bits, x.Fingerprint)
	if x.TestKey {
		fmt.Fprintln(w, "  TEST KEY: below 2048 bits, protects nothing")
	}
	if k := x.Tables; k != nil {
		fmt.Fprintf(w, "  tables       %s to encrypt with kernel %s", bytesText(float64(k.Bytes)), k.Kernel)
		switch {
		case k.Kept != "":
			fmt.Fprintf(w, ", kept in %s", k.Kept)
		case k.Unused != "":
			fmt.Fprintf(w, "; those kept beside the key are not used: %s", k.Unused)
		}
		fmt.Fprintln(w)
	}
	t := x.Table
	if t == nil {
		return
	}
	layout := t.Layout
	if t.Total {
		layout += ", folded into one total"
	} else if t.BlockRecords > 0 {
		layout += fmt.Sprintf(", %d records each", t.BlockRecords)
	}
	fmt.Fprintf(w, "  layout       %s\n  records      %s\n", layout, thousands(t.Rows))
	if len(t.IDs) > 0 {
		fmt.Fprintf(w, "  ids          %s\n", strings.Join(t.IDs, ", "))
	}
	fmt.Fprintf(w, "  additions    %s used of %s\n", thousands(t.AddsUsed), thousands(t.MaxAdds))
	if t.Source != "" {
		fmt.Fprintf(w, "  source       %s\n", t.Source)
	}
	if t.TableID != "" {
		fmt.Fprintf(w, "  table id     %s\n", t.TableID)
	}
	if x.Signer != "" {
		fmt.Fprintf(w, "  signed by    %s\n", x.Signer)
	}
	writeOriginals(w, x.Originals)
	writePrivacy(w, x.Privacy)
	fmt.Fprintf(w, "  ciphertexts  %s of %d bytes\n  measures\n", count(int64(len(t.Columns)), "column"), x.CiphertextBytes)
	for _, m := range t.Measures {
		if m.Count == "" {
			continue
		}
		where := m.InColumns[0]
		if len(m.InColumns) > 1 {
			where += ".." + m.InColumns[len(m.InColumns)-1]
		}
		fmt.Fprintf(w, "    %-24s decimals %d, bound %s, slot of %d bits in %s\n", m.Name, m.Decimals, m.Bound, m.Width, where)
	}
	writePreparation(w, t)
}

// writeOriginals tells whose tables are in a sum: of those that an owner names by the name, of others by the id.
func writeOriginals(w io.Writer, r *job.OriginalsReport) {
	if r == nil {
		return
	}
	const listed = 8
	var names []string
	for i := range r.List {
		o := &r.List[i]
		name := o.Source
		if name == "" {
			name = o.ID[:8]
		}
		if o.Weight != 1 {
			name += fmt.Sprintf(" x %d", o.Weight)
		}
		if len(o.Parts) > 0 {
			name += " (a part)"
		}
		names = append(names, name)
	}
	if more := len(names) - listed; more > 0 {
		names = append(names[:listed], fmt.Sprintf("and %d more", more))
	}
	line := count(r.Tables, "table")
	if names != nil {
		line += ": " + strings.Join(names, ", ")
	}
	fmt.Fprintf(w, "  owners       %s\n", line)
	if r.Unidentified > 0 {
		fmt.Fprintf(w, "               and %s of an earlier version, without an id: nobody can tell whether one is there twice\n", count(r.Unidentified, "table"))
	}
	if r.Repeats {
		fmt.Fprintln(w, "               tables may be in it more than once: no guarantee of privacy holds")
	}
}

// writePreparation tells how ids and values were prepared before encryption, an id or measure on each line.
func writePreparation(w io.Writer, t *ctfile.Table) {
	if len(t.Samples) > 0 {
		fmt.Fprintf(w, "  samples      tokens of %s\n", thousands(int64(len(t.Samples))))
	}
	var order []string
	steps := map[string][]string{}
	for _, s := range t.Preparation {
		on := s.On
		if on == "" {
			on = "(all)"
		}
		if steps[on] == nil {
			order = append(order, on)
		}
		text := s.Step
		if s.Value != "" {
			text += "=" + s.Value
		}
		steps[on] = append(steps[on], text)
	}
	for i, on := range order {
		if i == 0 {
			fmt.Fprintln(w, "  prepared")
		}
		fmt.Fprintf(w, "    %s  %s\n", on, strings.Join(steps[on], ", "))
	}
}
