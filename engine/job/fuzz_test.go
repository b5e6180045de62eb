package job

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// bounded fails when f allocates more than `most` bytes, whatever of it was freed.
func bounded(t *testing.T, most int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(most) {
		t.Fatalf("%d bytes were allocated, more than %d", n, most)
	}
}

// refusal fails unless an error is one about bad input, which names the file and says what to do.
func refusal(t *testing.T, err error, file string) {
	t.Helper()
	var bad *column.InputError
	if !errors.As(err, &bad) || bad.File != file || bad.Hint == "" {
		t.Fatalf("%v is no refusal of %s with a hint", err, file)
	}
}

// sealBudget puts the right digests into what may be a budget.
func sealBudget(data []byte) []byte {
	var b Budget
	if json.Unmarshal(data, &b) != nil {
		return data
	}
	for i := range b.Spent {
		b.Spent[i].Digest = b.digest(i)
	}
	out, err := json.Marshal(&b)
	if err != nil {
		return data
	}
	return out
}

// FuzzBudget reads budgets, with the digests that they have or with right ones. One that is accepted is the same when it is
// written anew, and can be summed up.
func FuzzBudget(f *testing.F) {
	file := filepath.Join(f.TempDir(), "budget.json")
	ctx := context.Background()
	for _, limit := range [][3]string{{"1", "", ""}, {"", "1/3", "1e-6"}, {"", "2.5", ""}} {
		b, err := CreateBudget(ctx, Options{Overwrite: true}, file, "people", limit[0], limit[1], limit[2])
		if err != nil {
			f.Fatal(err)
		}
		b.Spent = []Release{{Epsilon: "0.5", Records: 1, Place: NoiseLocal, Mechanism: "discrete-laplace"}, {Rho: "1/1000", Out: "x"}}
		data, err := json.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealBudget(data), false)
		f.Add(data, true)
		f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("1e30")), true)
		f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("1e-30")), true)
		f.Add(append(bytes.Clone(data), '1'), true)
	}
	f.Add([]byte(`{"version":1,"rho":"1","delta":"2"}`), true)
	f.Add([]byte(`{"version":2}`), false)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = sealBudget(data)
		}
		if len(data) > 1<<14 { // an entry takes time for all before it
			return
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		bounded(t, 64<<20, func() {
			b, err := ReadBudget(ctx, file)
			if err != nil {
				refusal(t, err, file)
				return
			}
			s, err := b.State()
			if err != nil || s.Releases != len(b.Spent) || math.IsNaN(s.Share) || s.Share < 0 || math.IsNaN(s.EpsilonAt) || s.EpsilonAt < 0 {
				t.Fatalf("%+v, %v", s, err)
			}
			for _, r := range b.Spent {
				if r.Promise() == "" {
					t.Errorf("%+v promises nothing", r)
				}
			}
			if err := b.write(ctx, true); err != nil {
				t.Fatal(err)
			}
			again, err := ReadBudget(ctx, file)
			if err != nil {
				t.Fatalf("written anew it is refused: %v", err)
			}
			if x, y := asJSON(t, b), asJSON(t, again); !bytes.Equal(x, y) {
				t.Fatalf("%s, written anew %s", x, y)
			}
		})
	})
}

func asJSON(t testing.TB, x any) []byte {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzTokenKey reads token keys. One that is accepted makes tokens, which nobody else does.
func FuzzTokenKey(f *testing.F) {
	disk := &blobtest.Mem{}
	ctx := context.Background()
	if _, err := WriteTokenKey(ctx, Options{FS: disk}, "key"); err != nil {
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
		bounded(t, 4<<20+100*len(data), func() {
			k, err := ReadTokenKey(ctx, disk, "key")
			if n := disk.Handles(); n != 0 {
				t.Errorf("%d files are left open", n)
			}
			if err != nil {
				refusal(t, err, "key")
				return
			}
			// The digits and the check value are in the file, spelled one way or another.
			var x tokenKeyFile
			if err := json.NewDecoder(bytes.NewReader(data)).Decode(&x); err != nil || x.Check != k.Check() {
				t.Fatalf("%v, check value %s of %s", err, x.Check, k.Check())
			}
			disk.Put("again", asJSON(t, tokenKeyFile{tokenKeyVersion, tokenKeyKind, tokenAlgorithm, hex.EncodeToString(k.key[:]), k.Check()}))
			again, err := ReadTokenKey(ctx, disk, "again")
			if err != nil || again.key != k.key {
				t.Fatalf("written anew: %v", err)
			}
		})
	})
}

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
	public, _, err := WriteKey(ctx, Options{}, dir, sk, nil)
	if err != nil {
		f.Fatal(err)
	}
	k, err := ReadKey(ctx, blob.Local{}, public, true, nil)
	if err != nil {
		f.Fatal(err)
	}
	tables := k.Public.PlanTables(1)
	if tables == nil {
		f.Log("the kernel makes no tables in pieces: there is nothing to keep")
		return
	}
	if _, err := makePieces(ctx, &tables.Tables, 1); err != nil {
		f.Fatal(err)
	}
	cache := newTableCache(k, tables)
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
		bounded(t, 16<<20+100*len(data), func() {
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
