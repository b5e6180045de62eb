package privacy

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/cipherfold/cipherfold/engine/enginetest"
	"github.com/cipherfold/cipherfold/engine/job"
)

// sealBudget puts the right digests into what may be a budget.
func sealBudget(data []byte) []byte {
	var b Budget
	if json.Unmarshal(data, &b) != nil {
		return data
	}
	for i := range b.Spent {
		b.Spent[i].Digest = b.digest(i)
	}
	out, err := json.Marshal(&b)
	if err != nil {
		return data
	}
	return out
}

// FuzzBudget reads budgets, with the digests that they have or with right ones. One that is accepted is the same when it is
// written anew, and can be summed up.
func FuzzBudget(f *testing.F) {
	file := filepath.Join(f.TempDir(), "budget.json")
	ctx := context.Background()
	for _, limit := range [][3]string{{"1", "", ""}, {"", "1/3", "1e-6"}, {"", "2.5", ""}} {
		b, err := CreateBudget(ctx, job.Options{Overwrite: true}, file, "people", limit[0], limit[1], limit[2])
		if err != nil {
			f.Fatal(err)
		}
		b.Spent = []Release{{Epsilon: "0.5", Records: 1, Place: NoiseLocal, Mechanism: "discrete-laplace"}, {Rho: "1/1000", Out: "x"}}
		data, err := json.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealBudget(data), false)
		f.Add(data, true)
		f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("1e30")), true)
		f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("1e-30")), true)
		f.Add(append(bytes.Clone(data), '1'), true)
	}
	f.Add([]byte(`{"version":1,"rho":"1","delta":"2"}`), true)
	f.Add([]byte(`{"version":2}`), false)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = sealBudget(data)
		}
		if len(data) > 1<<14 { // an entry takes time for all before it
			return
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		enginetest.Bounded(t, 64<<20, func() {
			b, err := ReadBudget(ctx, file)
			if err != nil {
				enginetest.Refusal(t, err, file)
				return
			}
			s, err := b.State()
			if err != nil || s.Releases != len(b.Spent) || math.IsNaN(s.Share) || s.Share < 0 || math.IsNaN(s.EpsilonAt) || s.EpsilonAt < 0 {
				t.Fatalf("%+v, %v", s, err)
			}
			for _, r := range b.Spent {
				if r.Promise() == "" {
					t.Errorf("%+v promises nothing", r)
				}
			}
			if err := b.write(ctx, true); err != nil {
				t.Fatal(err)
			}
			again, err := ReadBudget(ctx, file)
			if err != nil {
				t.Fatalf("written anew it is refused: %v", err)
			}
			if x, y := enginetest.AsJSON(t, b), enginetest.AsJSON(t, again); !bytes.Equal(x, y) {
				t.Fatalf("%s, written anew %s", x, y)
			}
		})
	})
}
