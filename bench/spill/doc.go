// Package spill measures a fusion by group whose groups outgrow the memory, beside the same one in more memory than it
// needs.
package spill
