package enctable

// batchBytes is the size of the ciphertexts that travel together.
const batchBytes = 256 << 10

// BatchRows is how many rows of a table make a batch: a multiple of the 8 lanes of vector kernels.
func BatchRows(columns, ciphertextSize int) int {
	rows := batchBytes / (columns * ciphertextSize)
	return min(max(rows/8*8, 8), 1024)
}
