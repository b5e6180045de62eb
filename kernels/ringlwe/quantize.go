package ringlwe

import (
	"errors"
	"fmt"
	"math"
)

// Quantizer makes integers of real numbers: g is clipped to [-Clip, Clip], multiplied by L/Clip with L = 2^(bits-1)-1, and
// rounded at random to one of the two integers next to it, so that on average nothing is lost. The result is multiplied by a
// weight.
//
// A number is between -L and L then. Its expectation is L/Clip·g, up to 2^-32. Averages of many members with weights w that
// are 1 in all have errors of at most Clip/L, and a variance of at most Σw²·(Clip/L)²/4.
type Quantizer struct {
	clip   float64
	bits   int
	shrink float64 // of the numbers before they are clipped, 1 for none
	weight int64
}

// QuantizerBitsMax is the most bits that a quantised number has.
const QuantizerBitsMax = 30

// NewQuantizer returns a Quantizer of weight 1. clip is finite and positive; bits are 2 to QuantizerBitsMax.
func NewQuantizer(clip float64, bits int) (*Quantizer, error) {
	if bits < 2 || bits > QuantizerBitsMax {
		return nil, fmt.Errorf("%d bits: there can be 2 to %d", bits, QuantizerBitsMax)
	}
	if !(clip >= 1e-30 && clip <= 1e30) {
		return nil, fmt.Errorf("clip at %g: it must be between 1e-30 and 1e30", clip)
	}
	return &Quantizer{clip: clip, bits: bits, shrink: 1, weight: 1}, nil
}

// Weigh sets the weight, 1 to 2^31.
func (q *Quantizer) Weigh(weight int64) error {
	if weight < 1 || weight > 1<<31 {
		return fmt.Errorf("weight %d: it must be 1 to 2^31", weight)
	}
	q.weight = weight
	return nil
}

// ErrNorm says that the length of a vector is no number, so that the vector cannot be shrunk to a given one.
var ErrNorm = errors.New("the L2 norm is not finite")

// Shrink makes vectors of the given L2 norm no longer than `longest`, in the same direction: all numbers are multiplied by
// min(1, longest/norm) before they are clipped.
func (q *Quantizer) Shrink(norm, longest float64) error {
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return ErrNorm
	}
	q.shrink = 1
	if norm > longest {
		q.shrink = longest / norm
	}
	return nil
}

// Largest is L, the largest magnitude of a quantised number before it is weighed.
func (q *Quantizer) Largest() int64 { return 1<<(q.bits-1) - 1 }

// Step is Clip/L: the number that 1 stands for.
func (q *Quantizer) Step() float64 { return q.clip / float64(q.Largest()) }

// fraction is how many bits behind the point decide the rounding.
const fraction = 32

// Float64 quantises finite numbers; dst is as long as g.
func (q *Quantizer) Float64(dst []int64, g []float64, random *Stream) {
	checkLen("numbers", len(g), len(dst))
	c := q.constants()
	inChunks(len(dst), random, func(from, to int, words []uint64) { c.float64s(dst[from:to], g[from:to], words) })
}

// Float32 quantises finite numbers; dst is as long as g.
func (q *Quantizer) Float32(dst []int64, g []float32, random *Stream) {
	checkLen("numbers", len(g), len(dst))
	c := q.constants()
	inChunks(len(dst), random, func(from, to int, words []uint64) { c.float32s(dst[from:to], g[from:to], words) })
}

// inChunks calls f for some numbers after the others, with 32 random bits for each.
func inChunks(n int, random *Stream, f func(from, to int, words []uint64)) {
	var words [256]uint64
	for from := 0; from < n; from += 2 * len(words) {
		to := min(n, from+2*len(words))
		u := words[:(to-from+1)/2]
		random.words(u)
		f(from, to, u)
	}
	clear(words[:])
}

func (c *scaling) float64sGeneric(dst []int64, g []float64, words []uint64) {
	for i, x := range g {
		dst[i] = c.quantize(math.Float64bits(x))
	}
	c.round(dst, words)
}

func (c *scaling) float32sGeneric(dst []int64, g []float32, words []uint64) {
	for i, x := range g {
		// Widen by integers: a conversion of a denormal number could take longer than others. Such a number becomes 0.
		b := uint64(math.Float32bits(x))
		magnitude := b & (1<<31 - 1)
		normal := uint64(int64(1<<23-1-magnitude) >> 63)
		dst[i] = c.quantize(b>>31<<63 | (magnitude<<29+(1023-127)<<52)&normal)
	}
	c.round(dst, words)
}

// scaling are the constants of a Quantizer.
type scaling struct {
	high, low uint64  // bits of the magnitudes at which numbers are clipped, and below which they are 0
	factor    float64 // from numbers to fixed point
	largest   int64   // in fixed point
	weight    int64

	ifma   bool      // whether the assembly is used
	vector [5]uint64 // what it reads: all of the above, in that order
}

func (q *Quantizer) constants() *scaling {
	high := q.clip / q.shrink
	c := &scaling{
		high:    math.Float64bits(high),
		low:     math.Float64bits(high * 0x1p-100), // products with the factor are no denormal numbers
		factor:  q.shrink / q.Step() * (1 << fraction),
		largest: q.Largest() << fraction,
		weight:  q.weight,
		ifma:    used(),
	}
	c.vector = [5]uint64{c.high, c.low, math.Float64bits(c.factor), uint64(c.largest), uint64(c.weight)}
	return c
}

// quantize makes fixed point of the bits of a number. It compares magnitudes as integers, without branches.
func (c *scaling) quantize(b uint64) int64 {
	const sign = 1 << 63
	magnitude := b &^ sign
	above := uint64(int64(c.high-magnitude) >> 63)
	magnitude = magnitude&^above | c.high&above
	below := uint64(int64(magnitude-c.low) >> 63)
	magnitude &^= below
	v := int64(math.Float64frombits(magnitude) * c.factor)
	over := (c.largest - v) >> 63
	v = v&^over | c.largest&over
	negative := int64(b) >> 63
	return (v ^ negative) - negative
}

// round rounds fixed point at random and weighs it. The random bits of number i are the low or high half of word i/2.
func (c *scaling) round(v []int64, words []uint64) {
	for i := range v {
		u := words[i/2] >> (i % 2 * fraction) & (1<<fraction - 1)
		v[i] = (v[i] + int64(u)) >> fraction * c.weight
	}
}

// Mean is what a sum of quantised numbers stands for, given the sum of their weights.
func (q *Quantizer) Mean(sum, weights int64) float64 {
	return float64(sum) * q.clip / (float64(weights) * float64(q.Largest()))
}
