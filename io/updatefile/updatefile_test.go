package updatefile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

func sample(blocks int64, size int) Footer {
	return Footer{Kind: Update, Scheme: "test", Set: "T", Network: "net", Round: 7, RoundSHA256: strings.Repeat("ab", 32), Parameters: 10 * blocks,
		Blocks: blocks, BlockBytes: size, Limbs: 1, Largest: 5, Members: []Member{{Name: "a", WeightMax: 3, Weight: 1}}, Column: "g", Type: "float",
		Tensors: []Tensor{{"w", 4}, {"b", 10*blocks - 4}}}
}

// write writes a file of blocks whose bytes tell them apart.
func write(t testing.TB, name string, f Footer) []byte {
	t.Helper()
	ctx := context.Background()
	w, err := Create(ctx, blob.Local{}, name, f, 10, column.WriteOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := make([]byte, int(f.Blocks)*f.BlockBytes)
	for i := range all {
		all[i] = byte(i*7 + i/f.BlockBytes)
	}
	for from := 0; from < len(all); {
		n := min(len(all)-from, 3*f.BlockBytes)
		if err := w.Write(ctx, all[from:from+n]); err != nil {
			t.Fatal(err)
		}
		from += n
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if len(w.Digest()) != 64 {
		t.Fatalf("digest %q", w.Digest())
	}
	return all
}

func readAll(name string, opts column.ReadOptions) ([]byte, *Footer, error) {
	ctx := context.Background()
	r, err := Open(ctx, blob.Local{}, name, opts)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var all []byte
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return all, r.Footer(), r.Close()
		}
		if err != nil {
			return nil, nil, err
		}
		if b.First != int64(len(all)/r.Footer().BlockBytes) {
			return nil, nil, errors.New("blocks out of order")
		}
		all = append(all, b.Bytes...)
		b.Release()
	}
}

func TestRoundTrip(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	name := filepath.Join(t.TempDir(), "u.parquet")
	for _, test := range []struct {
		blocks int64
		size   int
	}{{1, 25}, {7, 12800}, {700, 12800}, {200, 51200}} { // the last two have several row groups
		f := sample(test.blocks, test.size)
		if test.size > 1<<15 {
			f.Limbs = 2
		}
		want := write(t, name, f)
		for _, threads := range []int{1, 3} {
			got, footer, err := readAll(name, column.ReadOptions{BatchRows: 5, Threads: threads, Mem: mem})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d blocks of %d bytes are others when they are read", test.blocks, test.size)
			}
			if len(footer.RowGroups) == 0 || footer.Members[0] != f.Members[0] || !slices.Equal(footer.Tensors, f.Tensors) || footer.Round != 7 {
				t.Fatalf("footer %+v", footer)
			}
		}
		footer, digest, err := ReadFooter(context.Background(), blob.Local{}, name)
		if err != nil || digest == "" || footer.Blocks != test.blocks {
			t.Fatal(footer, digest, err)
		}
	}
}

