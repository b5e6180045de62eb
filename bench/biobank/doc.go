// Package biobank measures a study of many biobanks from end to end. It makes synthetic VCF files with the wanted
// number of variants. Each owner's allele counts are encrypted in blocks, fused, decrypted to allele frequencies, and
// compared with the plain counts.
package biobank
