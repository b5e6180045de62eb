// Package papers repeats the experiments of published papers with this program, and shows what they should have shown.
//
// Paper 1 is Shobha P. and Nalini N., "Genomic Data Fusion using Paillier Cryptosystem", Journal of Current Science and
// Technology 14(3), Article 57, 2024. Its tables are computed anew and its figures measured, each step in a process of its
// own. Where the paper's formulas or numbers are wrong, the literal form is run as well, in functions whose names begin
// with insecure: they exist here and nowhere else in the program.
package papers
