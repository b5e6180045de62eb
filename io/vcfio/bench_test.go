package vcfio_test

import (
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/vcfio"
	"github.com/cipherfold/cipherfold/io/vcfio/vcfiotest"
)

// Bytes of text per second, on one thread; compressed: of the text inside.
func BenchmarkRead(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	plain := vcfiotest.Random(rng, vcfiotest.Shape{Samples: vcfiotest.Names("S", 1000), Records: 2000, Plain: true})
	narrow := vcfiotest.Random(rng, vcfiotest.Shape{Samples: vcfiotest.Names("S", 20), Records: 60000, Plain: true})
	fields := vcfiotest.Random(rng, vcfiotest.Shape{Samples: vcfiotest.Names("S", 1000), Records: 2000, Fields: true, Missing: true, Multiallelic: true})
	for _, c := range []struct {
		name, text, content string
		o                   vcfio.Options
	}{
		{"counts", plain, plain, vcfio.Options{}},
		{"counts/bgzip", plain, bgzip(b, plain), vcfio.Options{}},
		{"counts/20samples", narrow, narrow, vcfio.Options{}},
		{"counts/fields", fields, fields, vcfio.Options{}},
		{"dosages", plain, plain, vcfio.Options{PerSample: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			fs := &blobtest.Mem{}
			fs.Put("a.vcf", []byte(c.content))
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				r, err := vcfio.Open(context.Background(), fs, "a.vcf", c.o, column.ReadOptions{})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batch, err := r.Read(context.Background())
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					batch.Release()
				}
				r.Close()
			}
		})
	}
}
