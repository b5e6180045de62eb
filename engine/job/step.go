package job

import (
	"fmt"
	"path"
	"strings"

	"github.com/cipherfold/cipherfold/io/blob"
)

// The types of this file are what the rooms of verbs tell package batch about a step of a job.

// StepFiles are the files of a step, as they were given.
type StepFiles struct {
	In       []string    // patterns of the files that it reads
	Counted  int         // the first so many of In: what is in their files is added up, and none may come twice
	Named    []NamedFile // must be among those of In
	Lists    []string    // files to read where they exist; a text that is no file is the list itself
	TokenKey string      // file of the key of tokens, or ""
	Out      string

	RowsPerFile   int64  // > 0: Out is a directory of part files of so many records each
	PartExtension string // of the files of its parts, such as ".parquet"
}

// NamedFile is a file that a request names once more, for something such as "a weight".
type NamedFile struct{ File, What string }

// Division is what a survey of a step's inputs finds for its division into parts, which are ranges of rows.
type Division struct {
	Rows      int64 // of all parts together
	Align     int64 // so many rows stay together, at least 1: parts begin at multiples of it
	RowsBytes int64 // of ciphertexts, of Align rows
	PartBytes int64 // of ciphertexts, of a part; the user may wish for other sizes
	PartsMax  int64
	Found     Findings // nil: the parts have nothing to agree on
}

// Findings are what all parts of a step must agree on. They are kept beside the parts, as JSON: a change of the JSON form
// makes jobs under way unreadable.
type Findings interface {
	// KeyFingerprint is that of the key that the parts work with.
	KeyFingerprint() string

	// Once says that the step has one part, which must not be made twice: each time a budget is charged. Its execution has a
	// method Written, for an output that has its name already.
	Once() bool
}

// StepKnown is what is known of a step whose workload is asked for.
type StepKnown struct {
	Waits  bool // for steps whose outputs it reads and that are not done: its inputs are not there
	Report *Report
	Found  Findings                 // of a survey; nil: there was none
	Inputs []string                 // files, in order
	Tables map[string]TableEstimate // outputs of other steps of which something is known, by name
}

// TableEstimate is what is known of a table before it is made.
type TableEstimate struct {
	TableSurvey
	AtMost bool // the numbers are upper bounds
}

// Workload is how much a step has to do.
type Workload struct {
	AtMost      bool  // the numbers are upper bounds
	Records     int64 // read
	Ciphertexts int64 // made, folded or opened
	Bytes       int64 // of these
	Headroom    Headroom
	Out         *TableEstimate // the output; nil: nothing is known of it
}

// Headroom is how many additions the sums of a step's output hold, of how many that they have room for. Most is reached
// if all records are in one group.
type Headroom struct {
	Least   int64 `json:"least"`
	Most    int64 `json:"most"`
	MaxAdds int64 `json:"max_adds"`
}

// Verdict says in words whether the sums fit.
func (h Headroom) Verdict() string {
	switch {
	case h.MaxAdds == 0:
		return ""
	case h.Most <= h.MaxAdds:
		return "fits"
	case h.Least > h.MaxAdds:
		return "does not fit"
	}
	return fmt.Sprintf("fits groups of up to %d records", h.MaxAdds)
}

// CleanName is path.Clean for names that may be URLs, whose keys are taken as they are.
func CleanName(name string) string {
	if u, ok := blob.ParseURL(name); ok {
		u.Key = strings.TrimSuffix(u.Key, "/")
		return u.String()
	}
	return path.Clean(strings.ReplaceAll(name, `\`, "/"))
}
