// Package paper2 repeats TABLE 1 of the second paper: X. Yi, A. Bouguettaya, D. Georgakopoulos, A. Song and J. Willemson,
// "Privacy Protection for Wireless Medical Sensor Data", IEEE TDSC 2016. Its eight rows are measured three ways: the
// paper's protocols literally, those of this program, and the estimates that are printed.
//
// The literal protocols are INSECURE and exist for measurement only. Algorithm 4 is broken by public values alone, in
// Algorithm 3 the user and one server open every value, and shares that are integers leak. Attack shows all three live.
package paper2
