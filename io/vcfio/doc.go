// Package vcfio reads variant call files: .vcf, and .vcf.gz as bgzip or plain gzip
// writes them (The Variant Call Format Specification, VCFv4.0 to 4.5; the BGZF
// format is section 4.1 of the SAM/BAM specification).
//
// # What is read
//
// A row of the table is one alternative allele of one record. Its id is the
// columns chrom, pos, ref and alt. Its numbers are over the samples chosen
// (Options.Samples):
//
//	AC       how often the allele was called
//	AN       how many alleles were called, of any kind
//	MISSING  samples without any called allele
//	HET      samples with the allele and another called allele
//	HOM      samples whose alleles are all called and all this one (so a haploid call counts)
//
// A partial call such as ./1 counts its called alleles in AC and AN. It is HET when two different alleles were called,
// and never HOM. With Options.PerSample there is instead a column for each sample, its dosage: how often it has the
// allele, null without a called allele.
//
// With Options.Dosage DS, AC is the sum of the samples' DS. AN is twice the number of samples that have one. A sample
// whose GT in the same record has another ploidy counts that instead of two. There are no HET and HOM.
//
// With Options.Counts Info the counts are those that INFO has: AC and AN, and AC_Het
// and nhomalt where the header defines them. They must be defined with the Number and
// Type that the specification gives counts (AC: A, AN: 1, both Integer), and must not
// contradict each other: AC is at most AN, what is heterozygous or homozygous at most AC.
//
// # Strictness
//
// A record is delivered, left out and counted by an option that says so (Tally), or the read fails with a
// *column.InputError that names file, line and column. Among others these are refused:
//
//   - a file that does not begin with ##fileformat=VCFv4
//   - a header line that is not as specified, or a sample named twice
//   - a line with more or fewer columns than the header
//   - an allele of a genotype that the record does not have
//   - records that are not sorted by position, or whose chromosome comes back after another one
//   - the same variant twice
//   - a compressed file that is cut off (bgzip marks the end of its files)
//
// These are ignored: QUAL, ID, INFO (except AF, for Options.AFMin), FORMAT fields other than GT and DS, and lines of
// the header before the last.
package vcfio
