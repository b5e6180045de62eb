package ringlwe

import (
	"fmt"
	"testing"
)

// perValue reports nanoseconds for each value of a block.
func perValue(b *testing.B, values int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(values), "ns/value")
}

func BenchmarkEncrypt(b *testing.B) {
	for _, s := range Sets() {
		b.Run(s.Name, func(b *testing.B) {
			random := NewStream()
			e := s.NewKey(random).NewEncryptor(s.NewPublic("bench", 1), random)
			q, _ := NewQuantizer(1, min(16, s.FieldBits()-4))
			g := make([]float32, s.Capacity())
			for i := range g {
				g[i] = float32(i%100)/100 - .5
			}
			values, block := make([]int64, s.Capacity()), make([]byte, s.BlockBytes())
			head := Head{1, q.Largest()}
			b.Run("all", func(b *testing.B) {
				for i := range b.N {
					q.Float32(values, g, random)
					if err := e.Encrypt(block, uint64(i), head, values); err != nil {
						b.Fatal(err)
					}
				}
				perValue(b, s.Capacity())
			})
			part := func(name string, f func(i int)) {
				b.Run(name, func(b *testing.B) {
					for i := range b.N {
						f(i)
					}
					perValue(b, s.Capacity())
				})
			}
			part("quantise", func(int) { q.Float32(values, g, random) })
			part("noise", func(int) {
				random.words(e.noise)
			})
			part("encode", func(int) { s.encode(e.m, e.slots, e.noise) })
			part("public", func(i int) { e.public.element(e.a, uint64(i)) })
			part("transform", func(int) {
				for k, r := range s.rings {
					for j := range e.m {
						e.m[j] &= 1<<40 - 1
					}
					r.forward(e.m[k*s.Degree : (k+1)*s.Degree])
				}
			})
			part("product", func(int) { s.rings[0].addProduct(e.m[:s.Degree], e.a[:s.Degree], e.key.transformed[0]) })
			part("pack", func(int) { pack(block, e.m, s.residueBits()) })
		})
	}
}

func BenchmarkFuse(b *testing.B) {
	for _, s := range Sets() {
		for _, members := range []int{6, 50} {
			b.Run(fmt.Sprintf("%s/%d", s.Name, members), func(b *testing.B) {
				random := NewStream()
				e := s.NewKey(random).NewEncryptor(s.NewPublic("bench", 1), random)
				blocks := make([][]byte, members)
				for i := range blocks {
					blocks[i] = make([]byte, s.BlockBytes())
					if err := e.Encrypt(blocks[i], uint64(i), Head{1, 1}, nil); err != nil {
						b.Fatal(err)
					}
				}
				sum, out := s.NewSum(), make([]byte, s.BlockBytes())
				b.SetBytes(int64(members * s.BlockBytes()))
				for range b.N {
					sum.Reset()
					for _, block := range blocks {
						if err := sum.Add(block, 1); err != nil {
							b.Fatal(err)
						}
					}
					sum.Bytes(out)
				}
				perValue(b, s.Capacity()*members)
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, s := range Sets() {
		b.Run(s.Name, func(b *testing.B) {
			random := NewStream()
			key, public := s.NewKey(random), s.NewPublic("bench", 1)
			block := make([]byte, s.BlockBytes())
			if err := key.NewEncryptor(public, random).Encrypt(block, 0, Head{1, 1}, nil); err != nil {
				b.Fatal(err)
			}
			o, values := s.NewOpener(public, key.coefficients), make([]int64, s.Capacity())
			for range b.N {
				if _, err := o.Open(values, 0, block, 1); err != nil {
					b.Fatal(err)
				}
			}
			perValue(b, s.Capacity())
		})
	}
}

func BenchmarkMasks(b *testing.B) {
	m, err := NewMasks(0, make([][16]byte, 6))
	if err != nil {
		b.Fatal(err)
	}
	values := make([]uint32, 1<<16)
	for range b.N {
		m.Mask(values)
	}
	perValue(b, len(values))
}
