package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// Scratch makes an anonymous file with O_TMPFILE. Where there is no such thing, it uses a hidden temporary name that
// is removed at once.
func (l Local) Scratch(ctx context.Context, dir string) (Scratch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = os.TempDir()
	}
	if !l.named {
		if f, err := system.OpenAnonymous(dir, 0o600); err == nil {
			return &localScratch{f: f, dir: dir}, nil
		}
	}
	temp := filepath.Join(dir, tempName("scratch"))
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		e := wrap(dir, "make a temporary file in it", err)
		switch e.Kind {
		case ErrPermission:
			e.Hint = "Name a directory that you may write to."
		case ErrNotFound:
			e.Hint = "Name a directory that exists."
		}
		return nil, e
	}
	s := &localScratch{f: f, dir: dir}
	if os.Remove(temp) != nil { // a system that does not remove open files
		s.temp = temp
	}
	return s, nil
}

type localScratch struct {
	f    *os.File
	dir  string
	temp string // the name that it still has, or ""
	size atomic.Int64
}

func (s *localScratch) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	s.size.Add(int64(n))
	if err != nil {
		return n, wrap(s.dir, "write a temporary file in it", err)
	}
	return n, nil
}

func (s *localScratch) ReadAt(p []byte, off int64) (int, error) { return s.f.ReadAt(p, off) }

func (s *localScratch) Size() int64 { return s.size.Load() }

func (s *localScratch) Close() error {
	err := s.f.Close()
	if s.temp == "" {
		return err
	}
	if rerr := os.Remove(s.temp); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, wrap(s.temp, "remove the temporary file", rerr))
	}
	return err
}
