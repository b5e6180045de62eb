package tryout

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"github.com/cipherfold/cipherfold/engine/mpc/server"
)

// Vitals are the attributes of made-up vital signs.
var Vitals = []server.Attribute{
	{Name: "HR", Unit: "bpm", Decimals: 0, Max: 300},
	{Name: "SysABP", Unit: "mmHg", Decimals: 0, Max: 400},
	{Name: "Temp", Unit: "degC", Decimals: 1, Max: 50},
}

// Reading is made-up readings of a patient at one time, as integers with the attributes' decimals.
type Reading struct {
	Patient string
	Time    int64 // milliseconds since 1970
	Values  []int64
}

// PatientName is the name of patient p, from 0.
func PatientName(p int) string { return fmt.Sprintf("p-%03d", p+1) }

// MakeVitals makes up readings of a day for some patients: one every minutes.
func MakeVitals(seed uint64, patients, minutes int) []Reading {
	r := rand.New(rand.NewPCG(seed, 1))
	const day = 1_767_225_600_000 // 2026-01-01
	var out []Reading
	for p := range patients {
		rest := 60 + 25*r.Float64()
		for m := 0; m < 24*60; m += minutes {
			strain := 0.5 - 0.5*math.Cos(2*math.Pi*float64(m)/(24*60)) + 0.3*r.NormFloat64()
			hr := rest + 15*strain + 2*r.NormFloat64()
			abp := 105 + 0.3*hr + 6*strain + 5*r.NormFloat64()
			temp := 36.5 + 0.4*strain + 0.1*r.NormFloat64()
			out = append(out, Reading{PatientName(p), day + int64(m)*60_000, []int64{int64(math.Round(hr)), int64(math.Round(abp)), int64(math.Round(10 * temp))}})
		}
	}
	return out
}

// WriteCSV writes readings of Vitals as a wide table.
func WriteCSV(name string, readings []Reading) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "patient,time,HR,SysABP,Temp")
	for _, r := range readings {
		fmt.Fprintf(w, "%s,%d,%d,%d,%d.%d\n", r.Patient, r.Time, r.Values[0], r.Values[1], r.Values[2]/10, r.Values[2]%10)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
