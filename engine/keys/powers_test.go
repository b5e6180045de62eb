package keys_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// desk is a directory with a key file and a table, and a home for the user's configuration.
type desk struct {
	*testing.T
	dir string
	key string // file
	log bytes.Buffer
}

func newDesk(t *testing.T, key paillier.Key) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir()}
	d.home(filepath.Join(d.dir, "home"))
	public, _, err := keys.Write(context.Background(), job.Options{}, d.dir, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.key = public
	d.write("x.csv", "id,x\n1,5\n2,-7\n3,\n")
	return d
}

// home makes another user of whoever runs this, as far as configuration goes.
func (d *desk) home(dir string) {
	d.Setenv("HOME", dir)
	d.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, ".config"))
	d.Setenv("AppData", dir)
}

func (d *desk) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

// encrypt encrypts the table under a key file and returns what it says of the tables. What it logs replaces d.log.
func (d *desk) encrypt(key, cache string) *job.TablesReport {
	d.Helper()
	r, err := d.try(job.Options{}, key, cache)
	if err != nil {
		d.Fatal(err)
	}
	return r
}

func (d *desk) try(o job.Options, key, cache string) (*job.TablesReport, error) {
	d.Helper()
	d.log.Reset()
	k, err := keys.Read(context.Background(), o.Files(), key, true, nil)
	if err != nil {
		d.Fatal(err)
	}
	o.Overwrite, o.Log = true, slog.New(slog.NewTextHandler(&d.log, nil))
	defer func() { // but the warning that comes with every test key
		_, rest, _ := strings.Cut(d.log.String(), "\n")
		d.log.Reset()
		d.log.WriteString(rest)
	}()
	out := filepath.Join(d.dir, "x.cf.parquet")
	r, err := encrypt.Run(context.Background(), encrypt.Request{
		Options: o, Key: k, Spec: dataset.Spec{In: []string{filepath.Join(d.dir, "x.csv")}, IDs: []string{"id"}, Measures: []slots.Measure{{Name: "x", Bound: 100}}}, Out: out, TableCache: cache,
	})
	if err != nil {
		return nil, err
	}
	secret := filepath.Join(filepath.Dir(key), "secret.json")
	if k, err = keys.Read(context.Background(), o.Files(), secret, true, nil); err != nil {
		d.Fatal(err)
	}
	sums := filepath.Join(d.dir, "sums.csv")
	o.Log = nil
	if _, err := decrypt.Run(context.Background(), decrypt.Request{Unfused: true, Options: o, Key: k, In: out, Out: sums}); err != nil {
		d.Fatal(err)
	}
	if got, err := os.ReadFile(sums); err != nil || string(got) != "id,x_sum,x_count,x_mean\n1,5,1,5\n2,-7,1,-7\n3,0,0,\n" {
		d.Errorf("decrypted (%v)\n%s", err, got)
	}
	return r.Tables, nil
}

