package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Describe reads a file once, in pieces, and returns its size and digest. For an encrypted table it also returns what
// its footer says. It holds one buffer of a MiB.
func Describe(ctx context.Context, fs blob.FS, path string) (File, error) {
	f, err := fs.Open(ctx, path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	d := File{Path: path, Bytes: f.Size()}
	if d.SHA256, err = digestOf(ctx, path, f); err != nil {
		return File{}, err
	}
	return d, describeTable(ctx, fs, &d)
}

// pieceBytes is what is read at a time.
const pieceBytes = 1 << 20

func digestOf(ctx context.Context, path string, f blob.File) (string, error) {
	h := sha256.New()
	r := blob.Section(f, 0, f.Size())
	piece := make([]byte, min(pieceBytes, max(f.Size(), 1)))
	for at := int64(0); at < f.Size(); {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(piece)
		h.Write(piece[:n])
		if at += int64(n); err == nil || at == f.Size() {
			continue
		}
		if err == io.EOF {
			return "", changed(path, "it is %d bytes long and was %d", at, f.Size())
		}
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// measuresMax is how many measures of a table a receipt lists.
const measuresMax = 64

// originalsMax is how many of the owners' tables in a table it lists.
const originalsMax = 1024

// describeTable adds the footer of an encrypted table. Any other file is described by its digest alone.
func describeTable(ctx context.Context, fs blob.FS, d *File) error {
	if blob.Ext(d.Path) != ".parquet" {
		return nil
	}
	r, err := ctfile.Open(ctx, fs, d.Path, column.ReadOptions{})
	var other *column.InputError
	if errors.As(err, &other) {
		return nil
	}
	if err != nil {
		return err
	}
	t := r.Table()
	d.Rows = &t.Rows
	d.Table = &Table{
		Key:    Key{Fingerprint: t.Fingerprint, Scheme: t.Scheme, Variant: t.Variant, Bits: t.Bits, TestKey: t.TestKey},
		Layout: t.Layout, BlockRecords: t.BlockRecords, IDs: t.IDs, MaxAdds: t.MaxAdds, AddsUsed: t.AddsUsed, Source: t.Source, JobID: t.JobID, Total: t.Total,
		Measures: []Measure{},
		TableID:  t.TableID, Owners: t.Owners(), Unidentified: t.WithoutID(), Repeats: t.Repeats,
	}
	list := t.Contents()
	d.Table.Originals = list[:min(len(list), originalsMax)]
	if d.Table.IDs == nil {
		d.Table.IDs = []string{}
	}
	for _, m := range t.Measures {
		if len(m.Terms) > 0 && len(d.Table.Measures) < measuresMax {
			d.Table.Measures = append(d.Table.Measures, Measure{m.Name, m.Decimals, m.Bound})
		}
	}
	return r.Close()
}

// IsTable reports whether a file is an encrypted table, by its footer.
func IsTable(ctx context.Context, fs blob.FS, path string) bool {
	d := File{Path: path}
	return describeTable(ctx, fs, &d) == nil && d.Table != nil
}

func changed(path, format string, args ...any) *column.InputError {
	return column.Refuse(path, "the file was changed while the job ran: "+format, args...).WithHint("Run the job on files that nothing writes to.")
}
