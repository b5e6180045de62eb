package job

import (
	"context"
	"errors"
	"syscall"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Kind classifies failures by what the caller should do.
type Kind string

const (
	Failed      Kind = "failed"        // something broke; trying again may help
	Usage       Kind = "usage"         // the request makes no sense
	Refused     Kind = "input refused" // bad data, wrong key, no headroom, corrupted file, output in the way
	Interrupted Kind = "interrupted"   // cancelled from outside
	NotNow      Kind = "not now"       // others must do something first: try again later
)

// Failure is an error in parts, for a person or a program to read.
type Failure struct {
	Kind     Kind   `json:"kind"`
	Message  string `json:"message"` // one line: place and cause
	Hint     string `json:"hint,omitempty"`
	Field    string `json:"-"` // of the request that is at fault
	File     string `json:"file,omitempty"`
	RowGroup int    `json:"row_group,omitempty"` // from 1, as all numbers here
	Row      int64  `json:"row,omitempty"`
	Line     int64  `json:"line,omitempty"`
	Column   string `json:"column,omitempty"`
}

// NotNowError wraps a refusal of what may go well later, when others have done their part.
type NotNowError struct{ Err error }

func (e *NotNowError) Error() string { return e.Err.Error() }
func (e *NotNowError) Unwrap() error { return e.Err }

// Explain takes an error of this package apart.
func Explain(err error) Failure {
	f := Failure{Kind: Failed, Message: err.Error()}
	var (
		request *UsageError
		input   *column.InputError
		file    *blob.Error
		key     *paillier.KeyError
		memory  *engine.BudgetError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Kind, f.Message, f.Hint = Interrupted, "interrupted; no output was written", "Run the same command again."
	case errors.As(err, &request):
		f.Kind, f.Hint, f.Field = Usage, request.Hint, request.Field()
	case errors.As(err, &input):
		f.Kind, f.Message, f.Hint = Refused, input.Error(), input.Hint
		f.File, f.RowGroup, f.Row, f.Line, f.Column = input.File, input.RowGroup, input.Row, input.Line, input.Column
	case errors.As(err, &file):
		f.Hint, f.File = file.Hint, file.Path
		if file.Kind != nil && !errors.Is(err, blob.ErrDiskFull) || errors.Is(err, errors.ErrUnsupported) {
			f.Kind = Refused
		}
		if errors.Is(err, syscall.ENOTDIR) {
			f.Kind, f.Hint = Refused, "Part of the path is a file; name a directory that exists."
		}
	case errors.Is(err, paillier.ErrKeyKernel):
		f.Kind, f.Hint = Usage, "See «doctor»."
	case errors.As(err, &key):
		f.Kind, f.Hint = Refused, key.Hint
	case errors.As(err, &memory):
		f.Hint = "Raise ‹memory›."
	}
	if wait := (*NotNowError)(nil); errors.As(err, &wait) {
		f.Kind = NotNow
	}
	return f
}
