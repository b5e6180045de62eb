package job

// Range is some consecutive rows of all inputs of a fusion, one input after the other in the order given: From is the
// first, from 0, and To is one beyond the last. Of tables in blocks the rows are blocks.
type Range struct{ From, To int64 }
