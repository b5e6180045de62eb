package biobank

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/vcfio"
)

// truth is the plain answer: per variant, the alternative and the called alleles of all owners.
type truth struct{ ac, an []int32 }

// chromosomes that the variants are spread over.
const chromosomes = 22

// missingPerMille is how many calls in a thousand are missing.
const missingPerMille = 5

// writeCohort writes one owner's VCF file, compressed as by bgzip, and adds its counts to the truth. The variants and
// their frequencies are the same for every owner; the people who have them are not.
func (o *Options) writeCohort(ctx context.Context, name string, owner int, t *truth) error {
	f, err := blob.Local{}.Create(ctx, name, blob.CreateOptions{})
	if err != nil {
		return err
	}
	defer f.Abort()
	buffered := bufio.NewWriterSize(f, 1<<20)
	zip := vcfio.NewBlockWriter(buffered)
	if err := o.writeVCF(ctx, zip, owner, t); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return f.Commit(ctx)
}

func (o *Options) writeVCF(ctx context.Context, w io.Writer, owner int, t *truth) error {
	header := "##fileformat=VCFv4.2\n##source=cipherfold bench biobank\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
	for i := range o.Samples {
		header += fmt.Sprintf("\tB%02d_%06d", owner+1, i+1)
	}
	if _, err := io.WriteString(w, header+"\n"); err != nil {
		return err
	}
	variants := rand.New(rand.NewPCG(o.Seed, 0))             // the same for all owners
	people := rand.New(rand.NewPCG(o.Seed, uint64(owner)+1)) // this owner's
	const bases = "ACGT"
	genotypes := [4]string{"\t0/0", "\t0/1", "\t1/1", "\t./."}
	var line []byte
	pos := 0
	for v := range o.Variants {
		if v%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		chrom := v * chromosomes / o.Variants
		if v > 0 && chrom != (v-1)*chromosomes/o.Variants {
			pos = 0
		}
		pos += 1 + variants.IntN(200)
		ref := variants.IntN(4)
		alt := (ref + 1 + variants.IntN(3)) % 4
		// Frequencies from 0.0005 to 0.5, each order of magnitude as common as the next: most variants are rare.
		frequency := 0.5 * math.Exp(-variants.Float64()*math.Log(1000))
		carriers := [2]uint32{uint32(frequency * frequency * (1 << 32)), uint32((frequency*frequency + 2*frequency*(1-frequency)) * (1 << 32))}
		line = strconv.AppendInt(line[:0], int64(chrom+1), 10)
		line = strconv.AppendInt(append(line, '\t'), int64(pos), 10)
		line = append(line, "\t.\t"...)
		line = append(line, bases[ref], '\t', bases[alt])
		line = append(line, "\t.\tPASS\t.\tGT"...)
		for range o.Samples {
			random := people.Uint64()
			genotype := 0
			switch x := uint32(random); {
			case random>>32%1000 < missingPerMille:
				genotype = 3
			case x < carriers[0]:
				genotype = 2
			case x < carriers[1]:
				genotype = 1
			}
			line = append(line, genotypes[genotype]...)
			if genotype < 3 {
				t.ac[v] += int32(genotype)
				t.an[v] += 2
			}
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
