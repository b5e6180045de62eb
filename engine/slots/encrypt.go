package slots

// Default numbers of additions.
const (
	MaxAddsBlocks  = 1 << 10
	MaxAddsRecords = 1 << 20
	MaxAddsLimit   = 1 << 40
)
