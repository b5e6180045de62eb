package job

import (
	"path/filepath"
	"strings"
)

// CheckRowsPerFile refuses a number of rows that makes no sense.
func CheckRowsPerFile(n int64) error {
	if n < 0 {
		return Misuse("It is a number of records.", "‹rows_per_file› %d is negative", n)
	}
	return nil
}

// CheckOutput refuses an output that would replace what it is made from: the file, or a directory that it is in.
func CheckOutput(out string, inputs []string) error {
	for _, in := range inputs {
		if in, out := filepath.Clean(in), filepath.Clean(out); in == out || strings.HasPrefix(in, out+string(filepath.Separator)) {
			return Misuse("Give the output a name of its own.", "%s is an input and the output", in)
		}
	}
	return nil
}
