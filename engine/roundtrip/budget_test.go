package roundtrip_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// budget makes a budget.
func (b *bench) budget(rho, epsilon, delta string) string {
	b.Helper()
	name := b.path("budget.json")
	if _, err := privacy.CreateBudget(context.Background(), job.Options{Overwrite: true}, name, "the test", rho, epsilon, delta); err != nil {
		b.Fatal(err)
	}
	return name
}

// state reads a budget.
func (b *bench) state(name string) (*privacy.Budget, job.BudgetState) {
	b.Helper()
	x, err := privacy.ReadBudget(context.Background(), name)
	if err != nil {
		b.Fatal(err)
	}
	s, err := x.State()
	if err != nil {
		b.Fatal(err)
	}
	return x, s
}

// Many programs at a time charge a budget exactly as often as it has room, whatever links they know it by.
func TestBudgetIsChargedOnce(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	budget := b.budget("0.3", "", "")
	link := b.path("link.json")
	if err := os.Symlink(budget, link); err != nil {
		t.Fatal(err)
	}
	names := []string{budget, link}
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 6 {
		wg.Go(func() {
			_, err := b.open(in, fmt.Sprintf("out%d.csv", i), privacy.Request{Noise: privacy.NoiseRelease, Rho: "0.1", Records: 1, Budget: names[i%2]})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !strings.Contains(err.Error(), "the budget is spent") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	x, s := b.state(budget)
	if done != 3 || len(x.Spent) != 3 || s.Rho != "0.3" || s.Share != 1 {
		t.Errorf("%d released, %+v", done, s)
	}
	outputs := slices.DeleteFunc(b.files(), func(name string) bool { return !strings.HasPrefix(name, "out") })
	if len(outputs) != 3 {
		t.Errorf("%q", outputs)
	}
	if _, err := os.Stat(link + ".lock"); err == nil {
		t.Error("a link to the budget has a lock of its own")
	}
}

// Wherever the disk of the output fails, or the machine with it: what is there was charged before, and nothing is charged twice.
func TestBudgetIsChargedBeforeTheOutput(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n2,4\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	p := privacy.Request{Noise: privacy.NoiseRelease, Rho: "1", Records: 1, Budget: b.budget("1000", "", "")}
	for _, mode := range []blobtest.Mode{blobtest.Fail, blobtest.Crash, blobtest.CrashAfter} {
		lost := false
		for at := int64(1); ; at++ {
			faulty := &blobtest.Faulty{FS: blob.Local{}, FailAt: at, Mode: mode}
			b.options.FS = faulty
			before, _ := b.state(p.Budget)
			name := fmt.Sprintf("out-%d-%d.csv", mode, at)
			_, err := b.open(in, name, p)
			_, missing := os.Stat(b.path(name))
			after, _ := b.state(p.Budget)
			charged := len(after.Spent) - len(before.Spent)
			if charged > 1 || missing == nil && charged != 1 || err == nil && missing != nil {
				t.Fatalf("mode %v, operation %d: charged %d times, output missing: %v; %v", mode, at, charged, missing, err)
			}
			lost = lost || charged == 1 && missing != nil
			if !faulty.Failed() {
				break
			}
		}
		if mode != blobtest.CrashAfter && !lost {
			t.Errorf("mode %v: no failure between the charge and the output", mode)
		}
	}
}

// A budget that was tampered with is refused.
func TestBudgetTamperedWith(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	p := privacy.Request{Noise: privacy.NoiseRelease, Rho: "0.1", Records: 1, Budget: b.budget("1", "", "")}
	for range 3 {
		if _, err := b.open(in, "out.csv", p); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(p.Budget)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for what, text := range map[string]string{
		"entry 1 was changed": strings.Replace(good, `"rho": "1/10"`, `"rho": "1/1000"`, 1),
		"or the limit":        strings.Replace(good, `"rho": "1"`, `"rho": "100"`, 1),
		"entry 1":             strings.Replace(good, `"about": "the test"`, `"about": "others"`, 1),
		"not a budget":        good[:len(good)/2],
		"text after the end":  good + "{}",
		"occurs twice":        strings.Replace(good, `"version": 1`, `"version": 1, "version": 1`, 1),
		"version 2":           strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		`unknown field "x"`:   strings.Replace(good, `"version": 1`, `"version": 1, "x": 1`, 1),
		"limit on ρ or on ε":  strings.Replace(good, `"rho": "1",`, `"rho": "",`, 1),
		"a limit on ρ has no": strings.Replace(good, `"delta": ""`, `"delta": "0.1"`, 1),
		"the budget's ρ is":   strings.Replace(good, `"rho": "1",`, `"rho": "-1",`, 1),
	} {
		if text == good {
			t.Fatalf("%s: nothing changed", what)
		}
		if err := os.WriteFile(p.Budget, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := b.open(in, "out.csv", p)
		refused(t, err, what)
	}
	if err := os.Remove(p.Budget); err != nil {
		t.Fatal(err)
	}
	_, err = b.open(in, "out.csv", p)
	refused(t, err, "no such budget")
}

// A hundred releases, charged one by one, against the closed form.
func TestBudgetOfHundredReleases(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	p := privacy.Request{Noise: privacy.NoiseRelease, Rho: "0.005", Records: 1, Budget: b.budget("0.5", "", "")}
	for range 100 {
		if _, err := b.open(in, "out.csv", p); err != nil {
			t.Fatal(err)
		}
	}
	_, s := b.state(p.Budget)
	closed := 0.5 + 2*math.Sqrt(0.5*math.Log(1e6))
	if s.Rho != "0.5" || s.Releases != 100 || math.Abs(s.EpsilonClosed-closed) > 1e-12 || s.EpsilonAt > closed || s.EpsilonAt < 0.8*closed || s.Share != 1 {
		t.Errorf("%+v; the closed form has ε = %v", s, closed)
	}
	_, err := b.open(in, "out.csv", p)
	refused(t, err, "used in 100 releases")
}

// An owner's own budget.
func TestNoiseOwnersBudget(t *testing.T) {
	b := newBench(t, paillier.MHL)
	budget := b.budget("", "2", "1e-6")
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}, Privacy: privacy.Request{Noise: privacy.NoiseLocal, Epsilon: "1", Records: 1, Budget: budget}}
	in := b.write("a.csv", "id,v\n1,3\n")
	b.options.Overwrite = true
	for i := range 3 {
		_, report, err := b.tryEncrypt(in, e)
		if i == 2 {
			refused(t, err, "the budget is spent")
			break
		}
		if err != nil || report.Privacy.Budget.Releases != i+1 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
	if x, _ := b.state(budget); len(x.Spent) != 2 || x.Spent[0].Place != privacy.NoiseLocal || x.Spent[0].SHA256 != "" {
		t.Errorf("%+v", x.Spent)
	}
	// A source that is refused costs nothing.
	e.Privacy.Budget = b.budget("1", "", "")
	if _, _, err := b.tryEncrypt(b.write("bad.csv", "id,v\n1,11\n"), e); err == nil {
		t.Error("a value beyond max is encrypted")
	}
	if x, _ := b.state(e.Privacy.Budget); len(x.Spent) != 0 {
		t.Errorf("%+v", x.Spent)
	}
}

// A hard link to a budget would be a second budget after the first release. While there is one, nothing is released. By
// symbolic links, of the file or its directory, and other spellings it stays one budget.
func TestBudgetHasOneName(t *testing.T) {
	b := newBench(t, paillier.MHL)
	in := b.encrypt(b.write("a.csv", "id,v\n1,3\n"), encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}})
	budget := b.budget("0.55", "", "")
	release := func(name string) error {
		if err := os.RemoveAll(b.path("out.csv")); err != nil {
			t.Fatal(err)
		}
		_, err := b.open(in, "out.csv", privacy.Request{Noise: privacy.NoiseRelease, Rho: "0.1", Records: 1, Budget: name})
		return err
	}
	if err := os.Mkdir(b.path("sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	links := []string{b.path("second.json"), b.path("sub/third.json")}
	for _, link := range links {
		if err := os.Link(budget, link); err != nil {
			t.Fatal(err)
		}
	}
	symbolic := b.path("to-second.json")
	if err := os.Symlink(links[0], symbolic); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(links, budget, symbolic, b.path("sub/../budget.json")) {
		refused(t, release(name), "has 3 names")
		if _, err := os.Stat(b.path("out.csv")); err == nil {
			t.Error("there is an output")
		}
	}
	for _, link := range append(links, symbolic) {
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"to-budget.json": budget, "sub/by-name.json": "../budget.json", "dir": b.path(".")} {
		if err := os.Symlink(to, b.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{b.path("to-budget.json"), b.path("sub/by-name.json"), b.path("dir/budget.json"), b.path("sub/../budget.json"), budget} {
		if err := release(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x, _ := b.state(budget); len(x.Spent) != i+1 {
			t.Errorf("by %s, the budget has %d releases, not %d", name, len(x.Spent), i+1)
		}
	}
	refused(t, release(b.path("dir/to-budget.json")), "the budget is spent")
}
