// Package bench measures: the operations of every kernel beside other libraries in one run (Kernels), whole jobs from
// Parquet to Parquet (Pipeline), whether times depend on secrets (Timing), and renders what was measured (Render). Results are JSON files of one format (File), kept
// under bench/results, and BENCHMARKS.md is rendered from them alone.
package bench
