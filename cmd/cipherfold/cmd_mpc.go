package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
)

func init() {
	registerCommand(165, (*app).mpcCommand)
}

func (a *app) mpcCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mpc VERB",
		Short: "Data servers that hold readings in shares, and answer statistics about them",
		Long: `Data servers hold readings in shares: none of them, nor all but one together, can read a value. A gateway stores
readings, researchers ask for statistics, physicians for values of their patients. See docs/data-servers.md.`,
		Example: "  cipherfold mpc demo",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ca := &cobra.Command{
		Use:     "ca VERB",
		Short:   "A small certificate authority for a first try",
		Example: "  cipherfold mpc ca init --dir ca --name 'Hospital authority'",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	audit := &cobra.Command{
		Use:     "audit VERB",
		Short:   "Read a server's audit log, and check that nothing in it was changed",
		Example: "  cipherfold mpc audit verify --store shares.db",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ca.AddCommand(a.mpcCAInitCommand(), a.mpcCAIssueCommand(), a.mpcCARevokeCommand())
	audit.AddCommand(a.mpcAuditVerifyCommand(), a.mpcAuditShowCommand())
	cmd.AddCommand(a.mpcDemoCommand(), ca, a.mpcKeygenCommand(), a.mpcServerCommand(), a.mpcIngestCommand(), a.mpcQueryCommand(), audit, a.mpcBackupCommand(), a.mpcRestoreCommand())
	for _, c := range everyMPC(cmd) {
		if c.Args == nil {
			c.Args = noArguments
		}
	}
	return cmd
}

// everyMPC are a command and those below it.
func everyMPC(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		all = append(all, everyMPC(c)...)
	}
	return all
}

// serverRefusal makes what a server says the reason of a refusal.
func serverRefusal(err error) error {
	var remote *wire.RemoteError
	if !errors.As(err, &remote) {
		return err
	}
	name, cause, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return err
	}
	return &outputError{name, cause, ""}
}

func (a *app) mpcCAInitCommand() *cobra.Command {
	var dir, name string
	var days int
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make an authority: its key, its certificate, and an empty list of revoked certificates",
		Long: `Make an authority in a directory: ca.crt goes to everybody, revoked.pem to all servers, and ca.key stays where the
authority is. Another authority's certificates serve as well (docs/data-servers.md says what they contain).`,
		Example: "  cipherfold mpc ca init --dir ca --name 'Hospital authority'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "dir"); err != nil {
				return err
			}
			valid, err := validDays(days)
			if err != nil {
				return err
			}
			if _, err := access.CreateAuthority(cmd.Context(), dir, name, valid); err != nil {
				return err
			}
			return a.printFiles(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), filepath.Join(dir, "revoked.pem"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "`DIR` new directory for the authority")
	f.StringVar(&name, "name", "Cipherfold authority", "`TEXT` name of the authority")
	f.IntVar(&days, "days", 3650, "`N` how long it is valid")
	return cmd
}

