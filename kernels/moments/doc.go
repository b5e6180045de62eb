// Package moments computes statistics exactly from sums: means, variances, covariances, correlations and least squares,
// as rational numbers of integers of any size. Rounding happens only where a square root is taken or a number is made a
// float64, at the very end.
//
// Nothing here is constant time: sums are results, which the caller is entitled to see.
package moments
