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

// twoFirst says which order of instructions is the faster one here; see _asm.
func twoFirst() bool { return cpuid.CPU.VendorID == cpuid.Intel }

// montgomery is the bigmod.Montgomery of the assembly.
type montgomery struct {
	m     []uint64
	inv   uint64
	byTwo bool // the functions whose names end in 2
}

func newMontgomery(m []uint64, inv uint64, assembly bool) bigmod.Montgomery {
	if !assembly {
		return bigmod.Portable(m, inv)
	}
	return &montgomery{m, inv, twoFirst()}
}

func (a *montgomery) Product(t, x, y, s []uint64) {
	n := len(a.m)
	t, x, y, s = t[:2*n], x[:n], y[:n], s[:2*n]
	raceRead(x)
	raceRead(y)
	raceWrite(t)
	raceWrite(s)
	a.product(t, x, y, s)
}

func (a *montgomery) Square(t, x, s []uint64) {
	n := len(a.m)
	t, x, s = t[:2*n], x[:n], s[:2*n]
	raceRead(x)
	raceWrite(t)
	raceWrite(s)
	a.square(t, x, s)
}

func (a *montgomery) Reduce(z, t []uint64) uint64 {
	n := len(a.m)
	z, t = z[:n], t[:2*n]
	raceWrite(t)
	raceWrite(z)
	if a.byTwo {
		return reduceADX2(&z[0], &t[0], &a.m[0], a.inv, n)
	}
	return reduceADX(&z[0], &t[0], &a.m[0], a.inv, n)
}

func (a *montgomery) Select(z, table []uint64, d uint64) {
	raceRead(table)
	raceWrite(z)
	selectAVX2(&z[0], &table[0], d, uint64(len(table)/len(z)), len(z))
}
