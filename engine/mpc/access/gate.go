package access

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// Limits are a server's for one role. The zero value allows nothing to be asked.
type Limits struct {
	// SmallestCohort is how many patients a sum is about at least. With 1, the role may ask about single patients, and
	// differences between its queries are not looked at.
	SmallestCohort int `toml:"smallest_cohort"`
	// Queries is how many queries of one user are answered within Period.
	Queries int      `toml:"queries"`
	Period  Duration `toml:"period"`
}

// Duration is a time.Duration that is written such as 24h.
type Duration struct{ time.Duration }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// Gate decides on queries to one server, and writes down what it decided.
type Gate struct {
	Credentials *Credentials
	Servers     []string // names of all, in order
	Store       store.Store
	Policy      *Policy
	Limits      map[Role]Limits
	Skew        time.Duration    // how far clocks may differ; 0 means SkewDefault
	Now         func() time.Time // nil means time.Now
}

// SkewDefault is how far the clock of a user may differ from the server's.
const SkewDefault = 5 * time.Minute

// Entry is an entry of the audit log.
type Entry struct {
	Time        int64  `json:"time"` // milliseconds since 1970
	Event       string `json:"event"`
	Role        Role   `json:"role,omitempty"`
	User        string `json:"user,omitempty"`
	Certificate string `json:"certificate,omitempty"` // serial number of the one that signed
	Label       string `json:"label,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Records     int64  `json:"records,omitempty"`
	Patients    int    `json:"patients,omitempty"`
	From        string `json:"from,omitempty"`  // network address
	Query       string `json:"query,omitempty"` // its text, as it was signed
	Signature   []byte `json:"signature,omitempty"`
}

// Events of the audit log.
const (
	Admitted = "admitted" // a query is to be answered
	Answered = "answered" // its result is about to leave
	Failed   = "failed"   // it was admitted, and then not answered
	Refused  = "refused"
	Started  = "started" // the server
)

// RefusedError is a query that is refused.
type RefusedError struct{ Reason error }

func (e *RefusedError) Error() string { return e.Reason.Error() }
func (e *RefusedError) Unwrap() error { return e.Reason }

func (g *Gate) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

func (g *Gate) skew() time.Duration {
	if g.Skew > 0 {
		return g.Skew
	}
	return SkewDefault
}

// Check refuses a query that this server would not answer whatever its records are: of somebody whose role does not ask, to
// other servers, under another label than it came with, or from another time.
func (g *Gate) Check(a *Asked, label [32]byte) error {
	if a.Who.Role != Physician && a.Who.Role != Researcher {
		return fmt.Errorf("a %s may not ask queries", a.Who.Role)
	}
	if _, ok := g.Limits[a.Who.Role]; !ok {
		return fmt.Errorf("a %s may not ask this server", a.Who.Role)
	}
	if !slices.Equal(a.Servers, g.Servers) {
		return fmt.Errorf("the query is for the servers %q, not for %q", a.Servers, g.Servers)
	}
	if a.Label != hex.EncodeToString(label[:]) {
		return errors.New("the query was signed under another label")
	}
	if d := g.now().Sub(time.UnixMilli(a.Time)); d > g.skew() || d < -g.skew() {
		return fmt.Errorf("the query is from %s, and the server's clock says %s: they may differ by %v",
			time.UnixMilli(a.Time).UTC().Format(time.RFC3339), g.now().UTC().Format(time.RFC3339), g.skew())
	}
	return nil
}

// nonceMargin is how long a nonce is kept beyond the last moment at which its query could come again: as long as a server may
// take from the check of the clock to the decision.
const nonceMargin = 24 * time.Hour

// nonceUntil is how long the nonce of a query is kept that was asked at a time.
func (g *Gate) nonceUntil(asked int64) int64 {
	return asked + (2*g.skew() + nonceMargin).Milliseconds()
}

// CheckMade refuses a batch that comes from the future: its readings would replace later ones.
func (g *Gate) CheckMade(made int64) error {
	if now := g.now(); made > now.Add(g.skew()).UnixMilli() {
		return fmt.Errorf("the batch was made at %s, and the server's clock says %s: they may differ by %v",
			time.UnixMilli(made).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), g.skew())
	}
	return nil
}

// Admit decides on a query that is about these cohorts: of each column those of the groups and, where there are groups, of
// all together, which comes last. It notes the label, the expense, the cohorts and an entry of the audit log in one transaction. A
// refusal is a *RefusedError.
//
// unfit is why the query cannot be computed, or nil. It may tell about records, so it is said only after all else permits.
func (g *Gate) Admit(ctx context.Context, a *Asked, columns []store.Column, cohorts [][]store.Cohort, records int64, unfit error) error {
	limits := g.Limits[a.Who.Role]
	extent := Extent{Records: records}
	for i, c := range cohorts[0] {
		n := c.Patients()
		if i == 0 || n < extent.Smallest {
			extent.Smallest = n
		}
		extent.Patients = n // the last one is of all
	}
	nonce, err := hex.DecodeString(a.Label)
	if err != nil || len(nonce) != 32 {
		return &RefusedError{errors.New("the label of the query is not 64 hexadecimal digits")}
	}
	return g.Store.Decide(ctx, func(l store.Ledger) error {
		now := g.now().UnixMilli()
		fresh, err := l.Nonce([32]byte(nonce), g.nonceUntil(a.Time), now)
		if err != nil {
			return err
		}
		if !fresh {
			return &RefusedError{errors.New("the query was asked before: each is answered once")}
		}
		user := userOf(a)
		spent, err := l.Spent(user, now-limits.Period.Milliseconds())
		if err != nil {
			return err
		}
		if spent >= limits.Queries {
			return &RefusedError{fmt.Errorf("%s has asked %d queries within %v: %w", a.Who, spent, limits.Period.Duration, errBudget)}
		}
		if err := g.Policy.Permit(a, extent); err != nil {
			return &RefusedError{err}
		}
		if limits.SmallestCohort > 1 && (records == 0 || extent.Smallest < limits.SmallestCohort) {
			// The same words for none and few: they would tell whether a single patient was measured, and when.
			what := "it"
			if a.GroupBy != "" {
				what = "a group of it"
			}
			return &RefusedError{fmt.Errorf("no record fits the query, or %s is about fewer than %d patients", what, limits.SmallestCohort)}
		}
		if records == 0 {
			return &RefusedError{errors.New("no record fits the query")}
		}
		if err := l.Spend(user, now); err != nil {
			return err
		}
		if limits.SmallestCohort > 1 {
			if err := compare(l, columns, cohorts, limits.SmallestCohort); err != nil {
				return err
			}
		}
		if unfit != nil {
			return &RefusedError{unfit}
		}
		entry := g.entry(Admitted, a)
		entry.Records, entry.Patients = records, extent.Patients
		return appendEntry(l, entry)
	})
}

// compare refuses cohorts that differ from answered ones by a few patients: the difference of the sums would be about these.
// Patients whose readings were only stored again count as different, too, but do not hide that few are in one cohort only.
func compare(l store.Ledger, columns []store.Column, cohorts [][]store.Cohort, least int) error {
	for i, column := range columns {
		err := l.Cohorts(column, func(answered store.Cohort) error {
			for _, c := range cohorts[i] {
				if places, all := c.Different(answered, least); places > 0 && places < least || all > 0 && all < least {
					return &RefusedError{fmt.Errorf("the query differs from an answered one about %s by fewer than %d patients: both together would tell about these", column.Attribute, least)}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i, column := range columns {
		for _, c := range cohorts[i] {
			if err := l.AddCohort(column, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry is an entry about a query.
func (g *Gate) entry(event string, a *Asked) Entry {
	e := Entry{Time: g.now().UnixMilli(), Event: event, Role: a.Who.Role, User: a.Who.Name, Certificate: a.Serial, Label: a.Label}
	if event == Admitted || event == Refused && len(a.Signed.Query) <= refusedQueryMax {
		e.Query = string(a.Signed.Query)
	}
	if (event == Admitted || event == Refused) && len(a.Signed.Signature) <= ed25519.SignatureSize {
		e.Signature = a.Signed.Signature
	}
	return e
}

// Limits of what an entry keeps, so that nobody fills the audit log with queries that are refused.
const (
	refusedQueryMax = 4 << 10 // bytes; of a longer query that is refused, the text is left out
	reasonMax       = 1000
	labelMax        = 64 // of a label and a serial number
)

// short is the beginning of a text.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

func appendEntry(l store.Ledger, e Entry) error {
	e.Reason, e.Label, e.Certificate = short(e.Reason, reasonMax), short(e.Label, labelMax), short(e.Certificate, labelMax)
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = l.Append(text)
	return err
}

// Refuse writes down a query that is refused. It counts as an expense of the user too, so that nobody can try many.
func (g *Gate) Refuse(ctx context.Context, a *Asked, reason error) error {
	e := g.entry(Refused, a)
	e.Reason = reason.Error()
	return g.Store.Decide(ctx, func(l store.Ledger) error {
		if _, ok := g.Limits[a.Who.Role]; ok && !errors.Is(reason, errBudget) {
			if err := l.Spend(userOf(a), e.Time); err != nil {
				return err
			}
		}
		return appendEntry(l, e)
	})
}

// userOf names whoever asks in the account of expenses.
func userOf(a *Asked) string { return string(a.Who.Role) + ":" + a.Who.Name }

// errBudget is that a user has asked too often.
var errBudget = errors.New("no more are allowed")

// Note writes an entry of the audit log about a query, with a reason for what went wrong.
func (g *Gate) Note(ctx context.Context, event string, a *Asked, reason error) error {
	e := g.entry(event, a)
	if reason != nil {
		e.Reason = reason.Error()
	}
	return g.Append(ctx, e)
}

// Append writes an entry of the audit log.
func (g *Gate) Append(ctx context.Context, e Entry) error {
	if e.Time == 0 {
		e.Time = g.now().UnixMilli()
	}
	return g.Store.Decide(ctx, func(l store.Ledger) error { return appendEntry(l, e) })
}
