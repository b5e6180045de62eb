// Package houserules has no code, only tests. One reads every Go file of the module and refuses what the architecture
// forbids. Packages may import only what their row of "Who may import whom" allows. Package bigmod and the kernels start no
// goroutines and touch no files or network. The engine knows no cryptography. math/big stays where no rows are.
//
// Test files, and folders of test support such as io/blob/blobtest, are free. Only tests may import the latter.
//
// The rules are the table in rules_test.go. A new folder needs a row there before it can hold code.
//
// Another test reads every Markdown document: lines of at most 120 characters, sentences of at most 35 words, and links
// that lead somewhere.
package houserules
