package privacy

import (
	"errors"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/codec"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// errNoiseBeyond says that noise exceeded its tail, which happens with a probability below 2^-64 for a whole table.
// Giving up is no loss of privacy: it depends on the value with its noise alone.
var errNoiseBeyond = errors.New("noise came out so large that it does not fit; run the same command again")

// Adder adds noise, for one worker.
type Adder struct {
	*Noise
	random *noise.Random
}

// Adder returns one worker's adder; nil without noise.
func (n *Noise) Adder() *Adder {
	if n == nil {
		return nil
	}
	return &Adder{n, noise.NewRandom()}
}

// Add returns v with the noise of a quantity.
func (a *Adder) Add(quantity int, v codec.Int) (codec.Int, error) {
	x := &a.Per[quantity]
	if x.Distribution == nil {
		return v, nil
	}
	sum := v.Add(x.Distribution.Draw(a.random))
	if x.Limit != nil && slots.Exceeds(sum, x.Limit) {
		return codec.Int{}, errNoiseBeyond
	}
	return sum, nil
}

// AddAll adds noise to the sums of records; sums[quantity][record].
func (a *Adder) AddAll(sums [][]codec.Int) error {
	for q := range sums {
		for record, v := range sums[q] {
			var err error
			if sums[q][record], err = a.Add(q, v); err != nil {
				return err
			}
		}
	}
	return nil
}
