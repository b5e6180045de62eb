package job

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

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

// HintOnce is what to do about a file that comes twice.
const HintOnce = "Name every file once; globs and directories name those in them."

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

// FileAccess is what a verb does with a file.
type FileAccess int

const (
	Reads    FileAccess = iota // it reads it
	Shares                     // it reads and writes it under a lock, as other uses of this kind may, too
	Writes                     // it writes it
	Replaces                   // it writes it, or a directory, in which no other file may be then
)

// FileUse is a file that a verb uses.
type FileUse struct {
	Option string // by which it is named, such as ‹receipt›
	Name   string
	Access FileAccess
	Own    bool // whether it is another file than other uses of this kind, the verb or job looks itself
}

// CheckFiles refuses an output that is another file of the job, however both are spelled. Nothing is opened.
func CheckFiles(ctx context.Context, fs blob.FS, files []FileUse) error {
	access := map[FileAccess]blob.Access{Reads: blob.Reads, Shares: blob.Shares, Writes: blob.Writes, Replaces: blob.Replaces}
	var uses blob.Uses
	files = slices.Clone(files)
	own := func(f FileUse) int {
		if f.Own {
			return 0
		}
		return 1
	}
	// The verb's own come first, and of these the outputs.
	slices.SortStableFunc(files, func(a, b FileUse) int {
		return cmp.Or(own(a)-own(b), int(b.Access-a.Access))
	})
	for _, f := range files {
		err := uses.Add(ctx, fs, blob.Use{Name: f.Name, Role: f.Option, Access: access[f.Access]})
		var conflict *blob.Conflict
		switch {
		case err == nil:
		case !errors.As(err, &conflict):
			return err
		case !f.Own:
			what := "are the same file"
			if conflict.Inside {
				what = "are in each other's way: one is a directory that the other is in"
			}
			a, b := conflict.Other, conflict.Use
			return Misuse("Give every file that is written a name of its own.", "%s %s and %s %s %s", a.Role, a.Name, b.Role, b.Name, what)
		}
	}
	return nil
}
