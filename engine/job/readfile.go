package job

import (
	"context"
	"io"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// ReadFile reads a whole file, of at most `limit` bytes.
func ReadFile(ctx context.Context, fs blob.FS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, column.Refuse(name, "it has %d bytes, which is too many", f.Size()).WithHint("Check the name of the file.")
	}
	data := make([]byte, f.Size())
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size()), data); err != nil {
		return nil, column.Refuse(name, "cannot read it: %w", err).WithHint("Run the same command again.")
	}
	return data, nil
}
