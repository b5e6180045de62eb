package mont52

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/bigmod"
)

// edgeModuli are odd moduli of the given length at the ends of the range and with long runs of ones and zeros.
func edgeModuli(bits uint) []*big.Int {
	one := big.NewInt(1)
	pow := func(n uint) *big.Int { return new(big.Int).Lsh(one, n) }
	sub := func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
	return []*big.Int{
		sub(pow(bits), one),
		new(big.Int).Add(pow(bits-1), one),
		sub(sub(pow(bits), pow(bits/2)), one),
		sub(pow(bits), sub(pow(bits/2), one)),
	}
}

// edgeValues are residues at which carries and borrows run far, and random ones.
func edgeValues(rng *rand.Rand, m *big.Int, n int) []*big.Int {
	one := big.NewInt(1)
	bits := uint(m.BitLen())
	list := []*big.Int{big.NewInt(0), one, big.NewInt(2), new(big.Int).Sub(m, one), new(big.Int).Rsh(m, 1), new(big.Int).Sub(new(big.Int).Lsh(one, bits-1), one)}
	for _, k := range []uint{1, 2, 7, 8, bits / limbBits / 2, bits/limbBits - 1, bits / limbBits} {
		p := new(big.Int).Lsh(one, limbBits*k)
		list = append(list, p, new(big.Int).Sub(p, one), new(big.Int).Sub(m, p))
	}
	for len(list) < n {
		be := make([]byte, (bits+7)/8)
		mode := rng.IntN(3)
		for i := range be {
			switch be[i] = byte(rng.Uint32()); {
			case mode == 1 && be[i] < 128:
				be[i] = 0
			case mode == 1:
				be[i] = 255
			case mode == 2 && i%13 < 6:
				be[i] = 255
			}
		}
		list = append(list, new(big.Int).SetBytes(be))
	}
	for i, x := range list {
		list[i] = new(big.Int).Mod(x, m)
	}
	return list
}

func rows(list []*big.Int, size int) []byte {
	be := make([]byte, len(list)*size)
	for i, x := range list {
		x.FillBytes(be[i*size : (i+1)*size])
	}
	return be
}

