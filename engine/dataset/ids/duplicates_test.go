package ids

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Spilled or not, the first key that comes twice is found with both its rows, and no key is taken for another.
func TestUniqueAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := NewDuplicateFinder(0)
		u.limit, u.runKeys = rapid.IntRange(1, 40).Draw(t, "limit"), rapid.IntRange(1, 20).Draw(t, "run")
		defer u.Close()
		rows := map[string][]int64{}
		ordered := rapid.IntRange(0, 120).Draw(t, "ordered") // rows whose keys ascend
		for row := range rapid.IntRange(0, 120).Draw(t, "rows") {
			key := fmt.Sprintf("%04d", row)
			if row >= ordered {
				key = fmt.Sprintf("%04d", rapid.IntRange(0, 2000).Draw(t, "key"))
			}
			rows[key] = append(rows[key], int64(row))
			if err := u.Add([]byte(key), int64(row)); err != nil {
				t.Fatal(err)
			}
		}
		first, second, twice, err := u.Find()
		if err != nil {
			t.Fatal(err)
		}
		var want [2]int64 // the earliest row whose key had come before
		found := false
		for _, r := range rows {
			if len(r) > 1 && (!found || r[1] < want[1]) {
				want, found = [2]int64{r[0], r[1]}, true
			}
		}
		if twice != found || twice && [2]int64{first, second} != want {
			t.Fatalf("found rows %d and %d (%v), want %v (%v) in %v", first, second, twice, want, found, rows)
		}
	})
}

func TestUniqueInManyRuns(t *testing.T) {
	u := NewDuplicateFinder(0)
	defer u.Close()
	const n = 20000 // limit 1024: 20 runs
	order := rand.New(rand.NewPCG(1, 1)).Perm(n)
	for row, k := range order {
		if err := u.Add(fmt.Appendf(nil, "record %d", k), int64(row)); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Add(fmt.Appendf(nil, "record %d", order[7]), n); err != nil {
		t.Fatal(err)
	}
	if len(u.runs) < 15 {
		t.Fatalf("%d runs: nothing was spilled", len(u.runs))
	}
	if first, second, twice, err := u.Find(); first != 7 || second != n || !twice || err != nil {
		t.Errorf("rows %d and %d, %v, %v; want 7 and %d", first, second, twice, err, n)
	}
}
