package tryout

import (
	"math/big"

	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// Plain computes the numbers of an answer about all readings, without groups, from the readings themselves. columns are the
// places of the answer's attributes in a reading.
func Plain(a *client.Answer, readings []Reading, columns []int) ([]client.Quantity, error) {
	plain := *a
	plain.Moments = []*moments.Moments{Moments(readings, columns)}
	return plain.Quantities()
}

// Moments are the moments of some columns of readings.
func Moments(readings []Reading, columns []int) *moments.Moments {
	m := moments.New(len(columns))
	for i := range columns {
		for j := range m.Products[i] {
			m.Products[i][j] = new(big.Int)
		}
	}
	for _, r := range readings {
		m.Count++
		for i, c := range columns {
			m.Sums[i].Add(m.Sums[i], big.NewInt(r.Values[c]))
			for j := range m.Products[i] {
				m.Products[i][j].Add(m.Products[i][j], big.NewInt(r.Values[c]*r.Values[columns[j]]))
			}
		}
	}
	return m
}
