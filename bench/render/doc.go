// Package render makes tables of results: for the terminal, and BENCHMARKS.md from the files under bench/results.
package render
