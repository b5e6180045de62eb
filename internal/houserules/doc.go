// Package houserules has no code, only a test: it reads every Go file of the module and refuses what the architecture
// forbids. Packages may import only what their row of "Who may import whom" allows; bigmod and the kernels start no
// goroutines and touch no files or network; the engine knows no cryptography; math/big stays where no rows are.
//
// Test files, and folders of test support such as io/blob/blobtest, are free; only tests may import the latter.
//
// The rules are the table in rules_test.go. A new folder needs a row there before it can hold code.
package houserules
