// Package lanes is what rings that compute several residues at a time have in common: vectors made of groups,
// exponentiation, tables of powers, chains of products. A kernel gives the arithmetic of one group as a [Unit], and
// [NewRing] makes a bigmod.Ring of it.
//
// A group is as many residues as the kernel has lanes, each of the same number of words, transposed: word j of residue l is
// word lanes·j+l. A bigmod.Vec is its groups one after the other; the lanes beyond its length hold values that nobody reads.
//
// Everything is constant time in the residues, the modulus and the exponents, as far as the Unit is, unless its name
// ends in VarTime.
package lanes
