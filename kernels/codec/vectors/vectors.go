// Package vectors checks package codec against encoding files of the format paillier-vectors-1. Every entry of a file
// is computed with codec and compared. Nothing in the file goes unchecked, so a file with any changed byte fails.
package vectors

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/codec"
)

// file is an encoding file. Pointers tell an absent field from a zero one.
type file struct {
	Format       string   `json:"format"`
	Set          string   `json:"set"`
	N            string   `json:"N"`
	Signed       []signed `json:"signed"`
	SignedRefuse []string `json:"signed_refuse"`
	Fixed        []fixed  `json:"fixed"`
	Slots        []slots  `json:"slots"`
	Pack         []pack   `json:"pack"`
	PackRefuse   []pack   `json:"pack_refuse"`
	Bounds       []bounds `json:"bounds"`
}

type (
	signed struct {
		V string `json:"v"`
		M string `json:"m"`
	}
	fixed struct {
		X     string `json:"x"`
		Scale int    `json:"scale"`
		V     string `json:"v"`
	}
	slots struct {
		ValueBits int   `json:"value_bits"`
		MaxAdds   int64 `json:"max_adds"`
		Bits      int   `json:"bits"`
		W         int   `json:"w"`
		Slots     int   `json:"slots"`
	}
	pack struct {
		W int     `json:"w"`
		V []int64 `json:"v"`
		M string  `json:"m"`
	}
	bounds struct {
		Op     string  `json:"op"`
		Bound  string  `json:"bound"`
		N      *uint64 `json:"n"`
		S      *string `json:"s"`
		Result *string `json:"result"`
		OK     bool    `json:"ok"`
	}
)

// Check verifies every entry of an encoding file and returns how many there were per section. The error names the
// section and the entry.
func Check(data []byte) (map[string]int, error) {
	var f file
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, err
	}
	if f.Format != "paillier-vectors-1" {
		return nil, fmt.Errorf("format is %q, not paillier-vectors-1", f.Format)
	}
	if damagedSet(f.Set) {
		return nil, fmt.Errorf("set %q looks like one of %v with a damaged byte", f.Set, sets)
	}
	n, err := hexWords(f.N, 0)
	if err != nil {
		return nil, fmt.Errorf("modulus N: %w", err)
	}
	c := checker{n: n}
	counts := map[string]int{}
	for _, s := range []struct {
		name  string
		n     int
		check func(i int) error
	}{
		{"signed", len(f.Signed), func(i int) error { return c.signed(f.Signed[i]) }},
		{"signed_refuse", len(f.SignedRefuse), func(i int) error { return c.signedRefuse(f.SignedRefuse[i]) }},
		{"fixed", len(f.Fixed), func(i int) error { return c.fixed(f.Fixed[i]) }},
		{"slots", len(f.Slots), func(i int) error { return c.slots(f.Slots[i]) }},
		{"pack", len(f.Pack), func(i int) error { return c.pack(f.Pack[i]) }},
		{"pack_refuse", len(f.PackRefuse), func(i int) error { return c.packRefuse(f.PackRefuse[i]) }},
		{"bounds", len(f.Bounds), func(i int) error { return c.bounds(f.Bounds[i]) }},
	} {
		for i := range s.n {
			if err := s.check(i); err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", s.name, i, err)
			}
		}
		counts[s.name] = s.n
	}
	return counts, nil
}

// sets are the usual names of sets of vectors.
var sets = []string{"public", "private", "hidden", "secret", "test", "heldout", "held-out"}

// damagedSet reports a label that is empty or differs from a usual one in a single byte. Any other label is accepted.
func damagedSet(set string) bool {
	for _, known := range sets {
		differences := 0
		for i := range min(len(set), len(known)) {
			if set[i] != known[i] {
				differences++
			}
		}
		if len(set) == len(known) && differences == 1 {
			return true
		}
	}
	return set == ""
}

type checker struct{ n []uint64 }

