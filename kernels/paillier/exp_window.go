package paillier

import "github.com/cipherfold/cipherfold/bigmod"

// powerWindowMax is the widest window of bits of an exponent of MulEach.
const powerWindowMax = 4

// powerTable holds the powers of the rows of a piece: x[i]^d at d·powerRows+i, Montgomery form.
type powerTable struct {
	table    *bigmod.Vec
	selected pieceVec // the power that each row needs next
	index    [powerRows]int32
	from     [powerRows]int32
}

// powerRows is the number of rows that MulEach computes at a time.
const powerRows = 32

// powerWindow returns the window that needs the fewest multiplications for exponents of that many bits.
func powerWindow(length int) int {
	best, cost := 1, length
	for w := 2; w <= powerWindowMax; w++ {
		if c := 1<<w - 2 + (length+w-1)/w; c < cost {
			best, cost = w, c
		}
	}
	return best
}

// MulEach multiplies each plaintext by its own public integer: dst[i] = c[i]^s[i], negative powers by one inversion for
// 32 rows. The time depends on the longest magnitude.
func (e *Evaluator) MulEach(dst, ct []byte, s Scalars) error {
	checkLen("ciphertexts", len(dst), len(ct))
	s.check(e.rows(ct))
	if s.anyZero() { // whose power is 1 whatever the ciphertext is: the others' powers show which one is no unit
		if err := e.Check(ct); err != nil {
			return err
		}
	}
	ring := e.rings.square
	if e.powers == nil {
		e.powers = &powerTable{table: ring.NewVec(powerRows << powerWindowMax), selected: pieceVec{ring: ring}}
	}
	length := s.bitLen()
	w := powerWindow(length)
	err := pieces(e.rows(ct), powerRows, func(first, rows, class int) error {
		x := e.x.get(class)
		if err := e.load(x, ct, 0, first); err != nil {
			return err
		}
		e.units.add(x, class)
		ring.ToMont(x, x)
		e.powers.fill(e, x, 1<<w)
		acc, selected := e.acc.get(class), e.powers.selected.get(class)
		for j := (length + w - 1) / w; j >= 0; j-- { // the topmost digits are 0: they set acc to 1
			for i := range rows {
				e.powers.index[i] = int32(digit(s.abs(first+i), j*w, w)*powerRows + i)
			}
			if j == (length+w-1)/w {
				ring.CopyAt(acc, iota32[:rows], e.powers.table, e.powers.index[:rows])
				continue
			}
			for range w {
				ring.Sqr(acc, acc)
			}
			ring.CopyAt(selected, iota32[:rows], e.powers.table, e.powers.index[:rows])
			ring.Mul(acc, acc, selected)
		}
		ring.FromMont(acc, acc)
		if err := e.invertNegative(acc, ct, s, first, class); err != nil {
			return err
		}
		e.store(dst, first, acc)
		return nil
	})
	return e.finish(err, dst)
}

// fill computes the first n powers of x, which is in Montgomery form.
func (p *powerTable) fill(e *Evaluator, x *bigmod.Vec, n int) {
	ring, rows := e.rings.square, x.Len
	ring.CopyAt(p.table, iota32[:rows], e.rings.oneMont, zeros32[:rows])
	at := func(list *[powerRows]int32, d int) []int32 {
		for i := range rows {
			list[i] = int32(d*powerRows + i)
		}
		return list[:rows]
	}
	ring.CopyAt(p.table, at(&p.index, 1), x, iota32[:rows])
	for d := 2; d < n; d++ {
		ring.CopyAt(p.table, at(&p.index, d), p.table, at(&p.from, d-1))
		ring.MulAt(p.table, p.index[:rows], x, iota32[:rows])
	}
}

// invertNegative replaces the powers of the rows whose scalar is negative by their inverses.
func (e *Evaluator) invertNegative(acc *bigmod.Vec, ct []byte, s Scalars, first, class int) error {
	negative := e.powers.index[:0]
	for i := range acc.Len {
		if s.Neg[first+i] {
			negative = append(negative, int32(i))
		}
	}
	if len(negative) == 0 {
		return nil
	}
	y := e.y.get(class)
	e.setOne(y)
	e.rings.square.CopyAt(y, negative, acc, negative)
	if err := e.invert(y, ct, 0, first); err != nil {
		return err
	}
	e.rings.square.CopyAt(acc, negative, y, negative)
	return nil
}
