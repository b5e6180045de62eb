//go:build !purego

package umulh

import "testing"

func TestAssemblyIsUsed(t *testing.T) {
	i := Implementation()
	if !i.Available {
		t.Fatal("not available on arm64:", i.Why)
	}
	if a, ok := newMontgomery([]uint64{1, 0, 0, 0, 0, 0, 0, 0}, 0).(*montgomery); !ok {
		t.Errorf("the arithmetic is a %T", a)
	}
}