// hexWords reads canonical lower-case hexadecimal into at least limbs words.
func hexWords(s string, limbs int) ([]uint64, error) {
	x, ok := new(big.Int).SetString(s, 16)
	if !ok || x.Sign() < 0 || x.Text(16) != s {
		return nil, fmt.Errorf("%.40q is not lower-case hexadecimal without leading zeros", s)
	}
	if limbs == 0 {
		limbs = (x.BitLen() + 63) / 64
	}
	if x.BitLen() > 64*limbs {
		return nil, fmt.Errorf("%d bits do not fit", x.BitLen())
	}
	z := make([]uint64, limbs)
	for i := range z {
		z[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
	}
	return z, nil
}

func parseSigned(s string) (magnitude codec.Bound, negative bool, err error) {
	x, ok := new(big.Int).SetString(s, 10)
	if !ok || x.String() != s {
		return nil, false, fmt.Errorf("%.40q is not a canonical integer", s)
	}
	magnitude, err = codec.ParseBound(new(big.Int).Abs(x).String())
	return magnitude, x.Sign() < 0, err
}

func (c checker) signed(e signed) error {
	magnitude, negative, err := parseSigned(e.V)
	if err != nil {
		return err
	}
	want, err := hexWords(e.M, len(c.n))
	if err != nil {
		return err
	}
	m := make([]uint64, len(c.n))
	if err := codec.EncodeSigned(m, c.n, magnitude, negative); err != nil {
		return err
	}
	if !equal(m, want) {
		return fmt.Errorf("encoding of %s differs", e.V)
	}
	if back, sign := codec.DecodeSigned(m, c.n); back.Cmp(magnitude) != 0 || sign != negative {
		return fmt.Errorf("%s decodes as %v", e.V, back)
	}
	return nil
}

// signedRefuse also requires the refused value to be one of the three that edges are made of: ±((N-1)/2 + 1) and N.
// Otherwise a changed digit would go unnoticed.
func (c checker) signedRefuse(v string) error {
	magnitude, negative, err := parseSigned(v)
	if err != nil {
		return err
	}
	if err := codec.EncodeSigned(make([]uint64, len(c.n)), c.n, magnitude, negative); !errors.Is(err, codec.ErrHeadroom) {
		return fmt.Errorf("%s is accepted", v)
	}
	edge := make([]uint64, len(c.n)) // (N+1)/2
	for i := range c.n {
		edge[i] = c.n[i] >> 1
		if i+1 < len(c.n) {
			edge[i] |= c.n[i+1] << 63
		}
	}
	edge[0]++ // N = 2·half + 1, and half is not all ones in its lowest word for any N met here
	if magnitude.Cmp(edge) != 0 && (magnitude.Cmp(c.n) != 0 || negative) {
		return fmt.Errorf("%s is not an edge: the first refused values are ±(N+1)/2 and N", v)
	}
	return nil
}

func (c checker) fixed(e fixed) error {
	got, err := codec.FixedBinary(e.X, e.Scale)
	if err != nil {
		return err
	}
	if got.BigInt().String() != e.V {
		return fmt.Errorf("round(%s·2^%d) = %v, the file says %s", e.X, e.Scale, got.BigInt(), e.V)
	}
	return nil
}

func (c checker) slots(e slots) error {
	if w := codec.SlotWidth(e.ValueBits, e.MaxAdds); w != e.W {
		return fmt.Errorf("slot width %d, the file says %d", w, e.W)
	}
	if s := codec.Slots(e.Bits, e.W); s != e.Slots {
		return fmt.Errorf("%d slots, the file says %d", s, e.Slots)
	}
	return nil
}

func (c checker) packer(e pack) (*codec.Packer, []codec.Int, error) {
	places := make([]codec.Slot, len(e.V))
	values := make([]codec.Int, len(e.V))
	for i, v := range e.V {
		places[i] = codec.Slot{Offset: i * e.W, Width: e.W}
		values[i] = codec.FromInt64(v)
	}
	p, err := codec.NewPacker(c.n, places)
	return p, values, err
}

func (c checker) pack(e pack) error {
	p, values, err := c.packer(e)
	if err != nil {
		return err
	}
	want, err := hexWords(e.M, len(c.n))
	if err != nil {
		return err
	}
	m := make([]uint64, len(c.n))
	if err := p.Pack(m, values); err != nil {
		return err
	}
	if !equal(m, want) {
		return errors.New("packed integer differs")
	}
	back := make([]codec.Int, len(values))
	if err := p.Unpack(back, m); err != nil {
		return err
	}
	for i := range back {
		if back[i] != values[i] {
			return fmt.Errorf("slot %d unpacks as %v", i, back[i].BigInt())
		}
	}
	return nil
}

// packRefuse requires the refused value to be the first that does not fit, ±2^(w-1).
func (c checker) packRefuse(e pack) error {
	p, values, err := c.packer(e)
	if err != nil {
		return err
	}
	var refused *codec.SlotError
	if err := p.Pack(make([]uint64, len(c.n)), values); !errors.As(err, &refused) {
		return errors.New("accepted")
	}
	if v := e.V[refused.Slot]; e.M != "" || v != 1<<(e.W-1) && v != -1<<(e.W-1) {
		return fmt.Errorf("%d is not an edge: the first refused values are ±2^%d", v, e.W-1)
	}
	return nil
}

func (c checker) bounds(e bounds) error {
	bound, err := codec.ParseBound(e.Bound)
	if err != nil || bound.String() != e.Bound {
		return fmt.Errorf("bound %q: not a canonical number", e.Bound)
	}
	var factor codec.Bound
	switch {
	case e.Op == "sum" && e.N != nil && e.S == nil:
		factor, err = codec.ParseBound(strconv.FormatUint(*e.N, 10))
	case e.Op == "mul" && e.S != nil && e.N == nil:
		factor, _, err = parseSigned(*e.S)
	default:
		return fmt.Errorf("op %q", e.Op)
	}
	if err != nil {
		return err
	}
	result := bound.Times(factor)
	ok := result.FitsResidue(c.n)
	if ok != e.OK || e.OK != (e.Result != nil) {
		return fmt.Errorf("the result fits: %v, the file says %v", ok, e.OK)
	}
	if e.Result != nil && result.String() != *e.Result {
		return fmt.Errorf("bound of the result is %v, the file says %s", result, *e.Result)
	}
	if ok {
		return nil
	}
	// A refusal has no result to compare. So its operands must be the tight ones: (N-1)/2 itself times 2, or (N-1)/2
	// divided by n-1 times n.
	if tight := bound.Times(codec.BoundOf(1)); e.Op == "mul" && (tight.Cmp(half(c.n)) != 0 || *e.S != "2") {
		return errors.New("a refused multiplication that is not (N-1)/2 times 2")
	}
	if e.Op == "sum" && (!bound.Times(codec.BoundOf(*e.N-1)).FitsResidue(c.n) || !tightest(bound, *e.N-1, c.n)) {
		return errors.New("a refused sum whose bound is not the largest that n-1 terms allow")
	}
	return nil
}

// tightest reports whether bound is the largest whose n-fold fits.
func tightest(bound codec.Bound, n uint64, modulus []uint64) bool {
	next := append(codec.Bound(nil), bound...)
	for i := range next {
		next[i]++
		if next[i] != 0 {
			break
		}
	}
	return !next.Times(codec.BoundOf(n)).FitsResidue(modulus)
}

func half(n []uint64) codec.Bound {
	z := make(codec.Bound, len(n))
	for i := range n {
		z[i] = n[i] >> 1
		if i+1 < len(n) {
			z[i] |= n[i+1] << 63
		}
	}
	return z
}

func equal(x, y []uint64) bool {
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return len(x) == len(y)
}
