package job

// CheckRowsPerFile refuses a number of rows that makes no sense.
func CheckRowsPerFile(n int64) error {
	if n < 0 {
		return Misuse("It is a number of records.", "--rows-per-file %d is negative", n)
	}
	return nil
}
