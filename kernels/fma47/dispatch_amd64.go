//go:build !purego

package fma47

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/internal/cpu"
)

// supported says whether this machine has the instructions of the assembly and an operating system that saves their
// registers, and why or why not.
func supported() (bool, string) {
	if why := cpu.Missing(cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.MOVBE); why != "" {
		return false, what + ": " + why
	}
	return true, what
}

func (m *modulus) product(t, x, y []float64) {
	t = m.columns(t)
	if !m.assembly {
		productGeneric(t, x, y, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, y)
	productFMA(&t[0], &x[0], &y[0], &m.consts[0], m.n)
}

func (m *modulus) productAdd(t, x, y []float64) {
	t = m.columns(t)
	if !m.assembly {
		productAddGeneric(t, x, y, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, y)
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
	product2FMA(&t[0], &x[0], &y[0], &u[0], &v[0], &m.consts[0], m.n)
}

func (m *modulus) square(t, x, twice []float64) {
	t = m.columns(t)
	if !m.assembly {
		squareGeneric(t, x, twice, m.consts, m.n, m.lanes)
		return
	}
	m.tell(t[:2*m.n*m.lanes], x, twice)
	squareFMA(&t[0], &x[0], &twice[0], &m.consts[0], m.n)
}

func (m *modulus) reduce(z, t, q []float64) {
	if !m.assembly {
		reduceGeneric(z, t, q, m.multiple, m.m, m.consts, m.n, m.lanes)
		return
	}
	raceRead(words(t[:(2+2*m.n)*m.lanes]))
	m.tell(z[:m.n*m.lanes])
	reduceFMA(&z[0], &m.columns(t)[0], &q[0], &m.multiple[0], &m.m[0], &m.consts[0], m.n)
}

func (m *modulus) reducePair(z, t, q, quotient, consts []float64) {
	if !m.assembly {
		reducePairGeneric(z, t, q, quotient, m.multiple, m.m, consts, m.n, m.lanes)
		return
	}
	raceRead(words(t[:(2+2*m.n)*m.lanes]))
	m.tell(z[:m.n*m.lanes])
	reducePairFMA(&z[0], &m.columns(t)[0], &q[0], &quotient[0], &m.multiple[0], &m.m[0], &consts[0], m.n)
}

// tell tells the race detector of what the assembly writes and of the numbers that it reads.
func (m *modulus) tell(written []float64, read ...[]float64) {
	raceWrite(words(written))
	for _, x := range read {
		raceRead(words(x[:m.n*m.lanes]))
	}
}

// limit executes 16·rounds products of limbs on registers only.
func (k kernel) limit(rounds int) { limitFMA(rounds) }
