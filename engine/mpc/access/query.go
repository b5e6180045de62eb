package access

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// Statistics that can be asked for.
const (
	Get         = "get"     // single values, under the user's key
	Average     = "average" // a mean under the user's key
	Mean        = "mean"
	Variance    = "var"
	Covariance  = "cov"
	Correlation = "cor"
	Regression  = "regress"
)

// Statistics lists all of them.
var Statistics = []string{Get, Average, Mean, Variance, Covariance, Correlation, Regression}

// Groups by which sums can be asked for.
const (
	ByPatient = "patient"
	ByHour    = "hour"
	ByDay     = "day"
)

// Query is what a user asks. Its JSON form is what is signed.
type Query struct {
	Version    int               `json:"version"` // 1
	Servers    []string          `json:"servers"` // names of all, in order
	Label      string            `json:"label"`   // 64 hexadecimal digits, used once
	Time       int64             `json:"time"`    // when it was asked, in milliseconds since 1970
	Statistic  string            `json:"statistic"`
	Attributes []string          `json:"attributes"`           // of a regression, the one that depends on the others comes first
	Patients   []string          `json:"patients,omitempty"`   // sorted; none means all
	From       *int64            `json:"from,omitempty"`       // the first millisecond since 1970 that counts
	Until      *int64            `json:"until,omitempty"`      // the first that does not count
	GroupBy    string            `json:"group_by,omitempty"`   // patient, hour or day
	Batches    map[string]uint64 `json:"batches"`              // the last batch of each source that counts
	PublicKey  json.RawMessage   `json:"public_key,omitempty"` // Paillier, for get and average
}

// Version of queries.
const queryVersion = 1

// Signed is a query on its way.
type Signed struct {
	Query       []byte `json:"query"` // its text, in base64
	Certificate []byte `json:"certificate"`
	Signature   []byte `json:"signature"`
}

// signatureContext separates signatures of queries from any others.
const signatureContext = "cipherfold query 1\x00"

// Sign signs a query.
func (c *Credentials) Sign(q *Query) ([]byte, error) {
	if c.signer == nil {
		return nil, errors.New("there is no key to sign queries with")
	}
	q.Version = queryVersion
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Signed{Query: text, Certificate: c.signing.Raw, Signature: ed25519.Sign(c.signer, append([]byte(signatureContext), text...))})
}

// Signing is the certificate that signs queries, nil when there is none.
func (c *Credentials) Signing() []byte {
	if c.signing == nil {
		return nil
	}
	return c.signing.Raw
}

// Asked is a query whose signature is right.
type Asked struct {
	Query
	Signed Signed
	Who    Identity
	Serial string // of the certificate that signed
}

// Open reads a signed query. It checks the certificate that signed it, against the authorities and the time now, and that
// whoever connected is whoever signed. What it returns with an error is as much as could be read, for the audit log.
func (c *Credentials) Open(data []byte, connected *x509.Certificate, now time.Time) (*Asked, error) {
	a := new(Asked)
	who, err := IdentityOf(connected)
	if err != nil {
		return a, err
	}
	a.Who = who
	if err := strictjson.Decode(data, &a.Signed); err != nil {
		return a, fmt.Errorf("the query is not one: %w", err)
	}
	if err := checkText(a.Signed.Query); err != nil {
		a.Signed = Signed{} // what the audit log could not keep, or not as it was signed
		return a, err
	}
	cert, err := x509.ParseCertificate(a.Signed.Certificate)
	if err != nil {
		return a, fmt.Errorf("the certificate of the query: %w", err)
	}
	a.Serial = cert.SerialNumber.Text(16)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: c.Roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}); err != nil {
		return a, fmt.Errorf("the certificate of the query: %w", err)
	}
	if err := c.Check(cert); err != nil {
		return a, err
	}
	signer, err := IdentityOf(cert)
	if err != nil {
		return a, err
	}
	if signer != who {
		return a, fmt.Errorf("%s sent a query that %s signed", who, signer)
	}
	key, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || !ed25519.Verify(key, append([]byte(signatureContext), a.Signed.Query...), a.Signed.Signature) {
		return a, errors.New("the signature of the query is not right")
	}
	if err := strictjson.Decode(a.Signed.Query, &a.Query); err != nil {
		return a, fmt.Errorf("the query is not one: %w", err)
	}
	return a, a.check()
}

// Limits of a query.
const (
	attributesMax = 64
	patientsMax   = 100_000
	queryBytesMax = 8 << 20
)

// checkText refuses a text that is too long, or that the audit log would change.
func checkText(text []byte) error {
	switch {
	case len(text) > queryBytesMax:
		return fmt.Errorf("the query has %d bytes: at most %d are possible", len(text), queryBytesMax)
	case !utf8.Valid(text):
		return errors.New("the query is not text in UTF-8")
	}
	return nil
}

// check refuses a query that makes no sense by itself.
func (q *Query) check() error {
	want := map[string][2]int{Get: {1, 1}, Average: {1, 1}, Mean: {1, attributesMax}, Variance: {1, attributesMax}, Covariance: {2, attributesMax}, Correlation: {2, attributesMax}, Regression: {2, attributesMax}}
	n, known := want[q.Statistic]
	switch {
	case q.Version != queryVersion:
		return fmt.Errorf("a query of version %d, not %d", q.Version, queryVersion)
	case !known:
		return fmt.Errorf("%q is no statistic", q.Statistic)
	case len(q.Attributes) < n[0] || len(q.Attributes) > n[1]:
		return fmt.Errorf("%s of %d attributes: it takes %d to %d", q.Statistic, len(q.Attributes), n[0], n[1])
	case len(q.Patients) > patientsMax:
		return fmt.Errorf("a query about %d patients: name at most %d, or none for all", len(q.Patients), patientsMax)
	case !slices.IsSorted(q.Patients) || len(slices.Compact(slices.Clone(q.Patients))) != len(q.Patients):
		return errors.New("the patients of a query are sorted, each once")
	case q.GroupBy != "" && q.GroupBy != ByPatient && q.GroupBy != ByHour && q.GroupBy != ByDay:
		return fmt.Errorf("groups by %q: there are patient, hour and day", q.GroupBy)
	case q.Statistic == Get && q.GroupBy != "":
		return errors.New("single values are not grouped")
	case (q.Statistic == Get || q.Statistic == Average) != (len(q.PublicKey) > 0):
		return fmt.Errorf("%s and a public key of the user: only get and average need one", q.Statistic)
	case q.From != nil && q.Until != nil && *q.From >= *q.Until:
		return errors.New("the time range is empty")
	}
	seen := map[string]bool{}
	for _, a := range q.Attributes {
		if seen[a] {
			return fmt.Errorf("the attribute %s twice", a)
		}
		seen[a] = true
	}
	return nil
}
