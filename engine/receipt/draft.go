package receipt

import (
	"context"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Draft is the file of a receipt that is not signed yet.
type Draft struct{ upload blob.Upload }

// Create begins the file of a receipt, before the job that it will be about, so that an obstacle is reported at once.
func Create(ctx context.Context, fs blob.FS, name string, overwrite bool) (*Draft, error) {
	u, err := fs.Create(ctx, name, blob.CreateOptions{Overwrite: overwrite})
	if err != nil {
		return nil, err
	}
	return &Draft{u}, nil
}

// Commit signs the receipt and gives the file its name.
func (d *Draft) Commit(ctx context.Context, r *Receipt, s *Signer) error {
	data, err := r.Sign(s)
	if err != nil {
		return err
	}
	if _, err := d.upload.Write(data); err != nil {
		return err
	}
	return d.upload.Commit(ctx)
}

// Abort gives the file up unless it was committed: see blob.Upload.
func (d *Draft) Abort() error { return d.upload.Abort() }
