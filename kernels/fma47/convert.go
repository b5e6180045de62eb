package fma47

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
