// Package noise draws discrete noise for differential privacy and accounts for what it protects.
//
// The samplers are those of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020,
// arXiv 2004.00010), algorithms 1 to 3. They use integers and exact rational parameters only: what they draw has the
// stated distribution exactly, up to the quality of the random stream. Floating point, whose rounding has given noise
// away elsewhere (Mironov, CCS 2012), appears in what is reported about noise, never in a draw.
//
// Noise has no bound, but every draw is an exact 128-bit integer. Tail says how large it will practically never be.
//
// # What timing tells
//
// Draws are made by rejection. How long one takes depends on how many candidates were rejected, which is independent of
// the value that is returned, but also on the geometric part of the value itself (about log2 of its distance to 0 in
// units of the scale could be learned from a single draw that is timed alone, exactly). Whoever can time single draws
// learns something about the noise. Draws are made in batches of many by several workers, between encryptions that
// take far longer; nobody outside the owner's or key holder's machine sees more than the time of a whole job.
package noise

import "github.com/apache/arrow/go/v17/arrow/decimal128"

// Int is an exact signed 128-bit integer: Arrow's decimal number without its scale.
type Int = decimal128.Num
