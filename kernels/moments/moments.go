package moments

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrUndefined says that a statistic does not exist for these sums, such as the variance of one record.
var ErrUndefined = errors.New("undefined")

// Moments are sums over the records of several columns.
type Moments struct {
	Count    int64
	Sums     []*big.Int   // of each column
	Products [][]*big.Int // of columns i and j, i >= j: a lower triangle. Nil where it was not asked for.
}

// New makes moments of columns without records, with room for all products.
func New(columns int) *Moments {
	m := &Moments{Sums: make([]*big.Int, columns), Products: make([][]*big.Int, columns)}
	for i := range columns {
		m.Sums[i], m.Products[i] = new(big.Int), make([]*big.Int, i+1)
	}
	return m
}

// Product is the sum of products of two columns. It panics when it is not known, which is a caller's bug.
func (m *Moments) Product(i, j int) *big.Int {
	p := m.Products[max(i, j)][min(i, j)]
	if p == nil {
		panic(fmt.Sprintf("moments: the products of columns %d and %d were not asked for", i, j))
	}
	return p
}

// Mean is the sum divided by the count.
func (m *Moments) Mean(i int) (*big.Rat, error) {
	if m.Count < 1 {
		return nil, fmt.Errorf("the mean of no records is %w", ErrUndefined)
	}
	return new(big.Rat).SetFrac(m.Sums[i], big.NewInt(m.Count)), nil
}

// spread is n·Sxy - Sx·Sy: n² times the covariance with divisor n.
func (m *Moments) spread(i, j int) *big.Int {
	x := new(big.Int).Mul(big.NewInt(m.Count), m.Product(i, j))
	return x.Sub(x, new(big.Int).Mul(m.Sums[i], m.Sums[j]))
}

// Covariance is (n·Sxy - Sx·Sy)/(n(n-1)), that of a sample; of a column with itself, its variance.
func (m *Moments) Covariance(i, j int) (*big.Rat, error) {
	if m.Count < 2 {
		return nil, fmt.Errorf("the variance of %d records is %w: it needs 2", m.Count, ErrUndefined)
	}
	n := big.NewInt(m.Count)
	return new(big.Rat).SetFrac(m.spread(i, j), n.Mul(n, big.NewInt(m.Count-1))), nil
}

// Correlation is Pearson's r as its sign and its square, which is rational.
func (m *Moments) Correlation(i, j int) (sign int, square *big.Rat, err error) {
	variances := new(big.Int).Mul(m.spread(i, i), m.spread(j, j))
	if variances.Sign() == 0 {
		return 0, nil, fmt.Errorf("the correlation with a column that is the same in all records is %w", ErrUndefined)
	}
	c := m.spread(i, j)
	sign = c.Sign()
	return sign, new(big.Rat).SetFrac(c.Mul(c, c), variances), nil
}

// Root is the square root of a number that is not negative, to within one rounding of float64.
func Root(x *big.Rat) float64 {
	f := new(big.Float).SetPrec(256).SetRat(x)
	root, _ := f.Sqrt(f).Float64()
	return root
}
