package moments

import (
	"fmt"
	"math/big"
	"slices"
)

// Regression is a least-squares fit of a column to others, with an intercept.
type Regression struct {
	// Coefficients are the intercept and one for each of the columns fitted to, in their order.
	Coefficients []*big.Rat
	// Variances are the squares of the coefficients' standard errors. Nil when there are no more records than coefficients.
	Variances []*big.Rat
	// R2 is the share of the variance that is explained. Nil when the column fitted has no variance.
	R2 *big.Rat
	// Residuals is the sum of the squared residuals, Freedom their degrees of freedom: records less coefficients.
	Residuals *big.Rat
	Freedom   int64
}

// DependentError says that a column is a linear function of the others, so that coefficients are not determined.
type DependentError struct{ Column int }

func (e *DependentError) Error() string {
	return fmt.Sprintf("column %d is a linear function of the other columns of the regression, or the same in all records", e.Column)
}

// Regress fits column y to columns xs. It solves the normal equations exactly. It returns a *DependentError that names the
// first column whose coefficient is not determined, and ErrUndefined when there are fewer records than coefficients.
func (m *Moments) Regress(y int, xs []int) (*Regression, error) {
	k := len(xs) + 1
	if m.Count < int64(k) {
		return nil, fmt.Errorf("a regression with %d coefficients of %d records is %w", k, m.Count, ErrUndefined)
	}
	// [A | b | I], where A·β = b are the normal equations; column 0 of A is that of the intercept.
	rows := make([][]*big.Rat, k)
	entry := func(i, j int) *big.Rat {
		switch {
		case i == 0 && j == 0:
			return new(big.Rat).SetInt64(m.Count)
		case i == 0:
			return new(big.Rat).SetInt(m.Sums[xs[j-1]])
		case j == 0:
			return new(big.Rat).SetInt(m.Sums[xs[i-1]])
		}
		return new(big.Rat).SetInt(m.Product(xs[i-1], xs[j-1]))
	}
	right := make([]*big.Rat, k)
	for i := range rows {
		right[i] = new(big.Rat).SetInt(m.Sums[y])
		if i > 0 {
			right[i].SetInt(m.Product(xs[i-1], y))
		}
		for j := range k {
			rows[i] = append(rows[i], entry(i, j))
		}
		rows[i] = append(rows[i], new(big.Rat).Set(right[i]))
		for j := range k {
			unit := new(big.Rat)
			if i == j {
				unit.SetInt64(1)
			}
			rows[i] = append(rows[i], unit)
		}
	}
	if bad := eliminate(rows); bad >= 0 {
		if bad == 0 {
			return nil, fmt.Errorf("a regression of no records is %w", ErrUndefined)
		}
		return nil, &DependentError{Column: xs[bad-1]}
	}
	r := &Regression{Freedom: m.Count - int64(k), Residuals: new(big.Rat).SetInt(m.Product(y, y))}
	for i := range rows {
		r.Coefficients = append(r.Coefficients, rows[i][k])
		r.Residuals.Sub(r.Residuals, new(big.Rat).Mul(rows[i][k], right[i]))
	}
	if total := new(big.Rat).SetFrac(m.spread(y, y), big.NewInt(m.Count)); total.Sign() != 0 {
		r.R2 = new(big.Rat).Quo(r.Residuals, total)
		r.R2.Sub(big.NewRat(1, 1), r.R2)
	}
	if r.Freedom > 0 {
		variance := new(big.Rat).Quo(r.Residuals, new(big.Rat).SetInt64(r.Freedom))
		for i := range rows {
			r.Variances = append(r.Variances, new(big.Rat).Mul(variance, rows[i][k+1+i]))
		}
	}
	return r, nil
}

// eliminate brings the left part of the rows to the identity (Gauss and Jordan). It returns the first column that has no
// pivot, or -1. The matrix is one of products, positive semidefinite: without a pivot on the diagonal, there is none.
func eliminate(rows [][]*big.Rat) int {
	for i, pivot := range rows {
		if pivot[i].Sign() == 0 {
			return i
		}
		inverse := new(big.Rat).Inv(pivot[i])
		for _, x := range pivot[i:] {
			x.Mul(x, inverse)
		}
		for j, row := range rows {
			if j == i || row[i].Sign() == 0 {
				continue
			}
			factor := new(big.Rat).Set(row[i])
			for c, x := range slices.All(pivot) {
				if c >= i {
					row[c].Sub(row[c], new(big.Rat).Mul(factor, x))
				}
			}
		}
	}
	return -1
}
