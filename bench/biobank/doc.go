// Package biobank measures a study of many biobanks from end to end: synthetic VCF files of as many variants as wanted, each
// owner's allele counts encrypted in blocks, fused, decrypted to allele frequencies, and compared with the plain counts.
package biobank
