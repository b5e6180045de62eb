package csvio

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"testing"

	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/io/column"
)

// table returns a CSV file of rows like those of an expression table.
func table(rows int, quoted bool) []byte {
	var b bytes.Buffer
	b.WriteString("gene,name,tissue,tpm,ptpm,nx\n")
	for i := range rows {
		if quoted {
			fmt.Fprintf(&b, "\"ENSG%011d\",\"GENE%d\",\"liver\",%d.%d,%d.%d,%d\n", i, i%997, i%313, i%10, i%1013, i%10, i%7)
		} else {
			fmt.Fprintf(&b, "ENSG%011d,GENE%d,liver,%d.%d,%d.%d,%d\n", i, i%997, i%313, i%10, i%1013, i%10, i%7)
		}
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	for _, bench := range []struct {
		name    string
		data    []byte
		columns []string
	}{
		{"plain", table(200000, false), nil},
		{"plain/2of6", table(200000, false), []string{"gene", "tpm"}},
		{"quoted", table(200000, true), nil},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var fs blobtest.Mem
			fs.Put("t.csv", bench.data)
			b.SetBytes(int64(len(bench.data)))
			for b.Loop() {
				r, err := Open(context.Background(), &fs, "t.csv", column.ReadOptions{Columns: bench.columns})
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
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStdlib is encoding/csv on the same table, without building columns.
func BenchmarkStdlib(b *testing.B) {
	data := table(200000, false)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(data))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
