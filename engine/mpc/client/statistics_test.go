package client_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/kernels/moments"
)

// Sums that no readings have, which a server can cause that does not follow the protocol, are an error and no panic.
func TestImpossibleSums(t *testing.T) {
	t.Parallel()
	columns := []server.Attribute{{Name: "x", Unit: "1", Max: 10}, {Name: "y", Unit: "1", Max: 10}}
	for name, products := range map[string][3]int64{ // x·x, x·y, y·y of 3 records with the sums 6 and 6
		"a variance below 0":          {11, 12, 14},
		"two variances below 0":       {11, 12, 11},
		"a correlation above 1":       {14, 20, 14},
		"a correlation far below -1":  {14, -1000, 14},
		"possible":                    {14, 13, 14},
		"possible, and no variance":   {12, 12, 14},
		"possible, and no variances ": {12, 12, 12},
	} {
		for _, statistic := range []string{access.Variance, access.Correlation, access.Regression} {
			m := moments.New(2)
			m.Count = 3
			m.Sums[0].SetInt64(6)
			m.Sums[1].SetInt64(6)
			m.Products = [][]*big.Int{{big.NewInt(products[0])}, {big.NewInt(products[1]), big.NewInt(products[2])}}
			a := &client.Answer{Statistic: statistic, Head: &server.Head{Columns: columns, Groups: []server.Group{{Records: 3, Patients: 3}}}, Moments: []*moments.Moments{m}}
			_, err := a.Quantities()
			impossible := !strings.HasPrefix(name, "possible") && (statistic != access.Variance || strings.Contains(name, "variance"))
			if impossible != (err != nil) || impossible && !strings.Contains(err.Error(), "no readings have these sums: a server does not follow the protocol") {
				t.Errorf("%s of sums with %s: %v", statistic, name, err)
			}
		}
	}
}
