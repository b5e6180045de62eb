//go:build purego || !amd64

package mont64

import "github.com/cipherfold/cipherfold/bigmod"

func supported() (bool, string) {
	return false, "64-bit words with MULX, ADCX and ADOX: this program was built without its assembly (another architecture, or the build tag purego)"
}

func newMontgomery(m []uint64, inv uint64, _ bool) bigmod.Montgomery { return bigmod.Portable(m, inv) }
