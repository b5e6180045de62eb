package keys

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cipherfold/cipherfold/io/blob"
)

// cacheKeyBytes is the length of the secret under which a user's table caches are authenticated.
const cacheKeyBytes = 32

// cacheKey returns that secret, which is in the user's configuration directory, readable by the user alone. If there
// is none and the caller is about to keep something, it makes one.
func cacheKey(mayMake bool) ([]byte, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(config, "cipherfold")
	name := filepath.Join(dir, "table-cache.key")
	key, err := readCacheKey(name)
	if !mayMake || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key = make([]byte, cacheKeyBytes)
	rand.Read(key)
	ctx := context.Background()
	u, err := blob.Local{}.Create(ctx, name, blob.CreateOptions{Private: true})
	if err == nil {
		defer u.Abort()
		if _, err = fmt.Fprintf(u, "%x\n", key); err == nil {
			err = u.Commit(ctx)
		}
	}
	if errors.Is(err, blob.ErrExists) {
		return readCacheKey(name) // another process was faster
	}
	return key, err
}

func readCacheKey(name string) ([]byte, error) {
	f, err := openOwn(name, othersRead)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4*cacheKeyBytes))
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != cacheKeyBytes {
		return nil, fmt.Errorf("%s is not %d bytes in hexadecimal; remove it", name, cacheKeyBytes)
	}
	return key, nil
}
