package peers

import "math/big"

// WindowsSuffix ends the names of peers of this kind.
const WindowsSuffix = " windows"

// Windows is a peer that only encrypts with DJN, from a table of powers of hs: one for each digit of 10 bits of an exponent at
// each place, read directly, so that an encryption is a product for each digit that is not 0. That is how the fastest other
// library goes about it. The tables take tens of megabytes, and neither their reads nor the products are constant time.
type Windows struct {
	Name    string // of the library and the method
	Version string
	New     func(Key, Rows) WindowsWorker
}

// WindowsWorker is a Worker of Windows.
type WindowsWorker interface {
	// Encrypt does EncryptDJN on n rows: 0, 1, and so on, and again from row 0.
	Encrypt(n int)
	// Result, Close are those of Worker.
	Result(row int) *big.Int
	Close()
	// TableBytes is the memory that the numbers of the table take.
	TableBytes() int64
}

// WindowsPeers lists those that this program was built with; there are none without the tag.
func WindowsPeers() []Windows { return windows }

var windows []Windows
