package engine

import (
	"errors"
	"fmt"
)

// NoItem is the Item of an [Error] that concerns no item, such as a worker that could not be set up.
const NoItem int64 = -1

// ErrEmpty is what [Reduce] returns for a source without items: the engine does not know the neutral element.
var ErrEmpty = errors.New("nothing to reduce: the source has no items")

// errGoexit means a function that ended its goroutine (runtime.Goexit, testing.T.FailNow) instead of returning.
var errGoexit = errors.New("bug in this program: the function ended its goroutine instead of returning")

// Error is the failure that ended a run: where it happened and why.
type Error struct {
	Stage string // name of the source, stage, tree or sink
	Item  int64  // number of the item in source order, from 0; the first item under it for a tree's node; or NoItem
	Err   error
}

func (e *Error) Error() string {
	if e.Item == NoItem {
		return fmt.Sprintf("%s: %v", e.Stage, e.Err)
	}
	return fmt.Sprintf("%s: item %d: %v", e.Stage, e.Item, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PanicError is a panic in a function given to the engine. It is never the fault of the data.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // stack of the goroutine that panicked, as by runtime/debug.Stack
}

// Error says in one line that this is a bug. The stack is for a bug report.
func (e *PanicError) Error() string {
	return fmt.Sprintf("bug in this program: panic: %v", e.Value)
}

// Unwrap returns the value of the panic when it is an error (as runtime errors are), else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
