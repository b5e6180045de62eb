package job

import (
	"errors"

	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// errNoiseBeyond says that noise came out beyond its tail, which happens with a probability below 2^-64 for a whole table.
// Giving up is no loss of privacy: it depends on the value with its noise alone.
var errNoiseBeyond = errors.New("noise came out so large that it does not fit; run the same command again")

// noiseAdder adds noise, for one worker.
type noiseAdder struct {
	*noising
	random *noise.Random
}

// adder returns one worker's adder; nil without noise.
func (n *noising) adder() *noiseAdder {
	if n == nil {
		return nil
	}
	return &noiseAdder{n, noise.NewRandom()}
}

// add returns v with the noise of a quantity.
func (a *noiseAdder) add(quantity int, v codec.Int) (codec.Int, error) {
	x := &a.per[quantity]
	if x.distribution == nil {
		return v, nil
	}
	sum := v.Add(x.distribution.Draw(a.random))
	if x.limit != nil && exceeds(sum, x.limit) {
		return codec.Int{}, errNoiseBeyond
	}
	return sum, nil
}

// addAll adds noise to the sums of records; sums[quantity][record].
func (a *noiseAdder) addAll(sums [][]codec.Int) error {
	for q := range sums {
		for record, v := range sums[q] {
			var err error
			if sums[q][record], err = a.add(q, v); err != nil {
				return err
			}
		}
	}
	return nil
}
