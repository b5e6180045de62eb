package paillier

import (
	"bytes"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
)

// Tables are the tables of powers that the workers of a key share, in the making. The first worker that needs them makes
// them anyway, but alone; with a plan, several goroutines can, and their size is known before. For one key and kernel the
// plans of one kind give the same tables, whoever makes the pieces in whatever order.
type Tables struct {
	parts []tablePart
}

// tablePart is one table.
type tablePart struct {
	bigmod.TablePlan
	base func() []byte // big-endian; may take long
	set  *sync.Once    // guards SetBase
	into *lazyTable
}

// PublicTables are tables of a public key, which hold nothing secret: they can be stored and filled from a store.
type PublicTables struct {
	Tables
	ring bigmod.Ring
}

// PlanTables plans the table of NewEncryptor's workers: one that takes at most limit bytes, or the smallest one that is
// possible. It returns nil when nothing is to be planned: the key is a textbook key or has its table, or the kernel cannot
// make tables in pieces.
func (pk *PublicKey) PlanTables(limit int64) *PublicTables {
	r := pk.rings.get()
	return r.plan(&r.table, pk, pk.rbits, limit)
}

// PlanFullTables is PlanTables for Evaluator.RerandomizeOf, which needs a table with MHL keys, and with DJN keys where the
// ciphertexts have OwnRandomizers.
func (pk *PublicKey) PlanFullTables(limit int64, of Randomizers) *PublicTables {
	if pk.variant == Textbook || pk.variant == DJN && of != OwnRandomizers {
		return nil
	}
	r := pk.rings.get()
	return r.plan(&r.full, pk, pk.fullBits(), limit)
}

func (r *publicRings) plan(into *lazyTable, pk *PublicKey, bits int, limit int64) *PublicTables {
	planner, ok := r.square.(bigmod.TablePlanner)
	if !ok || pk.variant == Textbook || into.bytes() > 0 {
		return nil
	}
	t := &PublicTables{ring: r.square}
	t.add(planner.PlanTable(bits, limit), r.hs, into)
	return t
}

// PlanTables plans the tables of the owner's NewEncryptor, which are secret, as PublicKey.PlanTables does for everyone's.
func (sk *SecretKey) PlanTables(limit int64) *Tables {
	pk, r := sk.public, sk.rings.get()
	t := new(Tables)
	for i := range r.sides {
		s := &r.sides[i]
		planner, ok := s.square.(bigmod.TablePlanner)
		if !ok || pk.variant == Textbook || s.table.bytes() > 0 {
			return nil
		}
		base := func() []byte { return powerOfN(s.square, pk) }
		t.add(planner.PlanTable(s.exponentBits(pk), limit/int64(len(r.sides))), base, &s.table)
	}
	return t
}

func (t *Tables) add(plan bigmod.TablePlan, base func() []byte, into *lazyTable) {
	t.parts = append(t.parts, tablePart{plan, base, new(sync.Once), into})
}

// Bytes is the memory that the tables will hold.
func (t *Tables) Bytes() (n int64) {
	for _, p := range t.parts {
		n += p.TablePlan.Bytes()
	}
	return n
}

// Pieces is the number of pieces.
func (t *Tables) Pieces() (n int) {
	for _, p := range t.parts {
		n += p.TablePlan.Pieces()
	}
	return n
}

// Make computes a piece. Several goroutines may make different pieces. The first call for a table computes its base, which
// takes about as long as a textbook encryption of 8 plaintexts.
func (t *Tables) Make(piece int) {
	for i := range t.parts {
		p := &t.parts[i]
		if n := p.TablePlan.Pieces(); piece >= n {
			piece -= n
			continue
		}
		p.set.Do(func() { p.SetBase(p.base()) })
		p.TablePlan.Make(piece)
		return
	}
	panic("paillier: no such piece of a table")
}

// Install gives the tables, all of whose pieces must be there, to the workers that the key makes from now on.
func (t *Tables) Install() {
	for _, p := range t.parts {
		p.into.install(p.Table())
	}
}

// Layout names what the contents of Words depend on beside the public key: the kernel and how it arranges tables.
func (t *PublicTables) Layout() string {
	layout := []string{t.ring.Name()}
	for _, p := range t.parts {
		layout = append(layout, p.TablePlan.Layout())
	}
	return strings.Join(layout, ": ")
}

// Base is the number whose powers the table holds, hs = h^N mod N², big-endian in CiphertextSize() bytes. The first call
// computes it.
func (t *PublicTables) Base() []byte { return t.parts[0].base() }

// Words is the memory of a piece, for those who store it or fill it from a store instead of Make.
func (t *PublicTables) Words(piece int) []uint64 { return t.parts[0].Words(piece) }

// verifiedSums is the number of sums of exponents that Verify tries, so that all of its powers fit into 8 lanes.
const verifiedSums = 5

// Verify reports whether pieces that were filled from a store are powers of base, as far as some random exponents show:
// base^1 must be base, and in a series of exponents of which each is the sum of the two before it (Fibonacci's, from random
// a and b), the power of each must be the product of the two before it. It finds tables of another base and tables that
// are mixed up: two windows exchanged are overlooked a few times in a thousand. It is no proof against someone who
// falsifies single powers, for which all of them would have to be computed again: what was stored must be authentic.
func (t *PublicTables) Verify(base []byte) bool {
	n := len(base)
	if n != t.ring.Modulus().Size() {
		return false
	}
	table := t.parts[0].Table()
	size := (table.Bits() + 7) / 8
	e := make([]byte, (3+verifiedSums)*size) // 1, a, b, a+b, a+2b, 2a+3b, 3a+5b, 5a+8b
	e[size-1] = 1
	NewRandom().Read(e[size : 3*size])
	for i := size; i < 3*size; i += size {
		keepLowBits(e[i:i+size], table.Bits()-4) // the last sum has no more bits than the table
	}
	for i := 3 * size; i < len(e); i += size {
		carry := 0
		for k := i + size - 1; k >= i; k-- {
			carry += int(e[k-2*size]) + int(e[k-size])
			e[k] = byte(carry)
			carry >>= 8
		}
	}
	powers := t.ring.NewVec(3 + verifiedSums)
	table.Exp(powers, e)
	products := t.ring.NewVec(verifiedSums)
	t.ring.CopyAt(products, iota32[:verifiedSums], powers, iota32[1:1+verifiedSums])
	t.ring.MulAt(products, iota32[:verifiedSums], powers, iota32[2:2+verifiedSums])
	t.ring.FromMont(powers, powers)
	t.ring.FromMont(products, products)
	want, got := make([]byte, powers.Len*n), make([]byte, products.Len*n)
	t.ring.Bytes(want, powers)
	t.ring.Bytes(got, products)
	return bytes.Equal(want[:n], base) && bytes.Equal(want[3*n:], got)
}

// keepLowBits clears all bits of a big-endian number but the lowest ones.
func keepLowBits(x []byte, bits int) {
	for i := range x {
		switch above := 8*(len(x)-i) - max(bits, 0); {
		case above >= 8:
			x[i] = 0
		case above > 0:
			x[i] &= 0xff >> above
		}
	}
}
