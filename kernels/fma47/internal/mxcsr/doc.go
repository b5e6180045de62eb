// Package mxcsr changes the control word of floating-point instructions, for tests of what assembly makes of a wrong one.
package mxcsr
