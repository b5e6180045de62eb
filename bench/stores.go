package bench

import (
	"fmt"
)

// StoresRun is a fusion of two encrypted tables in blocks that are in an object store whose requests fail or are slow,
// as the program bench/s3fold measures it. The result is in the store, too. Every ciphertext of it was compared with its
// expected value.
type StoresRun struct {
	Bits       int     `json:"bits"`
	InputBytes int64   `json:"input_bytes"` // of the encrypted Parquet files
	Records    int64   `json:"records"`     // of each table
	Blocks     int64   `json:"blocks"`      // of each table: ciphertexts
	Requests   int64   `json:"requests"`
	Failed     int64   `json:"failed"` // requests that got no answer, a refusal, or an answer that broke off
	Slow       int64   `json:"slow"`   // requests that were held up
	DelayMs    float64 `json:"delay_ms"`
	MemoryMiB  float64 `json:"memory_mib"`   // the budget
	PeakRSSMiB float64 `json:"peak_rss_mib"` // of the process that fuses
	Seconds    float64 `json:"seconds"`      // of that process, start to end
	Checked    int64   `json:"checked"`      // ciphertexts of the result that were compared; all of them
	Decrypted  int64   `json:"decrypted"`    // records of which the sums were compared with plain sums: one of each kind
}

func (r StoresRun) check() error {
	if r.Bits <= 0 || r.InputBytes <= 0 || r.Records <= 0 || r.Requests <= 0 || r.Seconds <= 0 || r.PeakRSSMiB <= 0 || r.Checked != r.Blocks || r.Decrypted <= 0 {
		return fmt.Errorf("%d bytes of %d records with %d bits, %d requests, %v s, %v MiB, %d of %d blocks checked", r.InputBytes, r.Records, r.Bits, r.Requests,
			r.Seconds, r.PeakRSSMiB, r.Checked, r.Blocks)
	}
	return nil
}
