package access

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// newGate makes a gate that permits means to researchers, of at least 3 patients.
func newGate(t *testing.T) (g *Gate, now *time.Time) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "policy.cedar")
	if err := os.WriteFile(name, []byte(`permit (principal in Role::"researcher", action == Action::"mean", resource);`), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := ReadPolicy(name, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenBolt(filepath.Join(dir, "s.db"), store.BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	now = new(time.Time)
	*now = time.UnixMilli(1_767_225_600_000)
	limits := Limits{SmallestCohort: 3, Queries: 1000, Period: Duration{time.Hour}}
	return &Gate{Store: s, Policy: policy, Limits: map[Role]Limits{Researcher: limits}, Now: func() time.Time { return *now }}, now
}

// asked is a query of a researcher with a label.
func asked(g *Gate, label byte) *Asked {
	return &Asked{Query: Query{Label: hex.EncodeToString(bytes.Repeat([]byte{label}, 32)), Time: g.Now().UnixMilli(), Statistic: Mean, Attributes: []string{"HR"}}, Who: Identity{Researcher, "r"}}
}

var heartRate = []store.Column{{Attribute: "HR", Unit: "bpm"}}

// cohort is one of some patients.
func cohort(patients string) [][]store.Cohort {
	var b store.CohortBuilder
	for _, p := range patients {
		b.Add(string(p), 1, 1)
	}
	return [][]store.Cohort{{b.Cohort()}}
}

// A query that comes again at the last moment that its clock allows, and is decided on much later, is known.
func TestNonceIsKept(t *testing.T) {
	t.Parallel()
	g, now := newGate(t)
	first := asked(g, 1)
	if err := g.Admit(t.Context(), first, heartRate, cohort("abc"), 3, nil); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2*SkewDefault + time.Minute)
	for n := range 2 {
		*now = now.Add(23 * time.Hour / 2)
		if err := g.Admit(t.Context(), asked(g, byte(2+n)), heartRate, cohort("abc"), 3, nil); err != nil { // which forgets old ones
			t.Fatal(err)
		}
		if err := g.Admit(t.Context(), first, heartRate, cohort("abc"), 3, nil); err == nil || !strings.Contains(err.Error(), "was asked before") {
			t.Errorf("the query again, %v later: %v", now.Sub(time.UnixMilli(first.Time)), err)
		}
	}
	if until, last := g.nonceUntil(1000), int64(1000)+g.skew().Milliseconds(); until < last+24*3_600_000 {
		t.Errorf("the nonce is kept until %d, and the query may come until %d", until, last)
	}
}

// Refusals come in an order in which none tells about few patients: the policy, then their number, then all else.
func TestRefusalsTellNothing(t *testing.T) {
	t.Parallel()
	g, _ := newGate(t)
	unfit := errors.New("the sum of 17 values might not fit")
	if err := g.Admit(t.Context(), asked(g, 1), heartRate, cohort("abcdef"), 6, nil); err != nil {
		t.Fatal(err)
	}
	few := "no record fits the query, or it is about fewer than 3 patients"
	for _, c := range []struct {
		statistic, patients string
		records             int64
		unfit               error
		want                string
	}{
		{Variance, "abcdef", 6, unfit, "the policy does not permit researcher r to ask for var of HR"},
		{Variance, "a", 1, unfit, "the policy does not permit researcher r to ask for var of HR"},
		{Variance, "", 0, nil, "the policy does not permit researcher r to ask for var of HR"},
		{Mean, "", 0, nil, few},
		{Mean, "a", 1, nil, few},
		{Mean, "ab", 2, unfit, few},
		{Mean, "abcde", 17, unfit, "the query differs from an answered one about HR by fewer than 3 patients: both together would tell about these"},
		{Mean, "abcdef", 6, unfit, unfit.Error()},
		{Mean, "abc", 17, unfit, unfit.Error()},
	} {
		a := asked(g, 2)
		a.Statistic = c.statistic
		var refused *RefusedError
		if err := g.Admit(t.Context(), a, heartRate, cohort(c.patients), c.records, c.unfit); !errors.As(err, &refused) || err.Error() != c.want {
			t.Errorf("%s of %q: %v", c.statistic, c.patients, err)
		}
	}
	// What was refused has left no cohort: that of "abc" would be too near to this one.
	if err := g.Admit(t.Context(), asked(g, 3), heartRate, cohort("abcg"), 4, nil); err != nil {
		t.Error(err)
	}
}

// A batch from the future is refused with both times.
func TestCheckMade(t *testing.T) {
	t.Parallel()
	g, now := newGate(t)
	for ahead, want := range map[time.Duration]string{-time.Hour: "", SkewDefault: "",
		SkewDefault + time.Second: "the batch was made at 2026-01-01T00:05:01Z, and the server's clock says 2026-01-01T00:00:00Z: they may differ by 5m0s"} {
		if err := g.CheckMade(now.Add(ahead).UnixMilli()); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%v ahead: %v", ahead, err)
		}
	}
}

