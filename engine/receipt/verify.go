package receipt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// VerifyOptions say against what a receipt is checked.
type VerifyOptions struct {
	Name        string     // of the receipt, for errors
	PublicKey   *PublicKey // of the required signer; nil takes the key that the receipt names itself
	Private     *Private   // what opens the commitments; nil: nobody has it, and files in the clear cannot be checked
	Base        string     // directory that relative names start from, and in which all files must be; "" is the current one
	Anywhere    bool       // files may be anywhere, also in object stores
	SkipInputs  bool       // inputs that are not there are left out
	SkipOutputs bool       // so are outputs
	Threads     int        // files digested at a time
}

// Report is what Verify found.
type Report struct {
	Receipt *Receipt
	Trusted bool // the signer's key was given, not taken from the receipt
	Files   []Check
}

// Check is what was found of one file.
type Check struct {
	File   File
	Role   Role
	Status Status
	Detail string // what differs
	err    error
}

// Role is what a file was to the job.
type Role string

// Roles of a file.
const (
	Input  Role = "input"
	Output Role = "output"
)

// Status is the outcome of a check.
type Status string

// Outcomes of a check.
const (
	Same    Status = "ok"
	Differs Status = "differs"
	Missing Status = "missing"
	Skipped Status = "not checked" // missing, and may be
	Closed  Status = "committed"   // the receipt commits to it, and nothing opens that
)

