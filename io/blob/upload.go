package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/io/blob/internal/system"
)

// tempMark is in the name of every temporary file: .NAME.cipherfold-tmp-RANDOM. Where files can be anonymous, a file
// has such a name only for the moment in which it replaces another. Elsewhere a killed process leaves one. It is
// hidden, not a part file, and may be removed.
const tempMark = ".cipherfold-tmp-"

// Create writes an anonymous file in the target's directory, or one with a hidden temporary name where the system or
// the file system has no anonymous files. Commit syncs the file and gives it its name, by link (which never replaces a
// file) or, to overwrite, by rename. Then it syncs the directory. A target that is a symbolic link is followed when
// overwriting and refused otherwise. The directory must exist.
func (l Local) Create(ctx context.Context, name string, opts CreateOptions) (Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if name == "" {
		return nil, &Error{Path: `""`, Kind: ErrNotFound, What: "an output needs a name", Hint: "Name a file."}
	}
	target := name
	if info, err := os.Lstat(name); err == nil {
		if info.Mode()&fs.ModeSymlink != 0 && opts.Overwrite {
			if target, err = filepath.EvalSymlinks(name); err != nil {
				return nil, wrap(name, "follow the symbolic link", err)
			}
			if info, err = os.Lstat(target); err != nil {
				return nil, wrap(name, "follow the symbolic link", err)
			}
		}
		if info.Mode()&fs.ModeSymlink == 0 && !info.Mode().IsRegular() {
			e := notRegular(name, info)
			e.Hint = "Give the output the name of a file."
			return nil, e
		}
		if !opts.Overwrite {
			return nil, exists(name)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, wrap(name, "create", err)
	}
	dir := filepath.Dir(target)
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Path: name, Kind: ErrNotFound, Err: err, What: "cannot create: there is no directory " + dir, Hint: "Create the directory first."}
	} else if err != nil {
		return nil, wrap(name, "create", err)
	} else if !info.IsDir() {
		return nil, &Error{Path: name, Kind: ErrNotFound, What: "cannot create: " + dir + " is not a directory", Hint: "Name a directory that exists."}
	}
	return l.begin(name, target, opts)
}

// begin begins a file that will be at target; errors call it name.
func (l Local) begin(name, target string, opts CreateOptions) (Upload, error) {
	dir := filepath.Dir(target)
	mode := fs.FileMode(0o644)
	if opts.Private {
		mode = 0o600
	}
	u := &localUpload{name: name, target: target, mode: mode, overwrite: opts.Overwrite, disk: l.withDefaults()}
	if !l.named {
		if f, err := system.OpenAnonymous(dir, mode); err == nil {
			u.f = f
			return u, nil
		}
	}
	if err := u.openNamed(); err != nil {
		e := wrap(name, "create", err)
		if e.Kind == ErrPermission {
			e.Hint = "Check who may write to the directory " + dir + "."
		}
		return nil, e
	}
	return u, nil
}

func exists(name string) *Error {
	return &Error{Path: name, Kind: ErrExists, Hint: "Choose another name, or pass ‹overwrite=true› to replace it."}
}

// tempName returns .BASE.cipherfold-tmp-RANDOM. BASE is cut so that the whole is a legal file name wherever BASE is.
func tempName(base string) string {
	const nameMax = 255
	var random [8]byte
	rand.Read(random[:])
	end := tempMark + hex.EncodeToString(random[:])
	if room := nameMax - 1 - len(end); len(base) > room {
		for room > 0 && !utf8.RuneStart(base[room]) {
			room--
		}
		base = base[:room]
	}
	return "." + base + end
}

type localUpload struct {
	f         *os.File // nil when committed or aborted
	name      string   // as the user gave it
	target    string   // where it goes: name, or the target of the link of that name
	temp      string   // its temporary name; "" as long as it is anonymous
	mode      fs.FileMode
	overwrite bool
	disk      Local
	err       error // of the first failed write
}

// openNamed makes the file under a temporary name.
func (u *localUpload) openNamed() error {
	temp := filepath.Join(filepath.Dir(u.target), tempName(filepath.Base(u.target)))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, u.mode)
	if err == nil {
		u.f, u.temp = f, temp
	}
	return err
}

