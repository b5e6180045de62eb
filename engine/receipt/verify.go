package receipt

import (
	"context"
	"errors"
	"fmt"
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
	Base        string     // directory that relative names start from; "" is the current one
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
)

// Verify checks a receipt's signature and then every file that it names: that it is there, its size and its digest.
// The footer of an encrypted table must say what the receipt says. An error names the first file that is wrong; the
// report, when there is one, covers all. It holds a MiB for each thread.
func Verify(ctx context.Context, fs blob.FS, data []byte, o VerifyOptions) (*Report, error) {
	r, err := Parse(o.Name, data, o.PublicKey)
	if err != nil {
		return nil, err
	}
	report := &Report{Receipt: r, Trusted: o.PublicKey != nil}
	for _, f := range r.Inputs {
		report.Files = append(report.Files, Check{File: f, Role: Input})
	}
	for _, f := range r.Outputs {
		report.Files = append(report.Files, Check{File: f, Role: Output})
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Threads, 1))
	for i := range report.Files {
		g.Go(func() error { return report.Files[i].run(gctx, fs, o) })
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

// place is where a file is looked for.
func (o VerifyOptions) place(name string) string {
	if o.Base == "" || filepath.IsAbs(name) || strings.Contains(name, "://") {
		return name
	}
	return filepath.Join(o.Base, name)
}

// run checks one file. Its error, such as an interruption, is not about the file.
func (c *Check) run(ctx context.Context, fs blob.FS, o VerifyOptions) error {
	place := o.place(c.File.Path)
	f, err := fs.Open(ctx, place)
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
	d, err := Describe(ctx, fs, place)
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