// cacheFiles lists what is kept beside keys below the directory.
func (d *desk) cacheFiles() []string {
	d.Helper()
	var out []string
	err := filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if strings.Contains(name, ".tables") {
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return out
}

func smallKey(t *testing.T, variant paillier.Variant) *paillier.SecretKey {
	t.Helper()
	k, err := paillier.GenerateKey(context.Background(), rand.Reader, variant, 512, true)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Tables are kept beside the key when asked, and read by the next job.
func TestTableCache(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.DJN, paillier.MHL, paillier.Textbook} {
		t.Run(string(variant), func(t *testing.T) {
			d := newDesk(t, smallKey(t, variant))
			first, second, third := d.encrypt(d.key, keys.CacheOn), d.encrypt(d.key, keys.CacheAuto), d.encrypt(d.key, keys.CacheOff)
			if variant == paillier.Textbook {
				if first != nil || second != nil || len(d.cacheFiles()) > 0 {
					t.Errorf("a textbook key has tables: %v, %q", first, d.cacheFiles())
				}
				return
			}
			kernel := paillierKernel(t)
			want := d.key + "." + kernel + ".tables"
			if first.From != "made" || first.Kept != want || second.From != "cache" || second.Kept != want || third.From != "made" || third.Kept != "" {
				t.Errorf("%+v, %+v, %+v", first, second, third)
			}
			if first.Bytes <= 0 || second.Bytes != first.Bytes || third.Bytes != first.Bytes {
				t.Errorf("%d, %d, %d bytes", first.Bytes, second.Bytes, third.Bytes)
			}
			if list := d.cacheFiles(); len(list) != 1 || list[0] != want {
				t.Errorf("files %q", list)
			}
			info, err := os.Stat(want)
			if err != nil || keys.Permissions(info)&keys.OthersRead != 0 || info.Size() < first.Bytes {
				t.Errorf("%v, %v", info, err)
			}
			if d.log.Len() > 0 {
				t.Errorf("notes: %s", d.log.String())
			}
		})
	}
}

// paillierKernel is the kernel that is used by default.
func paillierKernel(t *testing.T) string {
	d, err := inspect.Diagnose(context.Background(), job.Options{}, true)
	if err != nil {
		t.Fatal(err)
	}
	return d.Chosen
}

// What auto keeps: tables that took long to make.
func TestTableCacheAuto(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	defer func(worth time.Duration) { *keys.CacheWorth = worth }(*keys.CacheWorth)
	*keys.CacheWorth = time.Hour
	if r := d.encrypt(d.key, ""); r.From != "made" || r.Kept != "" || len(d.cacheFiles()) > 0 {
		t.Errorf("%+v, %q", r, d.cacheFiles())
	}
	*keys.CacheWorth = 0
	if r := d.encrypt(d.key, keys.CacheAuto); r.From != "made" || len(d.cacheFiles()) != 1 {
		t.Errorf("%+v, %q", r, d.cacheFiles())
	}
	if _, err := d.try(job.Options{}, d.key, "never"); err == nil || job.Explain(err).Kind != job.Usage {
		t.Errorf("error %v", err)
	}
}

// The owner's tables are secret: whatever is asked for, no file appears.
func TestOwnerTablesAreNotKept(t *testing.T) {
	defer func(worth time.Duration) { *keys.CacheWorth = worth }(*keys.CacheWorth)
	*keys.CacheWorth = 0
	for _, variant := range []paillier.Variant{paillier.DJN, paillier.MHL} {
		d := newDesk(t, smallKey(t, variant))
		before, err := os.ReadDir(d.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, cache := range []string{keys.CacheAuto, keys.CacheOn, keys.CacheOff} {
			if r := d.encrypt(filepath.Join(d.dir, "secret.json"), cache); r.From != "made" || r.Kept != "" || r.Bytes <= 0 {
				t.Errorf("%+v", r)
			}
		}
		after, err := os.ReadDir(d.dir)
		if err != nil || len(d.cacheFiles()) > 0 || len(after) != len(before)+2 { // the encrypted table and the sums
			t.Errorf("files %v, %v", after, err)
		}
		if _, err := os.Stat(filepath.Join(d.dir, "home")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the user's configuration was touched: %v", err)
		}
	}
}

// A cache that cannot be used is told and replaced, and the job goes on with tables of its own.
func TestBadTableCache(t *testing.T) {
	other := newDesk(t, smallKey(t, paillier.DJN))
	other.encrypt(other.key, keys.CacheOn)
	othersCache, err := os.ReadFile(other.cacheFiles()[0])
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := newDesk(t, smallKey(t, paillier.DJN))
	elsewhere.encrypt(elsewhere.key, keys.CacheOn)
	theirs, err := keys.Read(context.Background(), job.Options{}.Files(), filepath.Join(elsewhere.dir, "secret.json"), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(elsewhere.cacheFiles()[0]) // by another user, for the key of the last case
	if err != nil {
		t.Fatal(err)
	}

	key := smallKey(t, paillier.DJN)
	for _, test := range []struct {
		name, why string
		key       paillier.Key // nil: the common one
		change    func(d *desk, file string, data []byte) []byte
	}{
		{name: "a byte of a number", why: "SHA-256", change: func(_ *desk, _ string, data []byte) []byte { data[len(data)-9] ^= 4; return data }},
		{name: "a byte of the header", why: "damaged, or was not made by you", change: func(_ *desk, _ string, data []byte) []byte { data[120] ^= 1; return data }},
		{name: "a byte of the MAC", why: "damaged, or was not made by you", change: func(_ *desk, _ string, data []byte) []byte { data[30] ^= 1; return data }},
		{name: "cut", why: "bytes, not", change: func(_ *desk, _ string, data []byte) []byte { return data[:len(data)-1] }},
		{name: "cut in the header", why: "ends early", change: func(_ *desk, _ string, data []byte) []byte { return data[:200] }},
		{name: "cut in the MAC", why: "ends early", change: func(_ *desk, _ string, data []byte) []byte { return data[:50] }},
		{name: "longer", why: "bytes, not", change: func(_ *desk, _ string, data []byte) []byte { return append(data, 0) }},
		{name: "empty", why: "not such a file", change: func(*desk, string, []byte) []byte { return nil }},
		{name: "something else", why: "not such a file", change: func(*desk, string, []byte) []byte { return []byte("hello\n") }},
		{name: "another version", why: "another version", change: func(_ *desk, _ string, data []byte) []byte {
			return bytes.Replace(data, []byte("tables 1 "), []byte("tables 2 "), 1)
		}},
		{name: "of another key of another user", why: "not made by you", change: func(*desk, string, []byte) []byte { return othersCache }},
		{name: "of this key, came along with it", why: "not made by you", key: theirs.Secret, change: func(*desk, string, []byte) []byte { return made }},
		{name: "the user's secret is gone", why: "tells who made it", change: func(d *desk, _ string, data []byte) []byte {
			if err := os.RemoveAll(filepath.Join(d.dir, "home")); err != nil {
				d.Fatal(err)
			}
			return data
		}},
		{name: "others may write", why: "open to other users (mode 0666)", change: func(d *desk, file string, data []byte) []byte {
			if err := os.Chmod(file, 0o666); err != nil {
				d.Fatal(err)
			}
			return data
		}},
		{name: "the group may write", why: "open to other users (mode 0620)", change: func(d *desk, file string, data []byte) []byte {
			if err := os.Chmod(file, 0o620); err != nil {
				d.Fatal(err)
			}
			return data
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.key == nil {
				test.key = key
			}
			d := newDesk(t, test.key)
			kept := d.encrypt(d.key, keys.CacheOn).Kept
			data, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(kept, test.change(d, kept, data), 0o600); err != nil {
				t.Fatal(err)
			}
			r := d.encrypt(d.key, keys.CacheAuto)
			if r.From != "made" || r.Kept != kept || !strings.Contains(d.log.String(), test.why) || strings.Count(d.log.String(), "\n") != 1 {
				t.Errorf("%+v\n%s", r, d.log.String())
			}
			if r := d.encrypt(d.key, keys.CacheAuto); r.From != "cache" || d.log.Len() > 0 {
				t.Errorf("then %+v\n%s", r, d.log.String())
			}
			if info, err := os.Stat(kept); err != nil || keys.Permissions(info)&keys.OthersRead != 0 {
				t.Errorf("then %v, %v", info.Mode(), err)
			}
		})
	}
}

// A cache of the same user for another key, or for other arithmetic, under the wrong name.
func TestMisplacedTableCache(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	kept := d.encrypt(d.key, keys.CacheOn).Kept
	if err := os.Mkdir(filepath.Join(d.dir, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	second, _, err := keys.Write(context.Background(), job.Options{}, filepath.Join(d.dir, "other"), smallKey(t, paillier.DJN), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	misplaced := strings.Replace(kept, d.key, second, 1)
	if err := os.WriteFile(misplaced, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := d.encrypt(second, keys.CacheOn); r.From != "made" || !strings.Contains(d.log.String(), "of another key") {
		t.Errorf("%+v\n%s", r, d.log.String())
	}

	var kernels []string
	for _, k := range paillier.Kernels() {
		if k.Available {
			kernels = append(kernels, k.Name)
		}
	}
	if len(kernels) < 2 {
		t.Log("one kernel only: there is no other one whose cache could be taken for this one's")
		return
	}
	last := kernels[len(kernels)-1]
	name := d.key + "." + last + ".tables"
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := d.try(job.Options{Kernel: last}, d.key, keys.CacheAuto)
	if err != nil || r.From != "made" || r.Kept != name || d.log.Len() > 0 {
		t.Errorf("%+v, %v\n%s", r, err, d.log.String())
	}
	if r, err = d.try(job.Options{Kernel: last}, d.key, keys.CacheAuto); err != nil || r.From != "cache" {
		t.Errorf("%+v, %v", r, err)
	}
	if r := d.encrypt(d.key, keys.CacheAuto); r.From != "cache" {
		t.Errorf("the first kernel's: %+v", r)
	}
}

// A file that passes for the user's own but holds other numbers, as a mistake in this program might write it.
func TestWrongNumbersInTableCache(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	k, err := keys.Read(context.Background(), job.Options{}.Files(), d.key, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := k.PlanPowers(job.Options{}.WithDefaults(), keys.CacheOn)
	if err != nil {
		t.Fatal(err)
	}
	if err := tables.Fill(context.Background()); err != nil {
		t.Fatal(err)
	}
	clear(tables.CacheWords(1))
	if err := tables.WriteCache(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := d.encrypt(d.key, keys.CacheAuto); r.From != "made" || !strings.Contains(d.log.String(), "not powers") {
		t.Errorf("%+v\n%s", r, d.log.String())
	}
}

// What is not the user's own is neither read nor replaced.
func TestForeignTableCache(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	kept := d.encrypt(d.key, keys.CacheOn).Kept
	real := filepath.Join(d.dir, "elsewhere")
	if err := os.Rename(kept, real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, kept); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	if r := d.encrypt(d.key, keys.CacheOn); r.From != "made" || r.Kept != "" || !strings.Contains(d.log.String(), keys.ErrNotOwn.Error()) {
		t.Errorf("%+v\n%s", r, d.log.String())
	}
	after, err := os.ReadFile(real)
	if info, lerr := os.Lstat(kept); err != nil || lerr != nil || info.Mode()&fs.ModeSymlink == 0 || !bytes.Equal(before, after) {
		t.Errorf("the link or its target changed: %v, %v", err, lerr)
	}
	if os.Geteuid() == 0 {
		if err := os.Remove(kept); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(real, kept); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(kept, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if r := d.encrypt(d.key, keys.CacheOn); r.From != "made" || r.Kept != "" || !strings.Contains(d.log.String(), keys.ErrNotOwn.Error()) {
			t.Errorf("of another user: %+v\n%s", r, d.log.String())
		}
	}
}

// Where nothing can be written, encryption works as ever.
func TestTableCacheCannotBeWritten(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	name := d.key + "." + paillierKernel(t) + ".tables"
	if err := os.Mkdir(name, 0o700); err != nil { // stops the superuser too
		t.Fatal(err)
	}
	if r := d.encrypt(d.key, keys.CacheOn); r.From != "made" || r.Kept != "" {
		t.Errorf("a directory is in the way: %+v\n%s", r, d.log.String())
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	d.write("file", "")
	d.home(filepath.Join(d.dir, "file"))
	if r := d.encrypt(d.key, keys.CacheOn); r.From != "made" || r.Kept != "" || !strings.Contains(d.log.String(), "not kept") {
		t.Errorf("no place for the user's secret: %+v\n%s", r, d.log.String())
	}
	d.home(filepath.Join(d.dir, "home"))
	closed := filepath.Join(d.dir, "keys")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"public.json", "secret.json"} {
		if err := os.Rename(filepath.Join(d.dir, file), filepath.Join(closed, file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(closed, 0o700) })
	r := d.encrypt(filepath.Join(closed, "public.json"), keys.CacheOn)
	if os.Geteuid() == 0 {
		t.Log("running as a user whom modes do not bind: the read-only directory was written to")
	} else if r.Kept != "" || len(d.cacheFiles()) > 0 {
		t.Errorf("kept in a read-only directory: %+v", r)
	}
	if r.From != "made" {
		t.Errorf("%+v", r)
	}
}

// Many jobs that begin at once write one whole file.
func TestConcurrentTableCaches(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			k, err := keys.Read(context.Background(), job.Options{}.Files(), d.key, true, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for range 3 {
				tables, err := k.PlanPowers(job.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}.WithDefaults(), keys.CacheOn)
				if err == nil {
					err = tables.Fill(context.Background())
				}
				if err != nil {
					t.Error(err)
					return
				}
				if tables.Made() {
					if err := tables.WriteCache(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if list := d.cacheFiles(); len(list) != 1 {
		t.Errorf("files %q", list)
	}
	if r := d.encrypt(d.key, keys.CacheAuto); r.From != "cache" || d.log.Len() > 0 {
		t.Errorf("%+v\n%s", r, d.log.String())
	}
}

// For the same randomness, tables that were read give the ciphertexts of tables that were made, with one worker or many.
func TestReadTablesEncryptAlike(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.DJN, paillier.MHL} {
		d := newDesk(t, smallKey(t, variant))
		var want []byte
		for i, test := range []struct {
			threads int
			cache   string
			from    string
		}{{1, keys.CacheOff, "made"}, {3, keys.CacheOn, "made"}, {1, keys.CacheOn, "cache"}, {3, keys.CacheAuto, "cache"}} {
			k, err := keys.Read(context.Background(), job.Options{}.Files(), d.key, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			tables, err := k.PlanPowers(job.Options{Threads: test.threads}.WithDefaults(), test.cache)
			if err != nil {
				t.Fatal(err)
			}
			if err := tables.Fill(context.Background()); err != nil {
				t.Fatal(err)
			}
			if r, _ := tables.Report(context.Background()); r.From != test.from {
				t.Errorf("%d: %+v", i, r)
			}
			pk := k.Public
			m, r := make([]uint64, 9*pk.PlaintextLimbs()), make([]byte, 9*knownanswer.RandomSize(pk))
			for j := range r {
				r[j] = byte(j * 37)
			}
			m[0] = 5
			ct := make([]byte, 9*pk.CiphertextSize())
			if err := knownanswer.Encrypt(k.Encryptor(), ct, m, r); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = ct
			}
			if !bytes.Equal(ct, want) {
				t.Errorf("%s, %d: other ciphertexts", variant, i)
			}
		}
	}
}

// Tables take no more than their share of the memory, and what there is no room for is refused.
func TestTablesWithinMemory(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	_, err := d.try(job.Options{Memory: 1}, d.key, keys.CacheOff)
	var budget *engine.BudgetError
	if !errors.As(err, &budget) || budget.Limit != 1 || job.Explain(err).Hint == "" {
		t.Fatalf("error %v", err)
	}
	least := budget.Need
	if _, err := d.try(job.Options{Memory: least - 1}, d.key, keys.CacheOff); !errors.As(err, &budget) || budget.Need != least {
		t.Errorf("error %v", err)
	}
	if r, err := d.try(job.Options{Memory: least}, d.key, keys.CacheOff); err != nil || r.Bytes != least {
		t.Errorf("%+v, %v; %d bytes should do", r, err, least)
	}
	whole, err := d.try(job.Options{}, d.key, keys.CacheOff)
	if err != nil {
		t.Fatal(err)
	}
	half, err := d.try(job.Options{Memory: 2 * whole.Bytes}, d.key, keys.CacheOff)
	if err != nil || half.Bytes > whole.Bytes/2 || half.Bytes < least {
		t.Errorf("%+v instead of %+v, %v", half, whole, err)
	}
	owner := filepath.Join(d.dir, "secret.json")
	both, err := d.try(job.Options{}, owner, keys.CacheOff)
	if err != nil {
		t.Fatal(err)
	}
	if less, err := d.try(job.Options{Memory: 2 * both.Bytes}, owner, keys.CacheOff); err != nil || less.Bytes > both.Bytes/2 {
		t.Errorf("the owner's: %+v instead of %+v, %v", less, both, err)
	}
}

// An encryption that fails leaves no cache.
func TestFailedJobKeepsNothing(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.DJN))
	d.write("x.csv", "id,x\n1,5\n2,1000\n")
	if _, err := d.try(job.Options{}, d.key, keys.CacheOn); err == nil {
		t.Fatal("a value beyond the bound is accepted")
	}
	if list := d.cacheFiles(); len(list) > 0 {
		t.Errorf("files %q", list)
	}
}

// The header is one line of JSON, for people and other programs.
func TestTableCacheHeader(t *testing.T) {
	d := newDesk(t, smallKey(t, paillier.MHL))
	data, err := os.ReadFile(d.encrypt(d.key, keys.CacheOn).Kept)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitN(data, []byte("\n"), 3)
	var h map[string]any
	if err := json.Unmarshal(lines[1], &h); err != nil || len(h) != 4 || !strings.HasPrefix(string(lines[0]), "cipherfold tables 1 ") {
		t.Errorf("%q, %v, %v", lines[0], h, err)
	}
	k, err := keys.Read(context.Background(), job.Options{}.Files(), d.key, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h["fingerprint"] != k.Public.Fingerprint() || !strings.HasPrefix(h["layout"].(string), k.Public.Kernel()+": ") {
		t.Errorf("%v", h)
	}
}

// A fusion that re-randomizes, or masks a total, makes its tables with all workers and takes them out of its memory.
func TestTablesOfFusions(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.DJN, paillier.MHL} {
		for _, layout := range []string{slots.Records, slots.Blocks} {
			d := newDesk(t, smallKey(t, variant))
			k, err := keys.Read(context.Background(), job.Options{}.Files(), d.key, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			in := filepath.Join(d.dir, "x.cf.parquet")
			if _, err := encrypt.Run(context.Background(), encrypt.Request{
				Key: k, Spec: dataset.Spec{In: []string{filepath.Join(d.dir, "x.csv")}, IDs: []string{"id"}, Measures: []slots.Measure{{Name: "x", Bound: 100}}}, Out: in,
				Layout: layout, TableCache: keys.CacheOff,
			}); err != nil {
				t.Fatal(err)
			}
			for _, by := range [][]string{nil, {}} {
				for _, refresh := range []string{"never", "always"} {
					u := fuse.Request{Options: job.Options{Overwrite: true}, In: []string{in}, Out: filepath.Join(d.dir, "f.cf.parquet"), By: by, Rerandomize: refresh}
					r, err := fuse.Run(context.Background(), u)
					if err != nil {
						t.Fatal(err)
					}
					want := refresh == "always" || by != nil && layout == slots.Blocks
					if (r.Tables != nil) != want {
						t.Errorf("%s, %s, by %q, %s: tables %+v", variant, layout, by, refresh, r.Tables)
					}
					u.Memory = 1
					_, err = fuse.Run(context.Background(), u)
					var budget *engine.BudgetError
					if want && (!errors.As(err, &budget) || budget.What != keys.PowersBudget || budget.Need < 1) {
						t.Errorf("%s, %s, by %q, %s: error %v", variant, layout, by, refresh, err)
					}
				}
			}
		}
	}
}
