package paper2

import (
	"cmp"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/bench"
)

// part is what a run of one algorithm costs: the three servers together, and the user.
type part struct{ server, user bench.ServersSide }

// parts add up to rows: an average is asked for each column, and a product for each sum of products.
type parts struct {
	access, average part
	products        map[string]part // "xx", "xy" and "yy"
}

func plus(a, b bench.ServersSide) bench.ServersSide {
	return bench.ServersSide{
		Full: a.Full + b.Full, Half: a.Half + b.Half, Short: a.Short + b.Short, Encryptions: a.Encryptions + b.Encryptions,
		SentBytes: a.SentBytes + b.SentBytes, Received: a.Received + b.Received, Seconds: a.Seconds + b.Seconds,
	}
}

func (p part) plus(q part) part { return part{plus(p.server, q.server), plus(p.user, q.user)} }

// rowNeeds says how many averages and which products a row of TABLE 1 consists of.
var rowNeeds = []struct {
	row1, row2 string // with Algorithm 3, with Algorithm 4
	averages   int
	products   []string
}{
	{bench.RowCorrelation1, bench.RowCorrelation2, 2, []string{"xx", "xy", "yy"}},
	{bench.RowVariance1, bench.RowVariance2, 1, []string{"xx"}},
	{bench.RowRegression1, bench.RowRegression2, 2, []string{"xx", "xy"}},
}

// total adds up averages and products.
func (p parts) total(averages int, products []string) part {
	var sum part
	for range averages {
		sum = sum.plus(p.average)
	}
	for _, name := range products {
		sum = sum.plus(p.products[name])
	}
	return sum
}

// timed adds the time that f takes.
func timed(side *bench.ServersSide, f func() error) error {
	start := time.Now()
	err := f()
	side.Seconds += time.Since(start).Seconds()
	return err
}

// pass counts a message between two sides.
func pass(from, to *bench.ServersSide, bytes int) {
	from.SentBytes += int64(bytes)
	to.Received += int64(bytes)
}

// middle runs what takes milliseconds several times and returns the run with the median time.
func middle(run func() (part, error)) (part, error) {
	var all []part
	for range 5 {
		p, err := run()
		if err != nil {
			return part{}, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b part) int {
		return cmp.Compare(a.server.Seconds+a.user.Seconds, b.server.Seconds+b.user.Seconds)
	})
	return all[len(all)/2], nil
}
