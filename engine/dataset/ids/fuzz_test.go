package ids

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/cipherfold/cipherfold/engine/enginetest"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

// FuzzTokenKey reads token keys. One that is accepted makes tokens, which nobody else does.
func FuzzTokenKey(f *testing.F) {
	disk := &blobtest.Mem{}
	ctx := context.Background()
	if _, err := CreateTokenKey(ctx, job.Options{FS: disk}, "key"); err != nil {
		f.Fatal(err)
	}
	good, _ := disk.Get("key")
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(bytes.ToUpper(good))
	f.Add(bytes.Replace(good, []byte(`"cipherfold.version": 1`), []byte(`"cipherfold.version": 2`), 1))
	f.Add([]byte(`{"kind":"token key","key":null}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		disk := &blobtest.Mem{}
		disk.Put("key", data)
		enginetest.Bounded(t, 4<<20+100*len(data), func() {
			k, err := ReadTokenKey(ctx, disk, "key")
			if n := disk.Handles(); n != 0 {
				t.Errorf("%d files are left open", n)
			}
			if err != nil {
				enginetest.Refusal(t, err, "key")
				return
			}
			// The digits and the check value are in the file, spelled one way or another.
			var x tokenKeyFile
			if err := json.NewDecoder(bytes.NewReader(data)).Decode(&x); err != nil || x.Check != k.Check() {
				t.Fatalf("%v, check value %s of %s", err, x.Check, k.Check())
			}
			disk.Put("again", enginetest.AsJSON(t, tokenKeyFile{tokenKeyVersion, tokenKeyKind, tokenAlgorithm, hex.EncodeToString(k.key[:]), k.Check()}))
			again, err := ReadTokenKey(ctx, disk, "again")
			if err != nil || again.key != k.key {
				t.Fatalf("written anew: %v", err)
			}
		})
	})
}
