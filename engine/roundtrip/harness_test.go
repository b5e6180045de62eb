package roundtrip_test

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// testKey returns a small key of a variant, made once.
func testKey(t testing.TB, variant paillier.Variant) *paillier.SecretKey {
	t.Helper()
	keysMu.Lock()
	defer keysMu.Unlock()
	if keyOf[variant] == nil {
		k, err := paillier.GenerateKey(context.Background(), rand.Reader, variant, thoroughtest.Pick(512, 1024), true)
		if err != nil {
			t.Fatal(err)
		}
		keyOf[variant] = k
	}
	return keyOf[variant]
}

var (
	keysMu sync.Mutex
	keyOf  = map[paillier.Variant]*paillier.SecretKey{}
)

// bench is a directory of test files and short ways to run jobs in it.
type bench struct {
	testing.TB
	dir     string
	key     *paillier.SecretKey
	options job.Options
}

func newBench(t testing.TB, variant paillier.Variant) *bench {
	return &bench{TB: t, dir: t.TempDir(), key: testKey(t, variant)}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) string {
	b.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	return b.path(name)
}

// table writes rows, the header first, as CSV.
func (b *bench) table(name string, rows [][]string) string {
	b.Helper()
	var s strings.Builder
	w := csv.NewWriter(&s)
	if err := w.WriteAll(rows); err != nil {
		b.Fatal(err)
	}
	return b.write(name, s.String())
}

// measures parses specs.
func measures(t testing.TB, specs ...string) []slots.Measure {
	t.Helper()
	var out []slots.Measure
	for _, s := range specs {
		m, err := slots.ParseMeasure(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func (b *bench) encrypt(in string, e encrypt.Request) string {
	b.Helper()
	out, _, err := b.tryEncrypt(in, e)
	if err != nil {
		b.Fatalf("encrypt %s: %v", filepath.Base(in), err)
	}
	return out
}

func (b *bench) tryEncrypt(in string, e encrypt.Request) (string, *job.Report, error) {
	e.In, e.Out, e.Options = []string{in}, strings.TrimSuffix(in, filepath.Ext(in))+".cf.parquet", b.options
	if e.Key.Public == nil {
		e.Key = keys.Of(b.key.Public())
	}
	report, err := encrypt.Run(context.Background(), e)
	return e.Out, report, err
}

func (b *bench) fuse(out string, f fuse.Request) string {
	b.Helper()
	name, err := b.tryFuse(out, f)
	if err != nil {
		b.Fatalf("fuse: %v", err)
	}
	return name
}

func (b *bench) tryFuse(out string, f fuse.Request) (string, error) {
	f.Out, f.Options = b.path(out), b.options
	_, err := fuse.Run(context.Background(), f)
	return f.Out, err
}

// decrypt opens a table and returns its rows by column name, in file order.
func (b *bench) decrypt(in string) []map[string]string {
	b.Helper()
	rows, err := b.tryDecrypt(in)
	if err != nil {
		b.Fatalf("decrypt: %v", err)
	}
	return rows
}

func (b *bench) tryDecrypt(in string) ([]map[string]string, error) {
	out := in + ".csv"
	o := b.options
	o.Overwrite = true
	if _, err := decrypt.Run(context.Background(), decrypt.Request{Unfused: true, Options: o, Key: keys.Of(b.key), In: in, Out: out}); err != nil {
		return nil, err
	}
	return b.rows(out), nil
}

// rows reads a CSV file: its rows by column name, in file order.
func (b *bench) rows(name string) []map[string]string {
	b.Helper()
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		b.Fatal(err)
	}
	var rows []map[string]string
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// files lists the names in the directory.
func (b *bench) files() []string {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	sort.Strings(out)
	return out
}

// rat reads a decimal number exactly.
func rat(t testing.TB, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is not a number", s)
	}
	return r
}

// plainMoments are the oracle: exact sums of one or two columns over some rows, in rational arithmetic.
type plainMoments struct {
	n                int64
	x, y, xx, yy, xy *big.Rat
}

func newMoments() *plainMoments {
	return &plainMoments{x: new(big.Rat), y: new(big.Rat), xx: new(big.Rat), yy: new(big.Rat), xy: new(big.Rat)}
}

func (p *plainMoments) add(weight int64, x, y *big.Rat) {
	w := big.NewRat(weight, 1)
	accumulate := func(to, a, b *big.Rat) { to.Add(to, new(big.Rat).Mul(w, new(big.Rat).Mul(a, b))) }
	one := big.NewRat(1, 1)
	p.n += weight
	accumulate(p.x, x, one)
	accumulate(p.y, y, one)
	accumulate(p.xx, x, x)
	accumulate(p.yy, y, y)
	accumulate(p.xy, x, y)
}

func float(r *big.Rat) string {
	f, _ := r.Float64()
	return fmt.Sprint(f)
}

// spread is (n·Sab - Sa·Sb) / (n·(n-1)).
func (p *plainMoments) spread(ab, a, b *big.Rat) string {
	if p.n < 2 {
		return ""
	}
	n := big.NewRat(p.n, 1)
	num := new(big.Rat).Sub(new(big.Rat).Mul(n, ab), new(big.Rat).Mul(a, b))
	return float(num.Quo(num, big.NewRat(p.n*(p.n-1), 1)))
}

func (p *plainMoments) mean() string {
	if p.n == 0 {
		return ""
	}
	return float(new(big.Rat).Quo(p.x, big.NewRat(p.n, 1)))
}

// equalNumber compares a cell with a number: both empty, or equal as floating point.
func equalNumber(t testing.TB, where, got, want string) {
	t.Helper()
	if (got == "") != (want == "") {
		t.Errorf("%s: %q, want %q", where, got, want)
		return
	}
	if got == "" {
		return
	}
	g, _ := rat(t, got).Float64()
	w, _ := rat(t, want).Float64()
	if g != w {
		t.Errorf("%s: %s, want %s", where, got, want)
	}
}

// ciphertexts returns the ciphertext columns of a table, whole.
func ciphertexts(t testing.TB, file string) [][]byte {
	t.Helper()
	r, err := ctfile.Open(context.Background(), blob.Local{}, file, column.ReadOptions{BatchRows: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	var out [][]byte
	for c := range r.Table().Columns {
		out = append(out, slices.Clone(column.FixedBytes(b.Column(len(r.Table().IDs)+c))))
	}
	return out
}
