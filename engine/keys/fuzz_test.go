package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/engine/enginetest"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// FuzzTableCache reads files with a key's tables, as they are or authenticated as the user's own. Tables that are used are
// those of the key; whatever else is found is a reason to make them anew.
func FuzzTableCache(f *testing.F) {
	dir := f.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		f.Setenv(name, dir)
	}
	ctx := context.Background()
	sk, err := paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, 512, true)
	if err != nil {
		f.Fatal(err)
	}
	public, _, err := Write(ctx, job.Options{}, dir, sk, nil)
	if err != nil {
		f.Fatal(err)
	}
	k, err := Read(ctx, blob.Local{}, public, true, nil)
	if err != nil {
		f.Fatal(err)
	}
	tables := k.Public.PlanTables(1)
	if tables == nil {
		f.Log("the kernel makes no tables in pieces: there is nothing to keep")
		return
	}
	if _, err := MakePieces(ctx, &tables.Tables, 1); err != nil {
		f.Fatal(err)
	}
	cache := newPowersCache(k, tables)
	if err := cache.write(ctx); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(cache.file)
	if err != nil {
		f.Fatal(err)
	}
	key, err := cacheKey(false)
	if err != nil {
		f.Fatal(err)
	}
	const begin = len(cacheMagic) + 64 + 1
	end := begin + bytes.IndexByte(good[begin:], '\n')
	line, pieces := good[begin:end], good[end:]
	var want []uint64
	for i := range tables.Pieces() {
		want = append(want, tables.Words(i)...)
	}
	// The input is the header line, what is cut off the end, and a bit that is wrong.
	f.Add(line, 0, -1, true)
	f.Add(line, 0, 1000, true)
	f.Add(line, 1, -1, true)
	f.Add(line, len(pieces), -1, true)
	f.Add(bytes.ToUpper(line), 0, -1, false)
	f.Add(bytes.Replace(line, []byte(`"words":`), []byte(`"words":-`), 1), 0, -1, true)
	f.Add(bytes.Replace(line, []byte(`"words":`), []byte(`"words":9`), 1), 0, -1, true)
	f.Add([]byte(`{}`), 0, -1, true)
	f.Add([]byte(`{"pieces":[null]}`), 3, -1, true)
	f.Fuzz(func(t *testing.T, header []byte, cut, flip int, authentic bool) {
		if bytes.IndexByte(header, '\n') >= 0 {
			return
		}
		mac := good[len(cacheMagic) : begin-1]
		if authentic {
			mac = hex.AppendEncode(nil, cacheMAC(key, header))
		}
		data := slices.Concat([]byte(cacheMagic), mac, []byte("\n"), header, pieces)
		data = data[:len(data)-min(max(0, cut), len(data))]
		if flip >= 0 && flip/8 < len(data) {
			data[flip/8] ^= 1 << (flip % 8)
		}
		if err := os.WriteFile(cache.file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range tables.Pieces() {
			clear(tables.Words(i))
		}
		used := false
		enginetest.Bounded(t, 16<<20+100*len(data), func() {
			bad := cache.read(ctx, 1)
			used = bad == nil
			if !used && (bytes.Equal(data, good) || bad.leave || !bad.replace) {
				t.Fatalf("%+v", bad)
			}
		})
		if !used {
			return
		}
		var got []uint64
		for i := range tables.Pieces() {
			got = append(got, tables.Words(i)...)
		}
		if !authentic && !bytes.Equal(data, good) || !slices.Equal(got, want) {
			t.Fatal("tables were used that are not those that the user made")
		}
	})
}
