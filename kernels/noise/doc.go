// Package noise draws discrete noise for differential privacy and accounts for the privacy that it gives.
//
// The samplers are those of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS
// 2020, arXiv 2004.00010), algorithms 1 to 3. They use only integers and exact rational parameters. So what they draw
// has the stated distribution exactly, up to the quality of the random stream. Rounding of floating point has revealed
// noise elsewhere (Mironov, CCS 2012). Here it appears in what is reported about noise, never in a draw.
//
// Noise has no bound, but every draw is an exact 128-bit integer. Tail is a size that it practically never exceeds.
//
// # What timing tells
//
// Draws are made by rejection, so their time varies. Most of it depends on how many candidates were rejected, which is
// independent of the value returned. A part depends on the geometric part of the value: a single draw that is timed
// alone, exactly, could reveal about log2 of its distance to 0 in units of the scale. Draws are made in batches of
// many by several workers, between encryptions that take far longer. Outside the owner's or key holder's machine, only
// the time of a whole job can be seen.
package noise

import "github.com/apache/arrow/go/v17/arrow/decimal128"

// Int is an exact signed 128-bit integer: Arrow's decimal number without its scale.
type Int = decimal128.Num
