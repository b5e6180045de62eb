package engine

import "sync/atomic"

// Progress is what a progress bar polls while a run goes on. The functions given to the run add to it in whatever unit
// the bar shows (rows, say); the engine itself never touches it. The zero value is ready; all fields are safe for
// concurrent use.
type Progress struct {
	Done  atomic.Int64 // units finished
	Total atomic.Int64 // units expected; 0 while unknown
	Bytes atomic.Int64 // bytes finished
	Items atomic.Int64 // pieces of work finished, of which a unit may have several
}
