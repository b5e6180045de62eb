// Package bench is what all measurements share: the format of result files ([File]), the machine, processes that are
// measured, and rounding. The measurements are in packages of their own:
//
//   - kernelbench: the operations of every kernel, beside other libraries in one run; peers holds these libraries;
//   - pipeline: whole jobs from Parquet to Parquet; spill: fusions by group in little memory;
//   - timing: whether times depend on secrets;
//   - papers: a published experiment; biobank: a study of VCF files; s3fold: a fusion on an object store.
//
// Results are kept under bench/results. Package render makes BENCHMARKS.md of them and of nothing else.
package bench