func TestRingTmp(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for bits := uint(1024); bits <= 8192; bits += 509 {
		for mi, mb := range append(edgeModuli(bits), new(big.Int).SetBytes(testModulus(rng, int(bits)).Bytes())) {
			m, err := bigmod.NewModulus(mb.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			size := m.Size()
			for _, impl := range implementations() {
				if impl.Name == "twin" && (bits > 2100 || mi > 0) {
					continue
				}
				t.Run(fmt.Sprintf("%d/%d/%s", bits, mi, impl.Name), func(t *testing.T) {
					r, g := impl.New(m), bigmod.Generic().New(m)
					vals := edgeValues(rng, mb, 35)
					vals2 := slices.Clone(vals)
					rng.Shuffle(len(vals2), func(i, j int) { vals2[i], vals2[j] = vals2[j], vals2[i] })
					n := len(vals)
					same := func(op string, f func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec) {
						t.Helper()
						var out [2][]byte
						for i, ring := range []bigmod.Ring{r, g} {
							x, y := ring.NewVec(n), ring.NewVec(n)
							if err := ring.SetBytes(x, rows(vals, size)); err != nil {
								t.Fatal(err)
							}
							w := make([]uint64, n*m.Limbs())
							for i, v := range vals2 {
								bigmod.WordsFromBytes(w[i*m.Limbs():(i+1)*m.Limbs()], v.Bytes())
							}
							ring.SetWords(y, w)
							z := f(ring, x, y)
							w2 := make([]uint64, z.Len*m.Limbs())
							ring.Words(w2, z)
							out[i] = make([]byte, z.Len*size)
							ring.Bytes(out[i], z)
							for j := range z.Len {
								b := make([]byte, size)
								bigmod.BytesFromWords(b, w2[j*m.Limbs():(j+1)*m.Limbs()])
								if !bytes.Equal(b, out[i][j*size:(j+1)*size]) {
									t.Fatal(op, "words and bytes differ")
								}
							}
						}
						if !bytes.Equal(out[0], out[1]) {
							t.Error(op, "differs")
						}
					}
					plain := func(f func(r bigmod.Ring, z, x, y *bigmod.Vec)) func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec {
						return func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec {
							z := r.NewVec(x.Len)
							r.ToMont(x, x)
							r.ToMont(y, y)
							f(r, z, x, y)
							r.FromMont(z, z)
							return z
						}
					}
					same("mul", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.Mul(z, x, y) }))
					same("sqr", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.Sqr(z, x) }))
					same("add", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.Add(z, x, y) }))
					same("sub", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.Sub(z, x, y) }))
					e := []byte{0xfe, 0x12, 0x34, 0x80}
					same("exp", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.Exp(z, x, e) }))
					same("expvar", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) { r.ExpVarTime(z, x, e) }))
					same("table", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) {
						tab := r.NewTable(vals[7].Bytes(), 45)
						ee := make([]byte, 6*n)
						lr := rand.New(rand.NewPCG(3, 4))
						for i := range ee {
							ee[i] = byte(lr.Uint32())
							if i%6 == 0 {
								ee[i] &= 0x1f
							}
						}
						tab.Exp(z, ee)
					}))
					same("mulat", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) {
						r.CopyAt(z, []int32{5, 0, 34, 3}, y, []int32{1, 1, 2, 3})
						r.CopyAt(z, []int32{6, 7, 8, 9, 10, 11, 12, 13, 14}, y, []int32{1, 1, 2, 3, 4, 7, 8, 9, 34})
						r.MulAt(z, []int32{6, 7, 8, 9, 10, 11, 12, 13, 14}, x, []int32{34, 1, 2, 3, 3, 1, 8, 9, 34})
					}))
					same("rpow", plain(func(r bigmod.Ring, z, x, y *bigmod.Vec) {
						nn := make([]uint32, n)
						for i := range nn {
							nn[i] = uint32(i * i * i)
						}
						for i := range nn {
							nn[i]++
						}
						if r == g {
							for i := range nn {
								nn[i] *= 0
							}
						}
						for i := range nn {
							nn[i] = 0
						}
						r.CopyAt(z, []int32{5}, x, []int32{4})
						r.MulRPow(z, nn)
					}))
					for limbs := range 2*m.Limbs() + 1 {
						if limbs > 3 && limbs < 2*m.Limbs()-2 && limbs%16 != 0 {
							continue
						}
						w := make([]uint64, n*limbs)
						for i := range w {
							w[i] = rng.Uint64()
							if i%3 == 0 || i/limbs%3 == 0 {
								w[i] = ^uint64(0)
							}
						}
						same("wide", func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec {
							r.SetWide(x, w, limbs)
							return x
						})
					}
					// chain with MulRPow
					same("chain", func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec {
						z := r.NewVec(n)
						r.Mul(z, x, y)
						for range 4 {
							r.Mul(z, z, y)
						}
						nn := make([]uint32, n)
						for i := range nn {
							nn[i] = 5
						}
						nn[8] = 0
						nn[9] = 5 + 70000
						r.MulRPow(z, nn)
						nn2 := []int32{0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13}
						o := r.NewVec(len(nn2))
						all := make([]int32, len(nn2))
						for i := range all {
							all[i] = int32(i)
						}
						r.CopyAt(o, all, z, nn2)
						return o
					})
					inv := func(r bigmod.Ring, x, y *bigmod.Vec) *bigmod.Vec {
						z := r.NewVec(n)
						if err := r.InverseVarTime(z, x); err != nil {
							t.Log(r.Name(), err)
							z.Len = 0
							z.Words = nil
							return z
						}
						return z
					}
					same("inv0", inv)
					vals[0] = big.NewInt(1)
					for i, v := range vals {
						for new(big.Int).GCD(nil, nil, v, mb).Cmp(big.NewInt(1)) != 0 {
							v = new(big.Int).Add(v, big.NewInt(1))
							v.Mod(v, mb)
						}
						vals[i] = v
					}
					same("inv", inv)
				})
			}
		}
	}
}