// validDays is a number of days as a duration.
func validDays(days int) (time.Duration, error) {
	if days < 1 || days > 36500 {
		return 0, &commandLineError{fmt.Errorf("--days %d: a certificate is valid for 1 to 36500 days", days), "Give another number."}
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// printFiles prints the names of files that were made.
func (a *app) printFiles(files ...string) error {
	return a.print(map[string]any{"files": files}, func(w io.Writer) {
		for _, f := range files {
			fmt.Fprintln(w, f)
		}
	})
}

func (a *app) mpcCAIssueCommand() *cobra.Command {
	var dir, out, role, name string
	var hosts []string
	var days int
	cmd := &cobra.Command{
		Use:   "issue --dir DIR --role ROLE --name NAME",
		Short: "Make a key and a certificate for a server, gateway, physician or researcher",
		Long: `Make a key and a certificate for somebody: NAME.key and NAME.crt. A physician or researcher gets a second pair that
signs queries, NAME.sign.key and NAME.sign.crt. A server's name is the host name that others reach it by.`,
		Example: `  cipherfold mpc ca issue --dir ca --role server --name s1.hospital-a.example --out server-1
  cipherfold mpc ca issue --dir ca --role researcher --name rita --days 90 --out rita`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "dir", "role", "name"); err != nil {
				return err
			}
			valid, err := validDays(days)
			if err != nil {
				return err
			}
			ca, err := access.OpenAuthority(dir)
			if err != nil {
				return err
			}
			if access.Role(role) == access.Server {
				hosts = append([]string{name}, hosts...)
			}
			files, err := ca.Issue(cmd.Context(), out, access.Request{Identity: access.Identity{Role: access.Role(role), Name: name}, Hosts: hosts, Valid: valid})
			if err != nil {
				return err
			}
			return a.printFiles(files...)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "`DIR` of the authority")
	f.StringVar(&role, "role", "", "`ROLE` server, gateway, physician or researcher")
	f.StringVar(&name, "name", "", "`NAME` of whoever it is for")
	f.StringArrayVar(&hosts, "host", nil, "`HOST` another name or address of a server; may be repeated")
	f.IntVar(&days, "days", 365, "`N` how long it is valid")
	f.StringVar(&out, "out", ".", "`DIR` for the files")
	return cmd
}

func (a *app) mpcCARevokeCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "revoke --dir DIR FILE.crt ...",
		Short: "Add certificates to the list of revoked ones, which servers read again when it changes",
		Long: `Add certificates to DIR/revoked.pem. Copy the file to all servers: they read it again when it has changed. Name both
certificates of a physician or researcher.`,
		Example: "  cipherfold mpc ca revoke --dir ca rita/rita.crt rita/rita.sign.crt",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "dir"); err != nil {
				return err
			}
			if len(args) == 0 {
				return &commandLineError{errors.New("no certificate to revoke"), helpOf(cmd)}
			}
			ca, err := access.OpenAuthority(dir)
			if err != nil {
				return err
			}
			if err := ca.Revoke(cmd.Context(), args); err != nil {
				return err
			}
			return a.printFiles(filepath.Join(dir, "revoked.pem"))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`DIR` of the authority")
	return cmd
}

func (a *app) mpcKeygenCommand() *cobra.Command {
	var out, name, variant, passphraseFile string
	var bits int
	var insecure bool
	cmd := &cobra.Command{
		Use:   "keygen --out DIR --name NAME",
		Short: "Make the keys of a data server",
		Long: `Make the keys of a data server: a Paillier key, and one for the secrets that it shares with each other server. Give
DIR/server.json to those who run the other servers; all else stays on this machine. Without --passphrase-file the secret
key is not encrypted, so that the server starts by itself.`,
		Example: "  cipherfold mpc keygen --out keys --name s1.hospital-a.example",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "out", "name"); err != nil {
				return err
			}
			v, err := keyKind(variant, bits, insecure)
			if err != nil {
				return err
			}
			var passphrase []byte
			if passphraseFile != "" {
				if passphrase, err = a.newPassphrase(cmd.Context(), passphraseFile, false); err != nil {
					return err
				}
			}
			fingerprint, err := server.Keygen(cmd.Context(), a.unwatched(false), out, name, v, bits, insecure, passphrase)
			if err != nil {
				return err
			}
			public := filepath.Join(out, server.PublicFile)
			return a.print(map[string]any{"public": public, "fingerprint": fingerprint}, func(w io.Writer) {
				fmt.Fprintf(w, "public keys  %s (for the other servers)\nfingerprint  %s\n", public, fingerprint)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "`DIR` for the keys")
	f.StringVar(&name, "name", "", "`NAME` of the server, as its certificate has it")
	f.StringVar(&variant, "variant", "djn", "`NAME` variant: djn, mhl or textbook")
	f.IntVar(&bits, "bits", 3072, "`N` size of the modulus: 2048, 3072 or 4096")
	f.StringVar(&passphraseFile, "passphrase-file", "", "`FILE` its first line is a passphrase for the secret key")
	f.BoolVar(&insecure, "insecure-test-key", false, "allow fewer than 2048 bits, for tests")
	return cmd
}
