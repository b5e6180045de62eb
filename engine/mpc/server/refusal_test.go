package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
)

// with makes a client of the files of a certificate that the cluster's authority issues.
func with(t *testing.T, c *clustertest.Cluster, ca *access.Authority, who access.Identity, valid time.Duration) *client.Client {
	t.Helper()
	dir := t.TempDir()
	if _, err := ca.Issue(t.Context(), dir, access.Request{Identity: who, Valid: valid}); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, who.Name)
	f := access.Files{Authority: filepath.Join(c.Dir, "ca", "ca.crt"), Certificate: base + ".crt", Key: base + ".key"}
	if who.Role == access.Researcher || who.Role == access.Physician {
		f.Signing, f.SigningKey = base+".sign.crt", base+".sign.key"
	}
	return clientOf(t, c, f)
}

func clientOf(t *testing.T, c *clustertest.Cluster, f access.Files) *client.Client {
	t.Helper()
	config := &client.Config{TLS: f}
	for j, address := range c.Addresses {
		config.Servers = append(config.Servers, client.Server{Name: tryout.ServerName(j), Address: address})
	}
	cl, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// ask sends a query as it is made by change: of its fields, and of its signed text.
func ask(ctx context.Context, cl *client.Client, sender *wire.User, change func(*access.Query), forge func([]byte) []byte) ([]wire.Reply, error) {
	survey, err := cl.Survey(ctx)
	if err != nil {
		return nil, err
	}
	label := wire.NewLabel()
	q := &access.Query{Servers: cl.User.Names, Label: hex.EncodeToString(label[:]), Time: time.Now().UnixMilli(), Statistic: access.Mean, Attributes: []string{"HR"}, Batches: survey.Held}
	if change != nil {
		change(q)
	}
	text, err := cl.Credentials.Sign(q)
	if err != nil {
		return nil, err
	}
	if forge != nil {
		text = forge(text)
	}
	return sender.Ask(ctx, label, text)
}

// Each refusal is told the client in words, and noted in the audit log of a server.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, func(s *tryout.Setup) {
		s.Patients = []string{tryout.PatientName(0)}
		s.Attributes = append(slices.Clone(tryout.Vitals), server.Attribute{Name: "Wide", Unit: "1", Max: 1 << 40}) // whose squares do not fit
		s.Queries = 60
	})
	readings := tryout.MakeVitals(2, 8, 360)
	for i := range readings {
		readings[i].Values = append(readings[i].Values, int64(i))
	}
	c.Ingest(readings)
	ca, err := access.OpenAuthority(filepath.Join(c.Dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := access.CreateAuthority(t.Context(), filepath.Join(t.TempDir(), "ca"), "another", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	rita, alice, gate := c.Client(c.ResearcherConfig()), c.Client(c.PhysicianConfig()), c.Client(c.GatewayConfig())
	var replayed []byte
	question := func(cl *client.Client, q client.Question) func(context.Context) error {
		return func(ctx context.Context) error {
			q.KeyBits = 512
			_, err := cl.Ask(ctx, &q)
			return err
		}
	}
	raw := func(change func(*access.Query), forge func([]byte) []byte) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := ask(ctx, rita, rita.User, change, forge)
			return err
		}
	}
	signed := func(change func(*access.Signed)) func([]byte) []byte {
		return func(text []byte) []byte {
			var s access.Signed
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			change(&s)
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	expired := with(t, c, ca, access.Identity{Role: access.Researcher, Name: "former"}, time.Nanosecond)
	revoked := with(t, c, ca, access.Identity{Role: access.Researcher, Name: "revoked"}, time.Hour)
	// One whose certificate for TLS is valid, and that for queries is not.
	half := with(t, c, ca, access.Identity{Role: access.Researcher, Name: "half"}, time.Hour)
	halfExpired := with(t, c, ca, access.Identity{Role: access.Researcher, Name: "half"}, time.Nanosecond)
	halfExpired.User = half.User
	stranger := clientOf(t, c, func() access.Files {
		dir := t.TempDir()
		if _, err := foreign.Issue(t.Context(), dir, access.Request{Identity: access.Identity{Role: access.Researcher, Name: "rita"}, Valid: time.Hour}); err != nil {
			t.Fatal(err)
		}
		return access.Files{Authority: filepath.Join(c.Dir, "ca", "ca.crt"), Certificate: filepath.Join(dir, "rita.crt"), Key: filepath.Join(dir, "rita.key"), Signing: filepath.Join(dir, "rita.sign.crt"), SigningKey: filepath.Join(dir, "rita.sign.key")}
	}())
	strangerSigns := c.Client(c.ResearcherConfig())
	strangerSigns.Credentials = stranger.Credentials
	if err := ca.Revoke(t.Context(), []string{revokedFile(t, revoked)}); err != nil {
		t.Fatal(err)
	}
	p := func(n ...int) (names []string) {
		for _, i := range n {
			names = append(names, tryout.PatientName(i))
		}
		return names
	}
	tomorrow := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	hold := func(source string, made time.Time) func(context.Context) error {
		return func(ctx context.Context) error {
			b := &store.Batch{Source: source, Number: 1, Made: made.UnixMilli(), Series: []store.Series{{Column: store.Column{Attribute: "HR", Unit: "bpm"}, Patient: p(0)[0], Times: []int64{1}, Shares: []uint64{1}}}}
			return gate.Call(ctx, 0, server.CallHold, server.EncodeHold(0, b.AppendHead(nil), b.AppendShares(nil)), nil)
		}
	}
	answered := question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"Temp"}, Patients: p(0, 1, 2, 3, 4)})
	if err := answered(c.Within()); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		ask      func(context.Context) error
		told     string // the client
		noted    string // in the audit log of each server; "" means told
		nothing  bool   // is noted: no server hears of it
		byClient bool   // the client itself refuses
	}{
		{name: "an unknown certificate", ask: question(stranger, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "tls: ", noted: "x509: certificate signed by unknown authority"},
		{name: "an expired certificate", ask: question(expired, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "tls: ", noted: "x509: certificate has expired"},
		{name: "a revoked certificate", ask: question(revoked, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "tls: ", noted: "the certificate of researcher revoked is revoked"},
		{name: "an expired certificate of queries", ask: question(halfExpired, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "the certificate of the query: x509: certificate has expired"},
		{name: "a certificate of queries of another authority", ask: question(strangerSigns, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "the certificate of the query: x509: certificate signed by unknown authority"},
		{name: "a gateway asks", ask: question(gate, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "a gateway asks no queries", byClient: true, nothing: true},
		{name: "a gateway sends a query", ask: func(ctx context.Context) error { _, err := ask(ctx, rita, gate.User, nil, nil); return err }, told: "gateway gateway-1 sent a query that researcher rita signed"},
		{name: "a researcher stores readings", ask: func(ctx context.Context) error { return rita.Call(ctx, 0, server.CallHold, []byte{0, 0}, nil) }, told: "a researcher may not store readings"},
		{name: "a researcher asks for a backup", ask: func(ctx context.Context) error { return rita.Call(ctx, 0, server.CallBackup, nil, nil) }, told: "only the server itself gets a backup, not researcher rita"},
		{name: "a gateway with a source of another one", ask: func(ctx context.Context) error {
			return gate.Call(ctx, 0, server.CallHeld, []byte(`{"source":"gateway-2/x","number":1}`), nil)
		}, told: `the source "gateway-2/x" is not one of gateway gateway-1`},
		{name: "a wrong signature", ask: raw(nil, signed(func(s *access.Signed) { s.Signature[5] ^= 1 })), told: "the signature of the query is not right"},
		{name: "a changed query", ask: raw(nil, signed(func(s *access.Signed) { s.Query = bytes.ReplaceAll(s.Query, []byte("HR"), []byte("Hr")) })), told: "the signature of the query is not right"},
		{name: "no query", ask: raw(nil, func([]byte) []byte { return []byte(`{"query":1}`) }), told: "the query is not one"},
		{name: "a query that another certificate signed", ask: raw(nil, signed(func(s *access.Signed) { s.Certificate = half.Credentials.Signing() })), told: "researcher rita sent a query that researcher half signed"},
		{name: "another label", ask: raw(func(q *access.Query) { q.Label = strings.Repeat("ab", 32) }, nil), told: "the query was signed under another label"},
		{name: "other servers", ask: raw(func(q *access.Query) { q.Servers = []string{"a", "b", "c"} }, nil), told: `the query is for the servers ["a" "b" "c"]`},
		{name: "a query of yesterday", ask: raw(func(q *access.Query) { q.Time -= 86_400_000 }, nil), told: "they may differ by 5m0s"},
		{name: "a query of tomorrow", ask: raw(func(q *access.Query) { q.Time += 86_400_000 }, nil), told: "they may differ by 5m0s"},
		{name: "a query that is asked again", ask: func(ctx context.Context) error {
			label := [32]byte{7}
			replies, err := askLabelled(ctx, rita, label, &replayed)
			if err != nil || len(replies) != 3 {
				return fmt.Errorf("the first time: %w", err)
			}
			_, err = rita.User.Ask(ctx, label, replayed)
			return err
		}, told: "the query was asked before"},
		{name: "batches that no server holds", ask: raw(func(q *access.Query) { q.Batches[firstKey(q.Batches)] += 5 }, nil), told: "those between are missing"},
		{name: "no such attribute", ask: raw(func(q *access.Query) { q.Attributes = []string{"X"} }, nil), told: `there is no attribute "X"`},
		{name: "an attribute twice", ask: raw(func(q *access.Query) { q.Attributes = []string{"HR", "HR"} }, nil), told: "the attribute HR twice"},
		{name: "no such statistic", ask: raw(func(q *access.Query) { q.Statistic = "median" }, nil), told: `"median" is no statistic`},
		{name: "patients that are not sorted", ask: raw(func(q *access.Query) { q.Patients = []string{"b", "a"} }, nil), told: "sorted, each once"},
		{name: "an empty time range", ask: raw(func(q *access.Query) { at := int64(5); q.From, q.Until = &at, &at }, nil), told: "the time range is empty"},
		{name: "a gateway with a batch of another one", ask: hold("gateway-2/y", time.Now()), told: `the source "gateway-2/y" is not one of gateway gateway-1`},
		{name: "a batch of tomorrow", ask: hold("gateway-1/x", tomorrow), told: "the batch was made at " + tomorrow.UTC().Format(time.RFC3339) + ", and the server's clock says "},
		{name: "no records", ask: question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}, Patients: []string{"nobody"}}), told: "no record fits the query, or it is about fewer than 3 patients"},
		{name: "no records in any group", ask: question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}, Patients: []string{"nobody"}, GroupBy: access.ByHour}), told: "no record fits the query, or a group of it is about fewer than 3 patients"},
		{name: "few patients, whose sums might not fit", ask: question(rita, client.Question{Statistic: access.Variance, Attributes: []string{"Wide"}, Patients: p(0, 1)}), told: "no record fits the query, or it is about fewer than 3 patients"},
		{name: "a cohort that is too small", ask: question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}, Patients: p(0, 1)}), told: "no record fits the query, or it is about fewer than 3 patients"},
		{name: "a group that is too small", ask: question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}, GroupBy: access.ByPatient}), told: "no record fits the query, or a group of it is about fewer than 3 patients"},
		{name: "one patient more than in an answered query", ask: question(rita, client.Question{Statistic: access.Variance, Attributes: []string{"Temp"}, Patients: p(0, 1, 2, 3, 4, 5)}), told: "the query differs from an answered one about Temp by fewer than 3 patients"},
		{name: "one patient less than in an answered query", ask: question(rita, client.Question{Statistic: access.Mean, Attributes: []string{"Temp"}, Patients: p(0, 1, 2, 3)}), told: "the query differs from an answered one about Temp by fewer than 3 patients"},
		{name: "what a researcher may not ask", ask: question(rita, client.Question{Statistic: access.Average, Attributes: []string{"HR"}}), told: "the policy does not permit researcher rita to ask for average of HR"},
		{name: "another physician's patient", ask: question(alice, client.Question{Statistic: access.Get, Attributes: []string{"HR"}, Patients: p(1)}), told: "the policy does not permit physician alice to ask for get of HR"},
		{name: "another physician's patient, of whom there is nothing", ask: question(alice, client.Question{Statistic: access.Get, Attributes: []string{"HR"}, Patients: []string{"nobody"}}), told: "the policy does not permit physician alice to ask for get of HR"},
		{name: "another physician's patient, whose sums might not fit", ask: question(alice, client.Question{Statistic: access.Variance, Attributes: []string{"Wide"}, Patients: p(1)}), told: "the policy does not permit physician alice to ask for var of Wide"},
		{name: "all patients of a physician", ask: question(alice, client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}), told: "the policy does not permit physician alice to ask for mean of HR"},
		{name: "sums that might not fit", ask: question(rita, client.Question{Statistic: access.Variance, Attributes: []string{"Wide"}}), told: "might not fit 63 bits"},
	}
	for _, test := range tests {
		err := test.ask(c.Within())
		var remote *wire.RemoteError
		if err == nil || !strings.Contains(err.Error(), test.told) {
			t.Errorf("%s: the client is told %v", test.name, err)
		} else if overTLS := test.told == "tls: "; !test.byClient && !overTLS && !errors.As(err, &remote) {
			t.Errorf("%s: %T is no refusal of a server", test.name, err)
		}
	}
	// The budget is spent last: it counts what was refused, too.
	for n := 0; ; n++ {
		err := raw(func(q *access.Query) { q.Patients = []string{"nobody"} }, nil)(c.Within())
		if err != nil && strings.Contains(err.Error(), "within 24h0m0s: no more are allowed") {
			break
		}
		if n == 60 {
			t.Fatalf("the budget does not end: %v", err)
		}
	}
	// A user who hears of one refusal may go away before the other servers have noted theirs.
	var entries []string
	for j := range 3 {
		own := c.Audit(j)
		for _, event := range []string{access.Started, access.Admitted, access.Answered} {
			if !slices.ContainsFunc(own, func(e string) bool { return strings.Contains(e, `"event":"`+event+`"`) }) {
				t.Errorf("the audit log of server %d has no %s", j+1, event)
			}
		}
		entries = append(entries, own...)
	}
	for _, test := range tests {
		noted := test.noted
		if noted == "" {
			noted = test.told
		}
		quoted, _ := json.Marshal(noted)
		if !test.nothing && !slices.ContainsFunc(entries, func(e string) bool {
			return strings.Contains(e, `"event":"refused"`) && strings.Contains(e, string(quoted[1:len(quoted)-1]))
		}) {
			t.Errorf("%s: no audit log says %q", test.name, noted)
		}
	}
}

