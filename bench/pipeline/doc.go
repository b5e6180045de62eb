// Package pipeline measures whole jobs: tables in Parquet are encrypted, fused and decrypted, each step by a process of its
// own. Other libraries encrypt in the same run.
package pipeline
