package bigmod_test

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

func TestNewModulus(t *testing.T) {
	for _, c := range []struct {
		be   []byte
		want error
	}{
		{nil, bigmod.ErrModulusSmall},
		{[]byte{0, 0}, bigmod.ErrModulusSmall},
		{[]byte{1}, bigmod.ErrModulusSmall},
		{[]byte{0, 2}, bigmod.ErrModulusSmall},
		{[]byte{3}, nil},
		{[]byte{4}, bigmod.ErrModulusEven},
		{[]byte{0, 0, 1, 1}, nil},
		{[]byte{1, 0}, bigmod.ErrModulusEven},
		{bytes.Repeat([]byte{0xff}, bigmod.MaxBits/8), nil},
		{append([]byte{0, 0}, bytes.Repeat([]byte{0xff}, bigmod.MaxBits/8)...), nil},
		{append([]byte{1}, bytes.Repeat([]byte{0xff}, bigmod.MaxBits/8)...), bigmod.ErrModulusLong},
		{append([]byte{1}, make([]byte, bigmod.MaxBits/8)...), bigmod.ErrModulusLong},
	} {
		m, err := bigmod.NewModulus(c.be)
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) {
			t.Errorf("NewModulus(%x): %v, want %v", c.be, err, c.want)
		}
	}
}

func TestModulusLengths(t *testing.T) {
	for bits := 2; bits <= 300; bits++ {
		x := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		x.SetBit(x, 0, 1)
		be := append(make([]byte, bits%3), x.Bytes()...)
		m, err := bigmod.NewModulus(be)
		if err != nil {
			t.Fatal(err)
		}
		size, limbs := (bits+7)/8, (bits+63)/64
		if m.BitLen() != bits || m.Size() != size || m.Limbs() != limbs {
			t.Errorf("modulus of %d bits: BitLen %d, Size %d, Limbs %d", bits, m.BitLen(), m.Size(), m.Limbs())
		}
		if !bytes.Equal(m.Bytes(), x.Bytes()) {
			t.Errorf("modulus of %d bits: bytes %x", bits, m.Bytes())
		}
		w := make([]uint64, limbs)
		bigmod.WordsFromBytes(w, x.Bytes())
		if !slices.Equal(m.Words(), w) {
			t.Errorf("modulus of %d bits: words %x", bits, m.Words())
		}
		square, err := m.Square()
		if err != nil || !bytes.Equal(square.Bytes(), new(big.Int).Mul(x, x).Bytes()) {
			t.Errorf("modulus of %d bits: its square is %x, %v", bits, square.Bytes(), err)
		}
		m.Words()[0], m.Bytes()[0] = 0, 0
		if !slices.Equal(m.Words(), w) {
			t.Errorf("modulus of %d bits: Words or Bytes is no copy", bits)
		}
	}
}