// Verify checks a receipt's signature and then every file that it names: that it is there, its size and its digest.
// The footer of an encrypted table must say what the receipt says. An error names the first file that is wrong; the
// report, when there is one, covers all. It holds a MiB for each thread.
func Verify(ctx context.Context, files blob.FS, data []byte, o VerifyOptions) (*Report, error) {
	r, err := Parse(o.Name, data, o.PublicKey)
	if err != nil {
		return nil, err
	}
	if p := o.Private; p != nil {
		if p.Receipt != r.digest {
			return nil, column.Refuse(o.Name, "the private part is that of another receipt").WithHint("Give the one that was written beside this receipt.")
		}
		if err := p.openCounts(r); err != nil {
			return nil, column.Refuse(o.Name, "the private part is not the receipt's: %w", err).WithHint(foreignPrivate)
		}
	}
	report := &Report{Receipt: r, Trusted: o.PublicKey != nil}
	for _, f := range r.Inputs {
		report.Files = append(report.Files, Check{File: f, Role: Input})
	}
	for _, f := range r.Outputs {
		report.Files = append(report.Files, Check{File: f, Role: Output})
	}
	private := o.Private.openings()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Threads, 1))
	for i := range report.Files {
		g.Go(func() error { return report.Files[i].run(gctx, files, private, o) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, c := range report.Files {
		if c.err != nil {
			return report, c.err
		}
	}
	return report, nil
}

const foreignPrivate = "The private part was changed, or belongs to another receipt."

// place is where a file is looked for. The receipt may be forged. So nothing is opened outside the base unless Anywhere, and
// a server that the receipt names is never spoken to: URLs lose their parameters.
func (o VerifyOptions) place(name string) (string, error) {
	outside := func() error {
		return column.Refuse(o.Name, "the receipt names %s, which is outside of %s", column.Quote(name), column.Quote(cmp.Or(o.Base, "this directory"))).
			WithHint("Give ‹base›, the directory that all files are in. If whoever signed is to be trusted, ‹anywhere› opens files wherever they are.")
	}
	if u, ok := blob.ParseURL(name); ok || strings.Contains(name, "://") {
		if !ok || !o.Anywhere {
			return "", outside()
		}
		for u.Query != "" { // a key may end in what looks like parameters, too
			u.Query = ""
			u, _ = blob.ParseURL(u.String())
		}
		return u.String(), nil
	}
	if base, ok := blob.ParseURL(o.Base); ok {
		if !filepath.IsLocal(name) || strings.ContainsAny(name, "?#\\") {
			return "", outside()
		}
		base.Key = path.Join(base.Key, filepath.ToSlash(name))
		return base.String(), nil
	}
	place := name
	if o.Base != "" && !filepath.IsAbs(name) {
		place = filepath.Join(o.Base, name)
	}
	if !o.Anywhere && !inside(cmp.Or(o.Base, "."), place) {
		return "", outside()
	}
	return place, nil
}

// inside reports whether a file, which need not exist, is in a directory, by its name and by the links on the way.
func inside(dir, file string) bool {
	file = filepath.Clean(file)
	real, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
		real, err = file, nil
		there := 0 // bytes of the part of the way that is there
		for i := 1; i < len(file); i++ {
			if os.IsPathSeparator(file[i]) {
				if _, err := os.Stat(file[:i]); err != nil {
					break
				}
				there = i
			}
		}
		if there > 0 {
			at, err := filepath.EvalSymlinks(file[:there])
			if err != nil {
				return false
			}
			real = filepath.Join(at, file[there:])
		}
	}
	if err != nil {
		return false
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	if root, err = filepath.Abs(root); err != nil {
		return false
	}
	if real, err = filepath.Abs(real); err != nil {
		return false
	}
	rest, err := filepath.Rel(root, real)
	return err == nil && filepath.IsLocal(rest)
}

// run checks one file. Its error, such as an interruption, is not about the file.
func (c *Check) run(ctx context.Context, files blob.FS, private openings, o VerifyOptions) error {
	if c.File.Commitment != "" {
		opened, ok, err := private.open(c.File, c.Role)
		if err != nil {
			c.fail(Differs, column.Refuse(o.Name, "the private part is not the receipt's: %w", err).WithHint(foreignPrivate))
			return nil
		}
		if !ok {
			c.Status = Closed
			return nil
		}
		c.File = opened
	}
	place, err := o.place(c.File.Path)
	if err != nil {
		return err
	}
	f, err := files.Open(ctx, place)
	if errors.Is(err, blob.ErrNotFound) {
		if c.Role == Input && o.SkipInputs || c.Role == Output && o.SkipOutputs {
			c.Status = Skipped
			return nil
		}
		c.fail(Missing, column.Refuse(place, "this %s of the job is missing", c.Role).
			WithHint("If it is elsewhere, name the directory in which the job ran with ‹base›; to leave out missing files: ‹skip_missing› %ss.", c.Role))
		return nil
	}
	if err != nil {
		return err
	}
	size := f.Size()
	f.Close()
	if size != c.File.Bytes {
		c.differ(place, "it has %d bytes, the receipt says %d", size, c.File.Bytes)
		return nil
	}
	d, err := Describe(ctx, files, place)
	switch {
	case err != nil:
		return err
	case d.SHA256 != c.File.SHA256:
		c.differ(place, "its SHA-256 is %s, the receipt says %s", d.SHA256, c.File.SHA256)
	case d.Table == nil && c.File.Table != nil:
		c.differ(place, "the receipt calls it an encrypted table, and it is none")
	case d.Table != nil && c.File.Table == nil:
		c.differ(place, "it is an encrypted table, and the receipt does not say so")
	case d.Table != nil && d.Table.Fingerprint != c.File.Table.Fingerprint:
		c.differ(place, "it is encrypted under the key %s, the receipt says %s", d.Table.Fingerprint, c.File.Table.Fingerprint)
	case d.Rows != nil && (c.File.Rows == nil || *d.Rows != *c.File.Rows):
		c.differ(place, "its footer promises %d records, the receipt %s", *d.Rows, rowText(c.File.Rows))
	case !sameTable(d.Table, c.File.Table):
		c.differ(place, "its footer says something else than the receipt")
	default:
		c.Status = Same
	}
	return nil
}

// sameTable compares what a footer says with what a receipt says. A receipt of a version before tables had ids does not
// tell that one has none.
func sameTable(table, told *Table) bool {
	if table == nil || told == nil || told.TableID != "" || told.Unidentified != 0 {
		return reflect.DeepEqual(table, told)
	}
	x := *table
	x.Unidentified = 0
	return reflect.DeepEqual(&x, told)
}

func rowText(rows *int64) string {
	if rows == nil {
		return "none"
	}
	return fmt.Sprint(*rows)
}

func (c *Check) differ(place, format string, args ...any) {
	c.fail(Differs, column.Refuse(place, "not the %s that the receipt is about: "+format, append([]any{c.Role}, args...)...).
		WithHint("It was changed or replaced since the job ran, or the receipt is that of another run."))
}

func (c *Check) fail(s Status, err *column.InputError) {
	c.Status, c.Detail, c.err = s, err.Cause.Error(), err
}
