package paillier

import (
	"bytes"
	"encoding/hex"
	"math"
	"sync"
	"testing"
)

// fresh returns a copy of a key that has no tables yet.
func fresh(t *testing.T, sk *SecretKey) *SecretKey {
	t.Helper()
	key, err := ParseKey(sk.MarshalSecret())
	ok(t, err)
	copied := key.(*SecretKey)
	ok(t, copied.UseKernel(sk.Public().Kernel()))
	return copied
}

// makeAll makes the pieces in several goroutines, the last one first.
func makeAll(t *Tables) {
	var group sync.WaitGroup
	for piece := t.Pieces() - 1; piece >= 0; piece-- {
		group.Go(func() { t.Make(piece) })
	}
	group.Wait()
}

// Tables that were planned give the ciphertexts of those that workers make by themselves, whatever memory they may take,
// and hold what they said.
func TestPlannedTables(t *testing.T) {
	forKeysOf(t, 1024, func(t *testing.T, sk *SecretKey) {
		if sk.public.variant == Textbook {
			if sk.PlanTables(math.MaxInt64) != nil || sk.public.PlanTables(math.MaxInt64) != nil || sk.public.PlanFullTables(math.MaxInt64, OwnRandomizers) != nil {
				t.Error("a textbook key needs tables")
			}
			return
		}
		o, random := newOracle(sk), seeded(t)
		const n = 9
		m, r := o.plain(o.residues(random, n)...), o.random(o.randoms(random, n)...)
		want, got := o.room(n), o.room(n)
		ok(t, sk.public.NewEncryptor().encryptWith(want, m, r))
		var sizes []int64
		for _, limit := range []int64{math.MaxInt64, 300_000, 0} {
			key := fresh(t, sk)
			public, owner := key.public.PlanTables(limit), key.PlanTables(limit)
			size := public.Bytes() + owner.Bytes()
			sizes = append(sizes, size)
			for _, tables := range []*Tables{&public.Tables, owner} {
				makeAll(tables)
				tables.Install()
			}
			if key.TableBytes() != size {
				t.Errorf("within %d bytes: the plan says %d bytes, the key holds %d", limit, size, key.TableBytes())
			}
			if key.PlanTables(limit) != nil || key.public.PlanTables(limit) != nil {
				t.Error("tables that exist are planned again")
			}
			ok(t, key.public.NewEncryptor().encryptWith(got, m, r))
			if !bytes.Equal(got, want) {
				t.Errorf("within %d bytes: other ciphertexts", limit)
			}
			ok(t, key.NewEncryptor().encryptWith(got, m, r))
			if !bytes.Equal(got, want) {
				t.Errorf("within %d bytes: other ciphertexts by the owner", limit)
			}
			if key.TableBytes() != size {
				t.Errorf("within %d bytes: workers made tables of their own: %d bytes, planned %d", limit, key.TableBytes(), size)
			}
		}
		if !(sizes[0] > sizes[1] && sizes[1] >= sizes[2]) || sizes[1] > 600_000 && sizes[1] > sizes[2] {
			t.Errorf("sizes %v do not follow the limits", sizes)
		}
		whole := fresh(t, sk)
		whole.NewEncryptor()
		whole.public.NewEncryptor()
		if whole.TableBytes() != sizes[0] {
			t.Errorf("planned without limit %d bytes, workers make %d", sizes[0], whole.TableBytes())
		}
	})
}

// MHL keys have a table for re-randomization, and DJN keys for own ciphertexts; what it gives opens to the same plaintexts.
func TestPlannedFullTables(t *testing.T) {
	forKeysOf(t, 512, func(t *testing.T, sk *SecretKey) {
		key := fresh(t, sk)
		if tables := key.public.PlanFullTables(math.MaxInt64, AnyRandomizers); (tables != nil) != (sk.public.variant == MHL) {
			t.Fatalf("a table for any ciphertexts of %s: %v", sk.public.variant, tables != nil)
		}
		tables := key.public.PlanFullTables(math.MaxInt64, key.public.Randomizers())
		if (tables != nil) != (sk.public.variant != Textbook) {
			t.Fatalf("a table for own ciphertexts of %s: %v", sk.public.variant, tables != nil)
		}
		if tables == nil {
			return
		}
		makeAll(&tables.Tables)
		tables.Install()
		o := newOracle(sk)
		m := o.residues(seeded(t), 9)
		ct, plain := o.room(len(m)), make([]uint64, len(o.plain(m...)))
		ok(t, sk.NewEncryptor().Encrypt(ct, o.plain(m...)))
		ok(t, key.public.NewEvaluator().RerandomizeOf(ct, ct, key.public.Randomizers()))
		if key.TableBytes() != tables.Bytes() {
			t.Errorf("%d bytes of tables, planned %d", key.TableBytes(), tables.Bytes())
		}
		ok(t, key.NewDecryptor().Decrypt(plain, ct))
		equal(t, "plaintexts", o.fromPlain(plain), m)
	})
}