func firstKey(m map[string]uint64) string {
	for k := range m {
		return k
	}
	return ""
}

// askLabelled asks under a label, and keeps the signed text.
func askLabelled(ctx context.Context, cl *client.Client, label [32]byte, keep *[]byte) ([]wire.Reply, error) {
	survey, err := cl.Survey(ctx)
	if err != nil {
		return nil, err
	}
	q := &access.Query{Servers: cl.User.Names, Label: hex.EncodeToString(label[:]), Time: time.Now().UnixMilli(), Statistic: access.Mean, Attributes: []string{"HR"}, Batches: survey.Held}
	if *keep, err = cl.Credentials.Sign(q); err != nil {
		return nil, err
	}
	return cl.User.Ask(ctx, label, *keep)
}

// A server that lacks its peers, a part of the records, or that has another key does not answer; what it says, it notes.
func TestServersDisagree(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	c.Ingest(tryout.MakeVitals(3, 6, 720))
	rita := c.Client(c.ResearcherConfig())
	mean := &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}
	if _, err := rita.Ask(c.Within(), mean); err != nil {
		t.Fatal(err)
	}
	c.Stop(1)
	if _, err := rita.Ask(c.Within(), mean); err == nil || !strings.Contains(err.Error(), "server-2.example: dial tcp") {
		t.Errorf("a server is down: %v", err)
	}
	// Another key, which the others do not know.
	keys := filepath.Join(filepath.Dir(c.ServerConfig(1)), "keys")
	shares := filepath.Join(filepath.Dir(c.ServerConfig(1)), "shares.db")
	public, err := os.ReadFile(filepath.Join(keys, server.PublicFile))
	if err != nil {
		t.Fatal(err)
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(keys, keys+".old")
	if _, err := server.Keygen(t.Context(), jobOptions, keys, tryout.ServerName(1), c.Variant, 512, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.TryStart(1); err == nil || !strings.Contains(err.Error(), "the store is of another key") {
		t.Errorf("a store of another key: %v", err)
	}
	other, err := os.ReadFile(filepath.Join(keys, server.PublicFile))
	if err != nil {
		t.Fatal(err)
	}
	rename(filepath.Join(keys, server.PublicFile), filepath.Join(keys, "new.json"))
	if err := os.WriteFile(filepath.Join(keys, server.PublicFile), public, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.TryStart(1); err == nil || !strings.Contains(err.Error(), "the public keys of this server are not those of") {
		t.Errorf("keys that do not belong together: %v", err)
	}
	if err := os.WriteFile(filepath.Join(keys, server.PublicFile), other, 0o600); err != nil {
		t.Fatal(err)
	}
	rename(shares, shares+".old")
	c.Start(1) // an empty store: no batch is held by all
	if _, err := rita.Ask(c.Within(), mean); err == nil || !strings.Contains(err.Error(), "no record fits the query") {
		t.Errorf("a server with nothing: %v", err)
	}
	c.Stop(1)
	rename(keys, keys+".new")
	rename(keys+".old", keys)
	rename(shares, shares+".new")
	rename(shares+".old", shares)
	c.Start(1)
	if _, err := rita.Ask(c.Within(), mean); err != nil {
		t.Errorf("with all as before: %v", err)
	}
	// One server has other records under the same numbers.
	forged(t, c, 2)
	if _, err := rita.Ask(c.Within(), mean); err == nil || !strings.Contains(err.Error(), "was asked another query") {
		t.Errorf("servers with other records: %v", err)
	}
	entries := slices.Concat(c.Audit(0), c.Audit(1), c.Audit(2))
	if !slices.ContainsFunc(entries, func(e string) bool {
		return strings.Contains(e, `"event":"failed"`) && strings.Contains(e, "another query")
	}) {
		t.Errorf("no audit log says so: %q", entries)
	}
}
