//go:build purego || !amd64

package mont52

func supported() (bool, string) {
	return false, "8 lanes of 52-bit limbs with AVX-512 IFMA: this program was built without its assembly (another architecture, or the build tag purego)"
}

func (r *ring) product(sums, x, y []uint64, _ *uint64) { productGeneric(sums, x, y, r.k) }

func (r *ring) productAdd(sums, x, y []uint64) { productAddGeneric(sums, x, y, r.k) }

func (p *pairing) reduceQuotient(z, quotient, sums []uint64) {
	r := p.root
	reduceQuotientGeneric(z, quotient, sums, r.m, r.long, r.short, p.longDigits, p.shortDigits, p.half, r.inv, r.k)
}

func (r *ring) normalize(z, sums []uint64, k int) { normalizeGeneric(z, sums, k) }

func (r *ring) double(z, x []uint64) { doubleGeneric(z, x, r.k) }

func (r *ring) square(sums, x []uint64) { squareGeneric(sums, x, r.k) }

func (r *ring) reduce(z, sums []uint64) {
	reduceGeneric(z, sums, r.m, r.long, r.short, r.inv, r.k)
}

func (r *ring) add(z, x, y []uint64) { addGeneric(z, x, y, r.m, r.k) }

func (r *ring) sub(z, x, y []uint64) { subGeneric(z, x, y, r.m, r.k) }

func (r *ring) below(x []uint64) uint64 { return belowGeneric(x, r.m, r.k) }

func (r *ring) canonical(z, x []uint64) { canonicalGeneric(z, x, r.m, r.k) }

func (r *ring) fromBytes(z []uint64, be []byte, size int) { fromBytesGeneric(z, be, size, r.k) }

func (r *ring) toBytes(be []byte, x []uint64, size int) { toBytesGeneric(be, x, size, r.k) }

func (r *ring) fromWords(z, w []uint64, n, k int) { fromWordsGeneric(z, w, n, k) }

func (r *ring) toWords(w, x []uint64, n int) { toWordsGeneric(w, x, n, r.k) }

func (r *ring) gather(z, x []uint64, at *[lanes]int32) { gatherGeneric(z, x, at, r.k) }

func (r *ring) scatter(z []uint64, at *[lanes]int32, n int, x []uint64) {
	scatterGeneric(z, at, n, x, r.k)
}

func (r *ring) selectGroup(z, table []uint64, d uint64, width int) {
	selectGeneric(z, table, d, width, r.k)
}

// lookup looks up groups z with the indices d, one group after the other.
func (r *ring) lookup(z, table, d []uint64, width int) {
	for g := range len(d) / lanes {
		lookupGeneric(r.group(z, g), table, d[g*lanes:], width, r.k)
	}
}

// MultiplyBurst has no instruction to execute here.
func MultiplyBurst() int64 { return 0 }
