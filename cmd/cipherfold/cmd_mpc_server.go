package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/internal/printable"
)

func (a *app) mpcServerCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "server --config FILE",
		Short: "Run a data server until it is told to stop",
		Long: `Run a data server. It stops on an interrupt or SIGTERM, after it has ended what is under way. It does not start with
keys, certificates or a store that belong to another server, and says why. See docs/data-servers.md for the
configuration file.`,
		Example: "  cipherfold mpc server --config server.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "config"); err != nil {
				return err
			}
			c, err := server.ReadConfig(config)
			if err != nil {
				return err
			}
			s, err := server.Open(cmd.Context(), c, a.log)
			if err != nil {
				return err
			}
			err = s.Run(cmd.Context(), func(listen, status net.Addr) {
				a.log.Info("serving", "name", c.Name, "listen", listen.String())
				if status != nil {
					a.log.Info("health and metrics", "url", "http://"+status.String()+"/metrics")
				}
			})
			if err2 := s.Close(); err == nil {
				err = err2
			}
			return err
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "`FILE` configuration, in TOML")
	return cmd
}

// openAudit opens a store to read its audit log.
func openAudit(cmd *cobra.Command, name string) (*store.Bolt, error) {
	if err := required(cmd.Flags(), helpOf(cmd), "store"); err != nil {
		return nil, err
	}
	return store.OpenBolt(name, store.BoltOptions{Any: true, ReadOnly: true})
}

func (a *app) mpcAuditVerifyCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "verify --store FILE",
		Short: "Check the chain of the audit log of a stopped server, or of a backup",
		Long: `Compute the chain of hashes of the audit log again. It fails when an entry is missing or was changed. Entries that were
cut off at the end show only in the number and hash of the last one: note these elsewhere from time to time.`,
		Example: "  cipherfold mpc audit verify --store backup.db",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openAudit(cmd, name)
			if err != nil {
				return err
			}
			defer s.Close()
			last, err := store.VerifyAudit(cmd.Context(), s)
			if err != nil {
				return &outputError{name, err.Error(), "Compare with a backup. Whoever changed the file could also change results."}
			}
			number, hash := uint64(0), ""
			if last != nil {
				number, hash = last.Number, hex.EncodeToString(last.Hash[:])
			}
			return a.print(map[string]any{"entries": number, "hash": hash}, func(w io.Writer) {
				fmt.Fprintf(w, "entries    %d, none changed\nlast hash  %s\n", number, hash)
			})
		},
	}
	cmd.Flags().StringVar(&name, "store", "", "`FILE` the store, which no server has open")
	return cmd
}

func (a *app) mpcAuditShowCommand() *cobra.Command {
	var name string
	var from uint64
	cmd := &cobra.Command{
		Use:     "show --store FILE",
		Short:   "Print the entries of the audit log, one JSON document a line",
		Example: "  cipherfold mpc audit show --store backup.db --from 1000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openAudit(cmd, name)
			if err != nil {
				return err
			}
			defer s.Close()
			e := json.NewEncoder(printable.NewJSONWriter(a.out))
			e.SetEscapeHTML(false)
			return s.Entries(cmd.Context(), from, func(entry *store.Entry) error {
				if !json.Valid(entry.Text) {
					return &outputError{name, fmt.Sprintf("entry %d of the audit log is not JSON", entry.Number), ""}
				}
				return e.Encode(map[string]any{"number": entry.Number, "hash": hex.EncodeToString(entry.Hash[:]), "entry": json.RawMessage(entry.Text)})
			})
		},
	}
	cmd.Flags().StringVar(&name, "store", "", "`FILE` the store, which no server has open")
	cmd.Flags().Uint64Var(&from, "from", 1, "`N` number of the first entry")
	return cmd
}

func (a *app) mpcBackupCommand() *cobra.Command {
	var config, out string
	cmd := &cobra.Command{
		Use:   "backup --config FILE --out FILE",
		Short: "Copy the store of a server, which may run",
		Long: `Copy a server's store as it is at one moment. A running server is asked for it with its own certificate; the store of
a stopped one is read. The backup is as secret as the store. Keys and configuration are backed up apart.`,
		Example: "  cipherfold mpc backup --config server.toml --out backup.db",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "config", "out"); err != nil {
				return err
			}
			c, err := server.ReadConfig(config)
			if err != nil {
				return err
			}
			bytes, err := server.Backup(cmd.Context(), c, out)
			if err != nil {
				return serverRefusal(err)
			}
			return a.print(map[string]any{"backup": out, "bytes": bytes}, func(w io.Writer) {
				fmt.Fprintf(w, "backup  %s, %d bytes\n", out, bytes)
			})
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "`FILE` configuration of the server")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` new file for the copy")
	return cmd
}

func (a *app) mpcRestoreCommand() *cobra.Command {
	var config, in string
	cmd := &cobra.Command{
		Use:   "restore --config FILE --in FILE",
		Short: "Put a backup in the place of a server's store, which must not be there",
		Long: `Put a backup in the place of a server's store. The backup must be of this server and its key, and its audit log
unchanged. A store that is there is not replaced: move it away first. Batches that came after the backup are missing on
this server, so no query counts them; ingest these readings again.`,
		Example: "  cipherfold mpc restore --config server.toml --in backup.db",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd.Flags(), helpOf(cmd), "config", "in"); err != nil {
				return err
			}
			c, err := server.ReadConfig(config)
			if err != nil {
				return err
			}
			if err := server.Restore(cmd.Context(), c, in); err != nil {
				return err
			}
			return a.printFiles(c.Store)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "`FILE` configuration of the server")
	cmd.Flags().StringVar(&in, "in", "", "`FILE` the backup")
	return cmd
}
