// Package kernelbench measures every operation of every arithmetic kernel, and the same by other libraries, in one run.
// All take turns, so that a ratio of two rates holds on a machine whose speed changes.
package kernelbench