// A public key's table can be stored and restored; one of another base, or mixed up, is noticed.
func TestRestoredTables(t *testing.T) {
	forKeysOf(t, 512, func(t *testing.T, sk *SecretKey) {
		if sk.public.variant == Textbook {
			return
		}
		made := fresh(t, sk).public.PlanTables(math.MaxInt64)
		makeAll(&made.Tables)
		restore := func(change func(pieces [][]uint64)) (*PublicKey, *PublicTables) {
			pk := fresh(t, sk).public
			tables := pk.PlanTables(math.MaxInt64)
			if tables.Layout() != made.Layout() || tables.Pieces() != made.Pieces() {
				t.Fatalf("layouts %q and %q", tables.Layout(), made.Layout())
			}
			var pieces [][]uint64
			for i := range tables.Pieces() {
				copy(tables.Words(i), made.Words(i))
				pieces = append(pieces, tables.Words(i))
			}
			if change != nil {
				change(pieces)
			}
			return pk, tables
		}
		pk, tables := restore(nil)
		if !tables.Verify(made.Base()) {
			t.Error("a good table is refused")
		}
		tables.Install()
		o, random := newOracle(sk), seeded(t)
		m, r := o.plain(o.residues(random, 9)...), o.random(o.randoms(random, 9)...)
		want, got := o.room(9), o.room(9)
		ok(t, fresh(t, sk).public.NewEncryptor().encryptWith(want, m, r))
		ok(t, pk.NewEncryptor().encryptWith(got, m, r))
		if !bytes.Equal(got, want) {
			t.Error("a restored table gives other ciphertexts")
		}

		other := append([]byte(nil), made.Base()...)
		other[len(other)-1] ^= 1
		_, tables = restore(nil)
		if tables.Verify(other) || tables.Verify(bytes.Repeat([]byte{0xff}, len(other))) || tables.Verify(other[1:]) || tables.Verify(nil) {
			t.Error("a table of another base is accepted")
		}
		for name, change := range map[string]func([][]uint64){
			"pieces swapped": func(p [][]uint64) {
				for i := range p[1] {
					p[1][i], p[2][i] = p[2][i], p[1][i]
				}
			},
			"a piece repeated": func(p [][]uint64) { copy(p[2], p[1]) },
			"zeros":            func(p [][]uint64) { clear(p[len(p)/2]) },
		} {
			_, tables := restore(change)
			accepted := 0
			for range 5 {
				if tables.Verify(made.Base()) {
					accepted++
				}
			}
			if accepted > 2 {
				t.Errorf("%s: accepted %d times of 5", name, accepted)
			}
		}
		// All powers of 1: ciphertexts without randomness.
		one := make([]byte, len(other))
		one[len(one)-1] = 1
		weak := fresh(t, sk).public.PlanTables(math.MaxInt64)
		weak.parts[0].SetBase(one)
		for i := range weak.Pieces() {
			weak.parts[0].TablePlan.Make(i)
		}
		if weak.Verify(made.Base()) || !weak.Verify(one) {
			t.Error("powers of 1 pass for powers of the base")
		}
	})
}

// Owner's tables are secret: their plan gives nobody their contents.
func TestOwnerTablesStayInMemory(t *testing.T) {
	sk := testKey(t, DJN, 512)
	if _, ok := any(fresh(t, sk).PlanTables(math.MaxInt64)).(interface{ Words(int) []uint64 }); ok {
		t.Error("the words of an owner's table can be read")
	}
	if _, ok := any(fresh(t, sk).public.PlanTables(math.MaxInt64)).(interface{ Words(int) []uint64 }); !ok {
		t.Error("the words of a public table cannot be read: this test proves nothing")
	}
}

func TestKeepLowBits(t *testing.T) {
	for bits, want := range map[int]string{-2: "000000", 0: "000000", 1: "000001", 7: "00007f", 8: "0000ff", 9: "0001ff", 21: "1fffff", 24: "ffffff", 30: "ffffff"} {
		x := []byte{0xff, 0xff, 0xff}
		if keepLowBits(x, bits); hex.EncodeToString(x) != want {
			t.Errorf("the lowest %d bits are %x, want %s", bits, x, want)
		}
	}
}
