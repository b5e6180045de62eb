//go:build purego || !amd64

package fma47

func supported(lanes int) (bool, string) {
	return false, what(lanes) + ": this program was built without its assembly (another architecture, or the build tag purego)"
}

func (kernel) burst() int64 { return 0 }

func (m *modulus) product(t, x, y []float64) {
	productGeneric(m.columns(t), x, y, m.consts, m.n, m.lanes)
}

func (m *modulus) productAdd(t, x, y []float64) {
	productAddGeneric(m.columns(t), x, y, m.consts, m.n, m.lanes)
}

func (m *modulus) product2(t, x, y, u, v []float64) {
	product2Generic(m.columns(t), x, y, u, v, m.consts, m.n, m.lanes)
}

func (m *modulus) square(t, x, twice []float64) {
	squareGeneric(m.columns(t), x, twice, m.consts, m.n, m.lanes)
}

func (m *modulus) reduce(z, t, q []float64) {
	reduceGeneric(z, t, q, m.multiple, m.m, m.consts, m.n, m.lanes)
}

func (m *modulus) reducePair(z, t, q, quotient, consts []float64) {
	reducePairGeneric(z, t, q, quotient, m.multiple, m.m, consts, m.n, m.lanes)
}

func (k *modulus) fromBytes(z []float64, be []byte, m []uint64, size, n int) uint64 {
	return fromBytesGeneric(z, be, m, size, n, k.w, k.lanes)
}

func (k *modulus) fromWords(z []float64, w []uint64, size, bit, n int) {
	fromWordsGeneric(z, w, size, bit, n, k.w, k.lanes)
}

func (k *modulus) canonical(z []uint64, x []float64, m []uint64, n int) {
	canonicalGeneric(z, x, m, n, k.w, k.lanes)
}

func (k *modulus) toBytes(be []byte, x []uint64, size, n int) {
	toBytesGeneric(be, x, size, n, k.w, k.lanes)
}

func (k *modulus) toWords(w, x []uint64, size, n int) {
	toWordsGeneric(w, x, size, n, k.w, k.lanes)
}

func (k *modulus) selectNumber(z, table []uint64, d uint64, width, n int) {
	selectGeneric(z, table, d, width, n)
}

func (k *modulus) lookup(z, table, d []uint64, width, n int) {
	lookupGeneric(z, table, d, width, n, k.lanes)
}
