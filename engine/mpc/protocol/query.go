package protocol

import (
	"math/bits"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Limits of a query.
const (
	ServersMax = 16
	ColumnsMax = 256
	RecordsMax = 1 << 40 // of a query
	GroupsMax  = 1 << 20
	ResultsMax = 1 << 24 // words of a result
	AnswersMax = 1 << 17 // ciphertexts of an answer, which are in memory at one time: one for each pair of each group
)

// Query is what is asked of all servers, who must have the same one.
type Query struct {
	Servers int
	Columns []Column
	Pairs   [][2]int // columns whose sums of products are asked for, by their places in Columns
	Groups  []int64  // numbers of records; the records of a group follow each other
	Sigma   int      // bits of statistical security of masks; 0 means shares.SigmaDefault
	About   []byte   `json:",omitempty"` // what else the servers must agree on, such as a digest of their records
}

// Column is a column and the bound of its values, which whoever collects them has made sure of: every |value| <= Bound.
type Column struct {
	Name  string
	Bound uint64
}

// Check refuses a query that makes no sense, or a sum of which might not fit 63 bits and a sign. The error is a
// *job.UsageError.
func (q *Query) Check() error {
	switch {
	case q.Servers < 2 || q.Servers > ServersMax:
		return job.Misuse("Shares need 2 servers, and there can be 16.", "%d servers", q.Servers)
	case len(q.Columns) < 1 || len(q.Columns) > ColumnsMax:
		return job.Misuse("Ask for 1 to 256 columns.", "%d columns", len(q.Columns))
	case len(q.Groups) < 1 || len(q.Groups) > GroupsMax:
		return job.Misuse("There are 1 to 2^20 groups.", "%d groups", len(q.Groups))
	case len(q.Groups)*q.Words() > ResultsMax:
		return job.Misuse("Ask for fewer groups or columns.", "%d sums for each of %d groups", q.Words(), len(q.Groups))
	case len(q.Groups)*len(q.Pairs) > AnswersMax:
		return job.Misuse("Ask for fewer groups or columns.", "%d sums of products for each of %d groups", len(q.Pairs), len(q.Groups))
	case q.Sigma != 0 && (q.Sigma < shares.SigmaDefault || q.Sigma > shares.SigmaMax):
		return job.Misuse("The security of masks is 40 to 64 bits.", "masks of %d bits", q.Sigma)
	}
	seen := map[[2]int]bool{}
	for _, p := range q.Pairs {
		u, v := min(p[0], p[1]), max(p[0], p[1])
		if u < 0 || v >= len(q.Columns) {
			return job.Misuse("A pair names two columns of the query.", "a pair of columns %d and %d of %d", p[0], p[1], len(q.Columns))
		}
		if seen[[2]int{u, v}] {
			return job.Misuse("Ask for each pair once.", "the pair of %s and %s occurs twice", q.Columns[u].Name, q.Columns[v].Name)
		}
		seen[[2]int{u, v}] = true
	}
	total, largest := int64(0), int64(0)
	for _, n := range q.Groups {
		if n < 0 || n > RecordsMax-total {
			return job.Misuse("A query has at most 2^40 records.", "a group of %d records after %d", n, total)
		}
		total, largest = total+n, max(largest, n)
	}
	for _, c := range q.Columns {
		if !fits(largest, c.Bound, 1) {
			return job.Misuse("Ask for fewer records, or bound the values more tightly.",
				"the sum of %d values of %s up to %d might not fit 63 bits", largest, c.Name, c.Bound)
		}
	}
	for _, p := range q.Pairs {
		x, y := q.Columns[p[0]], q.Columns[p[1]]
		if !fits(largest, x.Bound, y.Bound) {
			return job.Misuse("Ask for fewer records, or bound the values more tightly.",
				"the sum of %d products of %s up to %d and %s up to %d might not fit 63 bits", largest, x.Name, x.Bound, y.Name, y.Bound)
		}
	}
	return nil
}

// fits says whether n·a·b < 2^63.
func fits(n int64, a, b uint64) bool {
	high, product := bits.Mul64(a, b)
	if high != 0 {
		return n == 0
	}
	high, product = bits.Mul64(product, uint64(n))
	return high == 0 && product < 1<<63
}

// Words is the number of words of a result for each group: the sums of the columns, then those of the pairs.
func (q *Query) Words() int { return len(q.Columns) + len(q.Pairs) }

// records is the number of records of the largest group.
func (q *Query) records() int64 {
	n := int64(1)
	for _, g := range q.Groups {
		n = max(n, g)
	}
	return n
}

// multiplied says of each column whether it is in a pair.
func (q *Query) multiplied() []bool {
	used := make([]bool, len(q.Columns))
	for _, p := range q.Pairs {
		used[p[0]], used[p[1]] = true, true
	}
	return used
}

// doubled says of each pair whether it is of a column with itself.
func (q *Query) doubled() []bool {
	d := make([]bool, len(q.Pairs))
	for k, p := range q.Pairs {
		d[k] = p[0] == p[1]
	}
	return d
}

// AllPairs lists the pairs of some columns, each with itself too: what correlations and regressions need.
func AllPairs(columns int) [][2]int {
	var pairs [][2]int
	for i := range columns {
		for j := i; j < columns; j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs
}

// Peers are the servers that a server sends its encrypted shares to. Of each two servers one sends to the other, in a
// ring: with three servers, 0 to 1, 1 to 2 and 2 to 0.
func Peers(servers, number int) []int {
	var peers []int
	for k := 1; k < servers; k++ {
		peer := (number + k) % servers
		if 2*k < servers || 2*k == servers && number < peer {
			peers = append(peers, peer)
		}
	}
	return peers
}
