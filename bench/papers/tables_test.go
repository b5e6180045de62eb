package papers

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func integers(t *testing.T, list ...string) (out []*big.Int) {
	t.Helper()
	for _, s := range list {
		out = append(out, integer(s))
	}
	return out
}

// The printed key, against numbers computed by an independent program (Python).
func TestPrintedKey(t *testing.T) {
	checks := checkPrintedKey()
	for _, c := range checks {
		if c.Holds {
			t.Errorf("%q holds: %s", c.Claim, c.Found)
		}
	}
	var found strings.Builder
	for _, c := range checks {
		found.WriteString(c.Found + "\n")
	}
	for _, want := range []string{
		"253 bits and is even; the generator is even and μ is even", "gcd(gen, N) = 2", "gcd(μ, N) = 4",
		"3·λ = (L-1)·(M-1)", "L = 176879412665128690572376023397172717404 is composite", "M = 67245110614232856943927286206781440117 is composite", "printed λ (true)",
		"it is 8733729829874742…2254041452020128", "gcd is 4 for the encrypted feature, 4 for ciphertext 1, 4 for ciphertext 2",
		"it is c₁ + c₂ as integers (true)", "4919·… (true)", "c₁·c₂ mod N² (true)",
	} {
		if !strings.Contains(found.String(), want) {
			t.Errorf("no %q in\n%s", want, found.String())
		}
	}
	var residues []int64
	for _, c := range []*big.Int{printedEncrypted, printedC1, printedC2, printedFused} {
		for _, p := range primesOfPrintedN[:3] {
			residues = append(residues, openModulo(c, p).Int64())
		}
	}
	// by 11, 79 and 157; the primes are in another order there
	if want := []int64{3, 55, 79, 2, 12, 153, 6, 37, 149, 9, 6, 107}; !slices.Equal(residues, want) {
		t.Errorf("plaintexts modulo 11, 79, 157: %v, want %v", residues, want)
	}
	x := remainderTheorem(integers(t, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"))
	for i, p := range primesOfPrintedN {
		if r := new(big.Int).Mod(x, p); r.Int64() != int64(i+1) {
			t.Errorf("modulo %s it is %s", p, r)
		}
	}
}

// A key that is right passes the same statements, and the other one does not factor.
func TestRealKey(t *testing.T) {
	k, err := generateTextbook(256)
	if err != nil {
		t.Fatal(err)
	}
	if k.n.BitLen() != 256 {
		t.Errorf("%d bits", k.n.BitLen())
	}
	p, q, _ := factorByLambda(k.n, k.lambda)
	if p == nil || new(big.Int).Mul(p, q).Cmp(k.n) != 0 {
		t.Fatal("the private key does not give the factors")
	}
	encrypted, c1, c2 := k.encrypt(printedFeature), k.encrypt(table3Fused[0]), k.encrypt(table3Fused[1])
	for _, c := range k.checks(p, q, encrypted, c1, c2, k.fuse(c1, c2)) {
		if !c.Holds {
			t.Errorf("%q does not hold: %s", c.Claim, c.Found)
		}
	}
	for _, c := range k.checks(p, q, encrypted, c1, c2, new(big.Int).Add(c1, c2))[4:] {
		if c.Holds {
			t.Errorf("%q holds for ciphertexts that were added: %s", c.Claim, c.Found)
		}
	}
	if k.encrypt(7).Cmp(k.encrypt(7)) == 0 {
		t.Error("two encryptions of 7 are the same")
	}
	if l, _, _ := factorByLambda(k.n, new(big.Int).Add(k.lambda, one)); l != nil {
		t.Error("a wrong λ factors N")
	}
}

func TestLiteral(t *testing.T) {
	c := runLiteral(40)
	if c.Holds || !strings.Contains(c.Found, "of 200 sums under 40 such keys 0 are right") {
		t.Error(c.Found)
	}
}

// withSums is Table 1 as it comes out, without keys.
func withSums(t *testing.T) Table1 {
	t.Helper()
	list, _, err := mechanisms()
	if err != nil {
		t.Fatal(err)
	}
	table := Table1{Mechanisms: list, Seed: table1Seed}
	for _, r := range printedTable1 {
		sum := strconv.FormatInt(r.Source1+r.Source2, 10)
		table.Rows = append(table.Rows, Table1Row{Source1: r.Source1, Source2: r.Source2, Printed: r.Paillier, DP: r.DP, Paillier: sum, Noisy: []string{sum + ".5", sum}})
	}
	return table
}

func TestTable2(t *testing.T) {
	table := table2(withSums(t))
	for i, want := range []Table2Row{
		{OfSum: 0, OfMean: 32.25, MeanAbs: 0}, {OfSum: 0, OfMean: 32.25, MeanAbs: 0}, {OfSum: 0.721018, OfMean: 36.313510, MeanAbs: 0.746517},
		{OfSum: 0.25, OfMean: 38, MeanAbs: 0.5}, {OfSum: 0, OfMean: 32.25, MeanAbs: 0}, {OfSum: 32.25, OfMean: 0, MeanAbs: 5.5},
	} {
		got := table.Rows[i]
		for _, x := range [][2]float64{{got.OfSum, want.OfSum}, {got.OfMean, want.OfMean}, {got.MeanAbs, want.MeanAbs}} {
			if math.Abs(x[0]-x[1]) > 5e-7 {
				t.Errorf("%s: %+v, want %+v", got.Method, got, want)
			}
		}
	}
	for _, c := range table.Checks {
		if c.Holds {
			t.Errorf("%q holds", c.Claim)
		}
	}
	if !strings.Contains(table.Checks[1].Found, "at least 18 rows") {
		t.Error(table.Checks[1].Found)
	}
	// Seventeen rows of halves of integers cannot have that mean of squares, eighteen can: 2347/72 = 32.597.
	if isMultiple(32.597, 4*17, 0.0005) || !isMultiple(32.597, 4*18, 0.0005) || math.Round(2347./72*1000) != 32597 {
		t.Error("multiples")
	}
	if d := gaussianDelta(0.849128, 1); math.Abs(d-0.193) > 0.001 {
		t.Errorf("δ(1) of the printed noise: %v", d)
	}
}

func TestMechanisms(t *testing.T) {
	list, distributions, err := mechanisms()
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range list {
		if math.Abs(m.MeasuredError/m.MeanError-1) > 0.05 || math.Abs(m.MeasuredVariance/m.Variance-1) > 0.05 {
			t.Errorf("%v: %+v", distributions[i], m)
		}
	}
	again, _, err := mechanisms()
	if err != nil || !slices.Equal(list, again) {
		t.Errorf("another run gives %+v, error %v", again, err)
	}
}
