package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
)

// Backup copies the store of a server to a new file: of a running one over its port, of a stopped one from its file. It
// returns the length of the copy.
func Backup(ctx context.Context, c *Config, out string) (bytes int64, err error) {
	credentials, err := c.TLS.Read()
	if err != nil {
		return 0, err
	}
	return bytes, writeNew(out, func(f *os.File) error {
		party := wire.Party{Certificate: credentials.TLS, Roots: credentials.Roots, Check: credentials.CheckServer}
		conn, err := party.Dial(ctx, c.Name, c.Servers[c.number()].Address)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED): // it does not run
			s, err := store.OpenBolt(c.Store, store.BoltOptions{Any: true, ReadOnly: true})
			if err != nil {
				return err
			}
			err = errors.Join(s.Backup(ctx, f), s.Close())
			if info, err2 := f.Stat(); err2 == nil {
				bytes = info.Size()
			}
			return err
		case err != nil:
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		defer conn.Close()
		if err := conn.Call(ctx, CallBackup, nil, func(part []byte) error {
			bytes += int64(len(part))
			_, err := f.Write(part)
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		return nil
	})
}

// Restore puts a backup in the place of a server's store, which must not be there.
func Restore(ctx context.Context, c *Config, in string) error {
	if _, err := os.Lstat(c.Store); err == nil {
		return job.Misuse("Stop the server and move the file away.", "%s: the store is there", c.Store)
	}
	k, err := readKeys(ctx, c)
	if err != nil {
		return err
	}
	s, err := store.OpenBolt(in, store.BoltOptions{ReadOnly: true, Identity: store.Identity{Server: c.Name, Number: c.number(), Servers: len(c.Servers),
		Deployment: strings.Join(c.names(), " "), Key: k.secret.Public().Fingerprint()}})
	if err != nil {
		return err
	}
	_, err = store.VerifyAudit(ctx, s)
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	from, err := os.Open(in)
	if err != nil {
		return err
	}
	defer from.Close()
	return writeNew(c.Store, func(f *os.File) error {
		_, err := io.Copy(f, from)
		return err
	})
}

// writeNew makes a file that must not exist, whole or not at all.
func writeNew(name string, write func(*os.File) error) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return job.Misuse("Name a new file.", "%s: the file exists", name)
	}
	temp := name + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, name)
}