// The audit log keeps little of queries that are refused, and all of those that are admitted.
func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	g, _ := newGate(t)
	long := asked(g, 1)
	long.Signed = Signed{Query: bytes.Repeat([]byte("é"), refusedQueryMax/2+1), Signature: make([]byte, ed25519.SignatureSize)}
	forged := asked(g, 2)
	forged.Signed = Signed{Query: bytes.Repeat([]byte("x"), refusedQueryMax), Signature: make([]byte, 1<<20)}
	forged.Serial, forged.Label = strings.Repeat("f", 1<<20), strings.Repeat("l", 1<<20)
	if err := errors.Join(g.Admit(t.Context(), long, heartRate, cohort("abc"), 3, nil), g.Refuse(t.Context(), long, errors.New("x"+strings.Repeat("é", 1<<20))),
		g.Refuse(t.Context(), forged, errors.New("no"))); err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	if err := g.Store.Entries(t.Context(), 1, func(e *store.Entry) error {
		var x Entry
		err := json.Unmarshal(e.Text, &x)
		entries = append(entries, x)
		return err
	}); err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if e := entries[0]; e.Query != string(long.Signed.Query) || len(e.Signature) != ed25519.SignatureSize {
		t.Errorf("admitted: %d bytes of the query, %d of its signature", len(e.Query), len(e.Signature))
	}
	if e := entries[1]; e.Query != "" || len(e.Signature) != ed25519.SignatureSize || e.Reason != "x"+strings.Repeat("é", 499) {
		t.Errorf("refused: %d bytes of the query, reason of %d bytes", len(e.Query), len(e.Reason))
	}
	if e := entries[2]; len(e.Query) != refusedQueryMax || len(e.Signature) != 0 || len(e.Certificate) != 64 || len(e.Label) != 64 {
		t.Errorf("forged: %d bytes of the query, %d of its signature, %d of the serial number, %d of the label", len(e.Query), len(e.Signature), len(e.Certificate), len(e.Label))
	}
}

// A query that the audit log could not keep as it was signed is refused, and nothing is left of it.
func TestQueryText(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t)
	c, err := files(t, a, dir, Researcher, "r").Read()
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string][]byte{"the query is not text in UTF-8": []byte("\"\xff\""), "at most 8388608 are possible": bytes.Repeat([]byte(" "), queryBytesMax+1)} {
		data, err := json.Marshal(Signed{Query: text, Certificate: c.signing.Raw, Signature: ed25519.Sign(c.signer, append([]byte(signatureContext), text...))})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(data, c.TLS.Leaf, time.Now()); err == nil || !strings.Contains(err.Error(), want) || got.Signed.Query != nil || got.Signed.Signature != nil || got.Who.Name != "r" {
			t.Errorf("%s: %v", want, err)
		}
	}
}
