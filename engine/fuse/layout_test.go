package fuse

import (
	"testing"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// What was computed from a table that does not say that its randomizers are powers of hs may have any others.
func TestFuseRandomizers(t *testing.T) {
	inputs := func(said ...string) (list []enctable.Input) {
		for _, s := range said {
			list = append(list, enctable.Input{Table: &ctfile.Table{Variant: "djn", Randomizers: s}, Weight: 1})
		}
		return list
	}
	const own = ctfile.RandomizersOwn
	for _, test := range []struct {
		inputs []enctable.Input
		want   paillier.Randomizers
	}{
		{inputs(own), paillier.OwnRandomizers}, {inputs(own, own, own), paillier.OwnRandomizers}, {inputs(""), paillier.AnyRandomizers},
		{inputs("", own), paillier.AnyRandomizers}, {inputs(own, own, ""), paillier.AnyRandomizers},
	} {
		if got := fuseRandomizers(test.inputs); got != test.want {
			t.Errorf("%d inputs: %q, want %q", len(test.inputs), got, test.want)
		}
	}
	if string(paillier.OwnRandomizers) != own {
		t.Errorf("a footer says %q, the arithmetic %q", own, paillier.OwnRandomizers)
	}
}
