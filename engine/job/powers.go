package job

// TablesReport tells about the tables of powers of a key, which encryption computes with.
type TablesReport struct {
	Bytes   int64   `json:"bytes"`          // of memory
	From    string  `json:"from"`           // "made" or "cache"
	Seconds float64 `json:"seconds"`        // that it took to have them
	Kept    string  `json:"kept,omitempty"` // the file that keeps them for next time
}

// What TablesReport.From may be.
const (
	PowersMade = "made"
	FromCache  = "cache"
)
