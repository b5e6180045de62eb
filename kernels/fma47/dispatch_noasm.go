//go:build purego || !amd64

package fma47

func supported() (bool, string) {
	return false, what + ": this program was built without its assembly (another architecture, or the build tag purego)"
}

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