// Every byte of a file that is changed is noticed, or means nothing.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "u.parquet")
	want := write(t, name, sample(3, 25))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, before, err := readAll(name, column.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	quiet := 0
	for i := 0; i < len(data); i += thoroughtest.Pick(5, 1) {
		data[i] ^= 0x40
		bad := filepath.Join(dir, "bad.parquet")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, footer, err := readAll(bad, column.ReadOptions{})
		var refused *column.InputError
		switch {
		case err == nil:
			quiet++
			if !bytes.Equal(got, want) || footer.Round != before.Round || footer.Members[0] != before.Members[0] {
				t.Errorf("byte %d is changed, and other blocks are read", i)
			}
		case !errors.As(err, &refused):
			t.Errorf("byte %d is changed: %v", i, err)
		}
		data[i] ^= 0x40
	}
	if quiet > len(data)/2 {
		t.Errorf("of %d bytes %d can be changed unnoticed", len(data), quiet)
	}
	for n := 0; n < len(data); n += 97 {
		bad := filepath.Join(dir, "bad.parquet")
		if err := os.WriteFile(bad, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readAll(bad, column.ReadOptions{}); err == nil {
			t.Errorf("a file cut off after %d bytes is read", n)
		}
	}
}

// Footers that say what cannot be are neither written nor read.
func TestFooterRefusals(t *testing.T) {
	ctx := context.Background()
	for what, change := range map[string]func(f *Footer){
		"no limbs":      func(f *Footer) { f.Limbs = 0 },
		"odd limbs":     func(f *Footer) { f.Limbs = 2 },
		"kind":          func(f *Footer) { f.Kind = "other" },
		"no parameters": func(f *Footer) { f.Parameters = 0 },
		"more blocks":   func(f *Footer) { f.Parameters = 2; f.Tensors = nil },
		"no members":    func(f *Footer) { f.Members = nil },
		"two members":   func(f *Footer) { f.Members = append(f.Members, Member{Name: "b", WeightMax: 1, Weight: 1}) },
		"same member": func(f *Footer) {
			f.Kind = Sum
			f.Members[0].SHA256 = f.RoundSHA256
			f.Members = slices.Repeat(f.Members, 2)
		},
		"weight 0":         func(f *Footer) { f.Members[0].Weight = 0 },
		"weight max 0":     func(f *Footer) { f.Members[0].WeightMax = 0 },
		"no name":          func(f *Footer) { f.Members[0].Name = "" },
		"digest in update": func(f *Footer) { f.Members[0].SHA256 = f.RoundSHA256 },
		"sum undigested":   func(f *Footer) { f.Kind = Sum },
		"type":             func(f *Footer) { f.Type = "int" },
		"round digest":     func(f *Footer) { f.RoundSHA256 = strings.ToUpper(f.RoundSHA256) },
		"tensors":          func(f *Footer) { f.Tensors = []Tensor{{"w", 4}} },
		"tensor too long":  func(f *Footer) { f.Tensors = []Tensor{{"w", 1 << 62}, {"v", 1 << 62}} },
		"tensor of 0":      func(f *Footer) { f.Tensors = []Tensor{{"w", 0}, {"v", f.Parameters}} },
	} {
		f := sample(3, 25)
		f.Members = slices.Clone(f.Members)
		change(&f)
		name := filepath.Join(t.TempDir(), "u.parquet")
		if _, err := Create(ctx, blob.Local{}, name, f, 10, column.WriteOptions{}); err == nil {
			t.Errorf("%s: written", what)
		}
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s: there is a file", what)
		}
		text, digest, err := f.text()
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = parse(func(key string) []string {
			return []string{map[string]string{KeyVersion: Version, KeyFooter: text, KeyDigest: digest}[key]}
		})
		var refused *column.InputError
		if !errors.As(err, &refused) {
			t.Errorf("%s: read with %v", what, err)
		}
	}
	w, err := Create(ctx, blob.Local{}, filepath.Join(t.TempDir(), "u.parquet"), sample(3, 25), 10, column.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err == nil || !strings.Contains(err.Error(), "2 blocks of 3 were written") {
		t.Errorf("a block too few: %v", err)
	}
}

// FuzzFooter: any text is a footer or refused.
func FuzzFooter(f *testing.F) {
	footer := sample(3, 25)
	footer.RowGroups = []RowGroup{{3, strings.Repeat("cd", 32)}}
	text, digest, err := footer.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, digest)
	f.Add("{}", "")
	f.Fuzz(func(t *testing.T, text, digest string) {
		got, _, err := parse(func(key string) []string {
			return []string{map[string]string{KeyVersion: Version, KeyFooter: text, KeyDigest: digest}[key]}
		})
		var refused *column.InputError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if err == nil {
			if again, _, err := got.text(); err != nil || len(again) == 0 {
				t.Fatal(err)
			}
		}
	})
}