func (u *localUpload) Write(p []byte) (int, error) {
	if u.f == nil {
		return 0, wrap(u.name, "write", fs.ErrClosed)
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.f.Write(p)
	if err != nil {
		u.err = wrap(u.name, "write", err)
	}
	return n, u.err
}

func (u *localUpload) Commit(ctx context.Context) error {
	if u.f == nil {
		return wrap(u.name, "commit", fs.ErrClosed)
	}
	err := u.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		if serr := u.f.Sync(); serr != nil {
			err = wrap(u.name, "write to disk", serr)
		}
	}
	if err != nil {
		return errors.Join(err, u.Abort())
	}
	if u.temp == "" {
		placed, err := u.nameAnonymous()
		if err != nil {
			return errors.Join(err, u.Abort())
		}
		if placed {
			_ = u.close() // it is synced and in place: nothing can be lost now
			return u.syncDir()
		}
	}
	if err := u.close(); err != nil {
		return errors.Join(err, u.remove())
	}
	if u.overwrite {
		if err := os.Rename(u.temp, u.target); err != nil {
			return errors.Join(wrap(u.name, "rename into place", err), u.remove())
		}
	} else if err := u.place(); err != nil {
		return errors.Join(err, u.remove())
	}
	return u.syncDir()
}

func (u *localUpload) close() error {
	f := u.f
	u.f = nil
	if err := f.Close(); err != nil {
		return wrap(u.name, "write to disk", err)
	}
	return nil
}

func (u *localUpload) syncDir() error {
	if err := syncDir(filepath.Dir(u.target)); err != nil {
		return wrap(u.name, "write its directory to disk", err)
	}
	return nil
}

// nameAnonymous gives an anonymous file its name. To replace another file, which a link cannot, it gives a temporary
// name. A file system that has anonymous files but cannot name them gets a copy with a temporary name.
func (u *localUpload) nameAnonymous() (placed bool, err error) {
	if !u.overwrite {
		err := u.disk.linkAnonymous(u.f, u.target)
		if err == nil {
			return true, nil
		}
		if errors.Is(err, fs.ErrExist) {
			return false, exists(u.name)
		}
	}
	temp := filepath.Join(filepath.Dir(u.target), tempName(filepath.Base(u.target)))
	if u.disk.linkAnonymous(u.f, temp) == nil {
		u.temp = temp
		return false, nil
	}
	from := u.f
	if err := u.openNamed(); err != nil {
		return false, wrap(u.name, "create", err)
	}
	_, err = io.Copy(u.f, io.NewSectionReader(from, 0, math.MaxInt64))
	if err == nil {
		err = u.f.Sync()
	}
	if err = errors.Join(err, from.Close()); err != nil {
		return false, wrap(u.name, "write to disk", err)
	}
	return false, nil
}

// place gives the temporary file its name unless something has that name.
func (u *localUpload) place() error {
	err := u.disk.link(u.temp, u.target)
	switch {
	case err == nil:
		// The file is in place. A temporary name that stays is no failure: it is hidden and marked.
		_ = os.Remove(u.temp)
		return nil
	case errors.Is(err, fs.ErrExist):
		return exists(u.name)
	}
	// There are no hard links here. Claim the name with an empty file, which fails when there is one, and replace it
	// at once.
	claim, err := os.OpenFile(u.target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return exists(u.name)
	} else if err != nil {
		return wrap(u.name, "create", err)
	}
	if err := claim.Close(); err != nil {
		return errors.Join(wrap(u.name, "create", err), os.Remove(u.target))
	}
	if err := os.Rename(u.temp, u.target); err != nil {
		return errors.Join(wrap(u.name, "rename into place", err), os.Remove(u.target))
	}
	return nil
}

func (u *localUpload) Abort() error {
	if u.f == nil {
		return nil
	}
	f := u.f
	u.f = nil
	// An error of close does not matter for bytes that are discarded.
	_ = f.Close()
	return u.remove()
}

func (u *localUpload) remove() error {
	if u.temp == "" {
		return nil
	}
	if err := os.Remove(u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap(u.temp, "remove the temporary file", err)
	}
	return nil
}
