package vectors

import (
	"fmt"
	"math/big"
	"math/bits"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// layout is how signed numbers share a plaintext: Σ v[j]·2^(w·j).
type layout struct{ w, slots int }

// packed: rows of signed numbers in one ciphertext each, their sum, and a multiple of one of them.
func (c *checker) packed(entries []*entry) error {
	for _, e := range entries {
		l := c.layout(e)
		rows, err := c.packedRows(e, l)
		if err != nil {
			return err
		}
		encList := e.list("enc")
		if e.err == nil && len(encList) != len(rows) {
			return e.bad("enc", "%d encryptions of %d rows", len(encList), len(rows))
		}
		if e.err != nil {
			return e.err
		}
		subs := make([]*entry, len(rows))
		for i, v := range encList {
			if subs[i], err = e.sub(fmt.Sprintf("enc[%d]", i), v, "r", "c"); err != nil {
				return err
			}
		}
		if err := c.packedEncryptions(e, l, rows, subs); err != nil {
			return err
		}
	}
	return nil
}

// layout reads and checks value_bits, max_adds, w and slots.
func (c *checker) layout(e *entry) layout {
	const limit = 1 << 12
	valueBits, maxAdds := e.int("value_bits", limit), e.int("max_adds", 1<<62)
	l := layout{e.int("w", limit), e.int("slots", limit)}
	if e.err != nil {
		return l
	}
	if valueBits < 1 || maxAdds < 1 {
		e.fail(e.bad("value_bits", "value_bits and max_adds must be positive"))
		return l
	}
	if w := valueBits + bits.Len(uint(maxAdds-1)) + 1; w != l.w {
		e.fail(e.bad("w", "a slot needs %d bits", w))
	} else if slots := (c.sk.Public().Bits() - 1) / w; slots != l.slots {
		e.fail(e.bad("slots", "there is room for %d", slots))
	} else if known, ok := knownAdds[[2]int{valueBits, w}]; ok && known != maxAdds {
		e.fail(e.bad("max_adds", "the format has %d with slots of %d bits", known, w))
	}
	return l
}

// pack returns Σ v[j]·2^(w·j).
func (l layout) pack(v []*big.Int) *big.Int {
	p := new(big.Int)
	for j := len(v) - 1; j >= 0; j-- {
		p.Lsh(p, uint(l.w)).Add(p, v[j])
	}
	return p
}

// unpack takes n centred remainders modulo 2^w; what is left must be 0.
func (l layout) unpack(p *big.Int, n int) (v []*big.Int, ok bool) {
	p = new(big.Int).Set(p)
	modulus := new(big.Int).Lsh(one, uint(l.w))
	half := new(big.Int).Rsh(modulus, 1)
	for range n {
		x := new(big.Int).And(p, new(big.Int).Sub(modulus, one))
		if x.Cmp(half) >= 0 {
			x.Sub(x, modulus)
		}
		v = append(v, x)
		p.Rsh(p.Sub(p, x), uint(l.w))
	}
	return v, p.Sign() == 0
}

// packedRows reads the rows, none longer than the slots, no number beyond its bits.
func (c *checker) packedRows(e *entry, l layout) ([][]*big.Int, error) {
	list := e.list("rows")
	limit := new(big.Int).Lsh(one, uint(e.int("value_bits", 1<<12)))
	if e.err == nil && (len(list) == 0 || len(list) > e.int("max_adds", 1<<62)) {
		return nil, e.bad("rows", "%d rows, not between 1 and max_adds", len(list))
	}
	rows := make([][]*big.Int, len(list))
	for i, v := range list {
		field := fmt.Sprintf("rows[%d]", i)
		row, err := v.Array()
		e.syntax(field, err)
		rows[i] = e.integersOf(field, row)
		if e.err == nil && (len(row) > l.slots || len(row) != len(rows[0])) {
			return nil, e.bad(field, "%d numbers for %d slots", len(row), l.slots)
		}
		for _, x := range rows[i] {
			if e.err == nil && x.CmpAbs(limit) >= 0 {
				return nil, e.bad(field, "%s does not fit value_bits", x)
			}
		}
	}
	return rows, e.err
}

func (c *checker) packedEncryptions(e *entry, l layout, rows [][]*big.Int, subs []*entry) error {
	plain, ct := make([]*big.Int, len(rows)), make([]*big.Int, len(rows))
	r := c.randoms(subs)
	for i, row := range rows {
		plain[i], ct[i] = l.pack(row), subs[i].hexBelow("c", c.n2)
	}
	if err := firstError(subs); err != nil {
		return err
	}
	if err := c.encrypts(subs, plain, r, ct, "c"); err != nil {
		return err
	}
	if err := c.packedSum(e, l, rows, ct); err != nil {
		return err
	}
	return c.packedScalar(e, l, rows, ct)
}

// packedSum checks sum_c and sum.
func (c *checker) packedSum(e *entry, l layout, rows [][]*big.Int, ct []*big.Int) error {
	sum, want := e.integers("sum"), e.hexBelow("sum_c", c.n2)
	if e.err != nil {
		return e.err
	}
	if len(sum) != len(rows[0]) {
		return e.bad("sum", "%d numbers, not %d", len(sum), len(rows[0]))
	}
	for j, x := range sum {
		total := new(big.Int)
		for _, row := range rows {
			total.Add(total, row[j])
		}
		if total.Cmp(x) != 0 {
			return e.bad("sum", "number %d is %s", j, total)
		}
	}
	got := c.batch(1)
	if err := c.evaluator.Sum(got, c.ciphertexts(ct)); err != nil {
		return e.bad("sum_c", "%v", err)
	}
	if x := new(big.Int).SetBytes(got); x.Cmp(want) != 0 {
		return e.bad("sum_c", "Sum gives %.40s...", x.Text(16))
	}
	return c.opensPacked(e, l, want, sum, "sum")
}

// opensPacked checks that a ciphertext decrypts to packed numbers which fit their slots.
func (c *checker) opensPacked(e *entry, l layout, ct *big.Int, v []*big.Int, field string) error {
	packed := l.pack(v)
	if err := c.opens([]*entry{e}, []*big.Int{ct}, []*big.Int{packed}, field); err != nil {
		return err
	}
	unpacked, ok := l.unpack(c.centre(packed), len(v))
	if !ok {
		return e.bad(field, "something is left above the last slot")
	}
	for j, x := range unpacked {
		if x.Cmp(v[j]) != 0 {
			return e.bad(field, "slot %d unpacks to %s", j, x)
		}
	}
	return nil
}

// packedScalar checks the multiple of one row; the file may have null there.
func (c *checker) packedScalar(e *entry, l layout, rows [][]*big.Int, ct []*big.Int) error {
	value, err := e.o.Take("scalar")
	e.syntax("scalar", err)
	if err != nil || value.IsNull() {
		return e.err
	}
	s, err := e.sub("scalar", value, "row", "s", "c", "slots_ok", "v")
	if err != nil {
		return err
	}
	row := s.int("row", len(rows))
	scalar := s.integer("s")
	want, v, fits := s.hexBelow("c", c.n2), s.integers("v"), s.bool("slots_ok")
	if s.err != nil {
		return s.err
	}
	if len(v) != len(rows[row]) {
		return s.bad("v", "%d numbers, not %d", len(v), len(rows[row]))
	}
	limit, fit := new(big.Int).Lsh(one, uint(l.w-1)), true
	for j, x := range v {
		product := new(big.Int).Mul(scalar, rows[row][j])
		if product.Cmp(x) != 0 {
			return s.bad("v", "number %d is %s", j, product)
		}
		fit = fit && product.CmpAbs(limit) < 0
	}
	if fit != fits {
		return s.bad("slots_ok", "%v", fit)
	}
	got := c.batch(1)
	if err := c.evaluator.MulPlain(got, c.ciphertexts(ct[row:row+1]), scalar); err != nil {
		return s.bad("c", "%v", err)
	}
	if x := new(big.Int).SetBytes(got); x.Cmp(want) != 0 {
		return s.bad("c", "MulPlain gives %.40s...", x.Text(16))
	}
	if fits {
		return c.opensPacked(s, l, want, v, "v")
	}
	return c.opens([]*entry{s}, []*big.Int{want}, []*big.Int{l.pack(v)}, "v")
}

func (c *checker) multiexpInputs(entries []*entry) error {
	var v, ct []*big.Int
	r := c.randoms(entries)
	for _, e := range entries {
		v, ct = append(v, e.signed("v", c)), append(ct, e.hexBelow("c", c.n2))
	}
	if err := firstError(entries); err != nil {
		return err
	}
	for i := range v {
		c.inputs = append(c.inputs, encryption{v[i], ct[i]})
	}
	return c.encrypts(entries, v, r, ct, "v")
}

// multiexp: weighted sums of multiexp_inputs.
func (c *checker) multiexp(entries []*entry) error {
	var ct []*big.Int
	for _, x := range c.inputs {
		ct = append(ct, x.c)
	}
	batch := c.ciphertexts(ct)
	for i, e := range entries {
		w, want, v := e.decimals("w"), e.hexBelow("c", c.n2), e.signed("v", c)
		if e.err != nil {
			return e.err
		}
		if len(w) != len(ct) {
			return e.bad("w", "%d weights for %d inputs", len(w), len(ct))
		}
		sum := new(big.Int)
		for j, x := range w {
			sum.Add(sum, new(big.Int).Mul(x, c.inputs[j].v))
		}
		if c.centre(sum).Cmp(v) != 0 {
			return e.bad("v", "the weighted sum is %s", c.centre(sum))
		}
		got := c.batch(1)
		if err := c.evaluator.WeightedSum(got, batch, paillier.BigScalars(w)); err != nil {
			return e.bad("c", "%v", err)
		}
		if err := c.compareBatch(entries[i:i+1], got, []*big.Int{want}, "WeightedSum"); err != nil {
			return err
		}
		if err := c.opens(entries[i:i+1], []*big.Int{want}, []*big.Int{v}, "v"); err != nil {
			return err
		}
	}
	return nil
}
