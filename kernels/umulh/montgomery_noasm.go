//go:build purego || !arm64

package umulh

import "github.com/cipherfold/cipherfold/bigmod"

func supported() (bool, string) {
	return false, what + ": this program was built without its assembly (another architecture, or the build tag purego)"
}

func newMontgomery(m []uint64, inv uint64) bigmod.Montgomery { return bigmod.Portable(m, inv) }
