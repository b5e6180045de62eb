package papers

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// Table1 is the paper's Table 1 with what this program makes of the same sources.
type Table1 struct {
	Rows []Table1Row `json:"rows"`
	// Mechanisms are the differential privacy of the columns DP of the rows.
	Mechanisms []Mechanism `json:"mechanisms"`
	Seed       string      `json:"seed"` // of the noise
}

// Table1Row is one row. All sums are decimal numbers.
type Table1Row struct {
	Source1  int64    `json:"source1"`
	Source2  int64    `json:"source2"`
	Printed  int64    `json:"printed_paillier"`
	DP       string   `json:"printed_dp"`
	Paillier string   `json:"paillier"` // encrypted, fused and decrypted by this program
	Noisy    []string `json:"noisy"`    // the sum under each mechanism
}

// A Mechanism is one way to add noise to a sum.
type Mechanism struct {
	Name      string  `json:"name"`
	Guarantee string  `json:"guarantee"`
	MeanError float64 `json:"mean_error"` // theoretical mean |error|
	Variance  float64 `json:"variance"`   // theoretical mean squared error
	// Measured over simulatedDraws draws.
	MeasuredError    float64 `json:"measured_error"`
	MeasuredVariance float64 `json:"measured_variance"`
}

const (
	table1Decimals = 6 // of the noise, as printed
	table1Epsilon  = "1"
	table1Delta    = "1e-6"
	table1Seed     = "paper 1, table 1"
	simulatedDraws = 200_000
)

// mechanisms of Table 1 protect a person who changes a value by at most 1, in units of 10^-6. They draw from streams that
// depend on the seed and the name only.
func mechanisms() ([]Mechanism, []noise.Distribution, error) {
	unit := new(big.Rat).SetInt64(int64(math.Pow10(table1Decimals)))
	epsilon, err := noise.ParseRational(table1Epsilon)
	if err != nil {
		return nil, nil, err
	}
	delta, err := noise.ParseRational(table1Delta)
	if err != nil {
		return nil, nil, err
	}
	laplace, err := noise.NewLaplace(new(big.Rat).Quo(unit, epsilon))
	if err != nil {
		return nil, nil, err
	}
	rho := noise.RhoFor(epsilon, delta)
	variance := new(big.Rat).Mul(unit, unit)
	gaussian, err := noise.NewGaussian(variance.Quo(variance, new(big.Rat).Add(rho, rho)))
	if err != nil {
		return nil, nil, err
	}
	distributions := []noise.Distribution{laplace, gaussian}
	rhoFloat, _ := rho.Float64()
	list := []Mechanism{
		{Name: "discrete Laplace", Guarantee: "ε = " + table1Epsilon + " (pure)"},
		{Name: "discrete Gaussian", Guarantee: fmt.Sprintf("ε = %s, δ = 10⁻⁶ (ρ = %.4f)", table1Epsilon, rhoFloat)},
	}
	for i, d := range distributions {
		m, scale := &list[i], math.Pow10(-table1Decimals)
		m.MeanError, m.Variance = d.MeanAbs(1)*scale, d.Variance()*scale*scale
		random := noise.NewSeeded(seed(m.Name + ", simulated"))
		for range simulatedDraws {
			x := d.Draw(random).ToFloat64(table1Decimals)
			m.MeasuredError += math.Abs(x) / simulatedDraws
			m.MeasuredVariance += x * x / simulatedDraws
		}
	}
	return list, distributions, nil
}

func seed(purpose string) (s [32]byte) {
	copy(s[:], table1Seed+": "+purpose)
	return s
}

// table1 fuses the printed sources.
func (w *workshop) table1(ctx context.Context) (Table1, error) {
	t := Table1{Seed: table1Seed}
	list, distributions, err := mechanisms()
	if err != nil {
		return t, err
	}
	t.Mechanisms = list
	var in []string
	for s := range 2 {
		var text strings.Builder
		text.WriteString(idColumn + "," + valueColumn + "\n")
		for i, row := range printedTable1 {
			fmt.Fprintf(&text, "%d,%d\n", i+1, []int64{row.Source1, row.Source2}[s])
		}
		in = append(in, w.path(fmt.Sprintf("table1-%d.csv", s+1)))
		if err := os.WriteFile(in[s], []byte(text.String()), 0o644); err != nil {
			return t, err
		}
	}
	out := w.path("table1.csv")
	if _, err := w.fuse(ctx, in, out, valueColumn+":max=10", slots.Records); err != nil {
		return t, err
	}
	sums, err := readColumn(out, valueColumn+"_sum")
	if err != nil {
		return t, err
	}
	if len(sums) != len(printedTable1) {
		return t, fmt.Errorf("%s has %d rows", out, len(sums))
	}
	for i, row := range printedTable1 {
		if want := strconv.FormatInt(row.Source1+row.Source2, 10); sums[i] != want {
			return t, fmt.Errorf("row %d of %s is %s, and the sum is %s", i+1, out, sums[i], want)
		}
		t.Rows = append(t.Rows, Table1Row{Source1: row.Source1, Source2: row.Source2, Printed: row.Paillier, DP: row.DP, Paillier: sums[i]})
	}
	for m, d := range distributions {
		random := noise.NewSeeded(seed(list[m].Name))
		for i, row := range printedTable1 {
			sum := new(big.Int).Mul(big.NewInt(row.Source1+row.Source2), big.NewInt(int64(math.Pow10(table1Decimals))))
			sum.Add(sum, d.Draw(random).BigInt())
			noisy := new(big.Rat).SetFrac(sum, big.NewInt(int64(math.Pow10(table1Decimals))))
			t.Rows[i].Noisy = append(t.Rows[i].Noisy, noisy.FloatString(table1Decimals))
		}
	}
	return t, nil
}
