package receipt

import (
	"context"
	"errors"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Draft are the files of a receipt that is not signed yet, and of its private part.
type Draft struct{ upload, private blob.Upload }

// Create begins the file of a receipt and that of its private part, which only the owner may read, before the job that
// they will be about, so that an obstacle is reported at once.
func Create(ctx context.Context, fs blob.FS, name, private string, overwrite bool) (*Draft, error) {
	u, err := fs.Create(ctx, name, blob.CreateOptions{Overwrite: overwrite})
	if err != nil {
		return nil, err
	}
	p, err := fs.Create(ctx, private, blob.CreateOptions{Overwrite: overwrite, Private: true})
	if err != nil {
		return nil, errors.Join(err, u.Abort())
	}
	return &Draft{u, p}, nil
}

// Commit signs the receipt and gives the files their names.
func (d *Draft) Commit(ctx context.Context, r *Receipt, s *Signer) error {
	data, private, err := r.Sign(s)
	if err != nil {
		return err
	}
	if _, err := d.private.Write(private); err != nil {
		return err
	}
	if _, err := d.upload.Write(data); err != nil {
		return err
	}
	// A receipt without its private part could not be checked any more; the other way round nothing is lost.
	if err := d.private.Commit(ctx); err != nil {
		return err
	}
	return d.upload.Commit(ctx)
}

// Abort gives the files up unless they were committed: see blob.Upload.
func (d *Draft) Abort() error { return errors.Join(d.upload.Abort(), d.private.Abort()) }
