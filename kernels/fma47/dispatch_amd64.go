//go:build !purego

package fma47

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// supported says whether this machine has the instructions of the assembly for so many lanes and an operating system that
// saves their registers, and why or why not.
func supported(lanes int) (bool, string) {
	why := cpu.Missing(cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.MOVBE)
	if lanes == wide && why == "" {
		why = cpu.Missing(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512VL)
	}
	if why != "" {
		return false, what(lanes) + ": " + why
	}
	return true, what(lanes)
}

func (m *modulus) product(t, x, y []float64) {
	t = m.columns(t)
	if !m.assembly {
		productGeneric(t, x, y, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, y)
	if m.lanes == wide {
		productFMA512(&t[0], &x[0], &y[0], &m.consts[0], m.n)
		return
	}
	productFMA(&t[0], &x[0], &y[0], &m.consts[0], m.n)
}

func (m *modulus) productAdd(t, x, y []float64) {
	t = m.columns(t)
	if !m.assembly {
		productAddGeneric(t, x, y, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, y)
	if m.lanes == wide {
		productAddFMA512(&t[0], &x[0], &y[0], &m.consts[0], m.n)
		return
	}
	productAddFMA(&t[0], &x[0], &y[0], &m.consts[0], m.n)
}

func (m *modulus) product2(t, x, y, u, v []float64) {
	t = m.columns(t)
	if !m.assembly {
		product2Generic(t, x, y, u, v, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, y)
	m.tell(nil, u, v)
	if m.lanes == wide {
		product2FMA512(&t[0], &x[0], &y[0], &u[0], &v[0], &m.consts[0], m.n)
		return
	}
	product2FMA(&t[0], &x[0], &y[0], &u[0], &v[0], &m.consts[0], m.n)
}

func (m *modulus) square(t, x, twice []float64) {
	t = m.columns(t)
	if !m.assembly {
		squareGeneric(t, x, twice, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, twice)
	if m.lanes == wide {
		squareFMA512(&t[0], &x[0], &twice[0], &m.consts[0], m.n)
		return
	}
	squareFMA(&t[0], &x[0], &twice[0], &m.consts[0], m.n)
}

func (m *modulus) reduce(z, t, q []float64) {
	if !m.assembly {
		reduceGeneric(z, t, q, m.multiple, m.m, m.consts, m.n, m.lanes)
		return
	}
	raceRead(words(t[:(2+2*m.n)*m.lanes]))
	m.tell(z[:m.n*m.lanes])
	if m.lanes == wide {
		reduceFMA512(&z[0], &m.columns(t)[0], &q[0], &m.multiple[0], &m.m[0], &m.consts[0], m.n)
		return
	}
	reduceFMA(&z[0], &m.columns(t)[0], &q[0], &m.multiple[0], &m.m[0], &m.consts[0], m.n)
}

func (m *modulus) reducePair(z, t, q, quotient, consts []float64) {
	if !m.assembly {
		reducePairGeneric(z, t, q, quotient, m.multiple, m.m, consts, m.n, m.lanes)
		return
	}
	raceRead(words(t[:(2+2*m.n)*m.lanes]))
	m.tell(z[:m.n*m.lanes])
	if m.lanes == wide {
		reducePairFMA512(&z[0], &m.columns(t)[0], &q[0], &quotient[0], &m.multiple[0], &m.m[0], &consts[0], m.n)
		return
	}
	reducePairFMA(&z[0], &m.columns(t)[0], &q[0], &quotient[0], &m.multiple[0], &m.m[0], &consts[0], m.n)
}

// wordBytes is the shortest row that the conversions of the assembly read.
const wordBytes = 8

func (m *modulus) fromBytes(z []float64, be []byte, fields []uint64, size, n int) uint64 {
	if !m.assembly || size < wordBytes {
		return fromBytesGeneric(z, be, fields, size, n, m.w, m.lanes)
	}
	raceRead(be[:m.lanes*size])
	raceWrite(z[:m.lanes*n])
	if m.lanes == wide {
		below := fromBytesHalf(&z[0], &be[0], &fields[0], &m.consts[0], size, n, m.w)
		return below | fromBytesHalf(&z[half], &be[half*size], &fields[0], &m.consts[0], size, n, m.w)<<half
	}
	return fromBytesFMA(&z[0], &be[0], &fields[0], &m.consts[0], size, n, m.w)
}

// fromWords reads n limbs from a bit on of values of size words.
func (m *modulus) fromWords(z []float64, w []uint64, size, bit, n int) {
	if !m.assembly {
		fromWordsGeneric(z, w, size, bit, n, m.w, m.lanes)
		return
	}
	raceRead(w[:m.lanes*size])
	raceWrite(z[:m.lanes*n])
	if m.lanes == wide {
		fromWordsHalf(&z[0], &w[0], &m.consts[0], wordBytes*size, bit, n, m.w)
		fromWordsHalf(&z[half], &w[half*size], &m.consts[0], wordBytes*size, bit, n, m.w)
		return
	}
	fromWordsFMA(&z[0], &w[0], &m.consts[0], wordBytes*size, bit, n, m.w)
}

func (m *modulus) canonical(z []uint64, x []float64, fields []uint64, n int) {
	if !m.assembly {
		canonicalGeneric(z, x, fields, n, m.w, m.lanes)
		return
	}
	raceRead(x[:m.lanes*n])
	raceWrite(z[:m.lanes*n])
	if m.lanes == wide {
		canonicalHalf(&z[0], &x[0], &fields[0], n, m.w)
		canonicalHalf(&z[half], &x[half], &fields[0], n, m.w)
		return
	}
	canonicalFMA(&z[0], &x[0], &fields[0], n, m.w)
}

func (m *modulus) toBytes(be []byte, x []uint64, size, n int) {
	if !m.assembly || size%wordBytes != 0 {
		toBytesGeneric(be, x, size, n, m.w, m.lanes)
		return
	}
	raceRead(x[:m.lanes*n])
	raceWrite(be[:m.lanes*size])
	if m.lanes == wide {
		toBytesHalf(&be[0], &x[0], size, n, m.w)
		toBytesHalf(&be[half*size], &x[half], size, n, m.w)
		return
	}
	toBytesFMA(&be[0], &x[0], size, n, m.w)
}

func (m *modulus) toWords(w, x []uint64, size, n int) {
	if !m.assembly {
		toWordsGeneric(w, x, size, n, m.w, m.lanes)
		return
	}
	raceRead(x[:m.lanes*n])
	raceWrite(w[:m.lanes*size])
	if m.lanes == wide {
		toWordsHalf(&w[0], &x[0], wordBytes*size, n, m.w)
		toWordsHalf(&w[half*size], &x[half], wordBytes*size, n, m.w)
		return
	}
	toWordsFMA(&w[0], &x[0], wordBytes*size, n, m.w)
}

// selectNumber sets z to number d of the table, of n words each.
func (m *modulus) selectNumber(z, table []uint64, d uint64, width, n int) {
	if !m.assembly {
		selectGeneric(z, table, d, width, n)
		return
	}
	raceRead(table[:n<<width])
	raceWrite(z[:n])
	selectFMA(&z[0], &table[0], d, 1<<width, n/half)
}

// lookup looks up groups z with the indices d.
func (m *modulus) lookup(z, table, d []uint64, width, k int) {
	if !m.assembly {
		lookupGeneric(z, table, d, width, k, m.lanes)
		return
	}
	raceRead(table[:k<<width])
	raceRead(d)
	raceWrite(z[:len(d)*k])
	if m.lanes == wide {
		lookupHalf(&z[0], &table[0], &d[0], 1<<width, k, len(d)/wide)
		lookupHalf(&z[half], &table[0], &d[half], 1<<width, k, len(d)/wide)
		return
	}
	lookupFMA(&z[0], &table[0], &d[0], 1<<width, k, len(d)/m.lanes)
}

// tell tells the race detector of what the assembly writes and of the numbers that it reads.
func (m *modulus) tell(written []float64, read ...[]float64) {
	raceWrite(words(written))
	for _, x := range read {
		raceRead(words(x[:m.n*m.lanes]))
	}
}

// limit executes 16·rounds products of limbs on registers only.
func (k kernel) limit(rounds int) {
	if k.lanes == wide {
		limitFMA512(rounds)
		return
	}
	limitFMA(rounds)
}

// half is the lanes of half a vector of wide ones, which is a vector of narrow ones.
const half = wide / 2

// burst computes products of limbs on registers only, for some microseconds, and returns how many, counted in all lanes.
func (k kernel) burst() (products int64) {
	const rounds = 500
	k.limit(rounds)
	return 16 * rounds * int64(k.lanes)
}
