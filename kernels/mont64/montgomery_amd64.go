//go:build !purego

package mont64

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/cpu"
)

// supported says whether this machine has the instructions of the assembly, and why or why not.
func supported() (bool, string) {
	const what = "64-bit words with MULX, ADCX and ADOX"
	if why := cpu.Missing(cpuid.ADX, cpuid.BMI2, cpuid.AVX2); why != "" {
		return false, what + ": " + why
	}
	return true, what
}

// montgomery is the bigmod.Montgomery of the assembly.
type montgomery struct {
	m   []uint64
	inv uint64
}

func newMontgomery(m []uint64, inv uint64, assembly bool) bigmod.Montgomery {
	if !assembly {
		return bigmod.Portable(m, inv)
	}
	return &montgomery{m, inv}
}

func (a *montgomery) Mul(z, x, y, t []uint64) {
	n := len(a.m)
	x, y, t = x[:n], y[:n], t[:bigmod.MontgomeryScratch*n]
	raceRead(x)
	raceRead(y)
	raceWrite(t)
	product(t[:2*n], x, y, t[2*n:])
	a.Reduce(z, t)
}

func (a *montgomery) Sqr(z, x, t []uint64) {
	n := len(a.m)
	x, t = x[:n], t[:bigmod.MontgomeryScratch*n]
	raceRead(x)
	raceWrite(t)
	square(t[:2*n], x, t[2*n:])
	a.Reduce(z, t)
}

func (a *montgomery) Reduce(z, t []uint64) {
	n := len(a.m)
	z, t = z[:n], t[:2*n]
	raceWrite(t)
	raceWrite(z)
	reduceADX(&z[0], &t[0], &a.m[0], a.inv, n)
}

func (a *montgomery) Select(z, table []uint64, d uint64) {
	n := len(a.m)
	z = z[:n]
	raceRead(table)
	raceWrite(z)
	selectAVX2(&z[0], &table[0], d, uint64(len(table)/n), n)
}
