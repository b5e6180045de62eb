package job

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/cipherfold/cipherfold/io/blob"
)

// CheckRowsPerFile refuses a number of rows that makes no sense.
func CheckRowsPerFile(n int64) error {
	if n < 0 {
		return Misuse("It is a number of records.", "‹rows_per_file› %d is negative", n)
	}
	return nil
}

// CheckOutput refuses an output that would replace what it is made from, however both are spelled: the file, or a directory that
// it is in.
func CheckOutput(ctx context.Context, fs blob.FS, out string, inputs []string) error {
	var uses blob.Uses
	for _, in := range inputs {
		if err := uses.Add(ctx, fs, blob.Use{Name: in, Role: "an input", Access: blob.Reads}); err != nil {
			return err
		}
	}
	err := uses.Add(ctx, fs, blob.Use{Name: out, Role: "the output", Access: blob.Replaces})
	var conflict *blob.Conflict
	if !errors.As(err, &conflict) {
		return err
	}
	switch in := conflict.Other.Name; {
	case conflict.Inside:
		return Misuse("Give the output a name of its own.", "%s is an input and in the output, %s", in, out)
	case filepath.Clean(in) != filepath.Clean(out):
		return Misuse("Give the output a name of its own.", "%s is an input and the output: %s is the same file", in, out)
	default:
		return Misuse("Give the output a name of its own.", "%s is an input and the output", in)
	}
}

// Once refuses files that come twice, however they are spelled: what is in them would count twice.
func Once(ctx context.Context, fs blob.FS, uses *blob.Uses, file, hint string) error {
	err := uses.Add(ctx, fs, blob.Use{Name: file, Role: "input", Access: blob.ReadsOnce})
	var conflict *blob.Conflict
	switch {
	case !errors.As(err, &conflict):
		return err
	case filepath.Clean(conflict.Other.Name) == filepath.Clean(file):
		return Misuse(hint, "%s is given twice", file)
	}
	return Misuse(hint, "%s is given twice: %s is the same file", file, conflict.Other.Name)
}

// FileUse is a file that a verb uses: under which name of an option, and whether it is written.
type FileUse struct {
	Option string // such as ‹receipt›
	Name   string
	Write  bool
	Dir    bool // it is a directory that is replaced
	Own    bool // it is the verb's own business whether it is another file: such a use is left out then
}

// CheckFiles refuses an output that is another file of the job, however both are spelled. Nothing is opened for writing.
func CheckFiles(ctx context.Context, fs blob.FS, files []FileUse) error {
	var uses blob.Uses
	for _, f := range files {
		access := blob.Reads
		switch {
		case f.Dir:
			access = blob.Replaces
		case f.Write:
			access = blob.Writes
		}
		err := uses.Add(ctx, fs, blob.Use{Name: f.Name, Role: f.Option, Access: access})
		var conflict *blob.Conflict
		if f.Own && errors.As(err, &conflict) {
			continue
		}
		if errors.As(err, &conflict) {
			a, b := conflict.Other, conflict.Use
			what := "are the same file"
			if conflict.Inside {
				what = "are in each other's way: one is a directory that the other is in"
			}
			return Misuse("Give every file that is written a name of its own.", "%s %s and %s %s %s", a.Role, a.Name, b.Role, b.Name, what)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
