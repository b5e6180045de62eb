package slots

// Choices for Encryption.Duplicates.
const (
	DuplicatesRefuse = "refuse" // an id comes once (in blocks always so)
	DuplicatesSum    = "sum"    // rows of one id become one: values are added up
	DuplicatesMean   = "mean"   // their mean, rounded to the measure's decimals
	DuplicatesFirst  = "first"  // the first of them
)

var Duplicates = []string{"", DuplicatesRefuse, DuplicatesSum, DuplicatesMean, DuplicatesFirst}
