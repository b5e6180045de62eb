package receipt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Types of an in-toto statement.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateV1   = "https://github.com/cipherfold/cipherfold/receipt/v1"
	predicateV2   = "https://github.com/cipherfold/cipherfold/receipt/v2"
)

// statement is a receipt as it is written: an in-toto statement about the outputs.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"` // the outputs
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

// resource is an in-toto resource descriptor.
type resource struct {
	Name        string      `json:"name"`
	Digest      digest      `json:"digest"`
	Annotations annotations `json:"annotations"`
}

// digest is that of an encrypted table, or in version 2 a commitment to any other file.
type digest struct {
	SHA256     string `json:"sha256,omitempty"`
	Commitment string `json:"commitment,omitempty"`
}

type annotations struct {
	Bytes *int64 `json:"bytes,omitempty"` // not beside a commitment
	Rows  *int64 `json:"rows,omitempty"`
	Table *Table `json:"table,omitempty"`
}

type predicate struct {
	Version  int        `json:"version"`
	Job      string     `json:"job,omitempty"`
	Steps    []step     `json:"steps"`
	Counts   string     `json:"counts,omitempty"` // of version 2: a commitment to the counts of all steps
	Inputs   []resource `json:"inputs"`
	Started  string     `json:"started"`
	Ended    string     `json:"ended"`
	ExitCode int        `json:"exit_code"`
	Program  Program    `json:"program"`
	Machine  Machine    `json:"machine"`
	Signer   signer     `json:"signer"`
}

type step struct {
	Verb        string            `json:"verb"`
	Parameters  map[string]Values `json:"parameters"`
	Key         *Key              `json:"key,omitempty"`
	Kernel      string            `json:"kernel,omitempty"`
	Records     int64             `json:"records"`
	Ciphertexts int64             `json:"ciphertexts"`
	Values      int64             `json:"values"`
	Missing     *map[string]int64 `json:"missing,omitempty"` // these three in version 1 only
	Filled      *map[string]int64 `json:"filled,omitempty"`
	Dropped     *map[string]int64 `json:"dropped,omitempty"`
	Inputs      []string          `json:"inputs"`
	Outputs     []string          `json:"outputs"`
	Started     string            `json:"started"`
	Ended       string            `json:"ended"`
}

type signer struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	PublicKey string `json:"public_key"` // SubjectPublicKeyInfo, DER, base64
}

const algorithm = "ed25519"

// Limits of what is read: far above any job, and low enough that no receipt makes the reader allocate much.
const (
	bytesMax   = 64 << 20
	objectsMax = 400_000
	stringsMax = 2_000_000
)

// statement turns a receipt into the form in which it is written.
func (r *Receipt) statement() statement {
	kind := predicateV2
	if r.version() == 1 {
		kind = predicateV1
	}
	return statement{
		Type: statementType, PredicateType: kind, Subject: resources(r.Outputs),
		Predicate: predicate{
			Version: r.version(), Job: r.Job, Steps: r.steps(), Counts: r.counts, Inputs: resources(r.Inputs), Started: timeText(r.Started), Ended: timeText(r.Ended),
			ExitCode: r.ExitCode, Program: r.Program, Machine: r.Machine,
			Signer: signer{algorithm, r.Signer.ID(), base64.StdEncoding.EncodeToString(r.Signer.der())},
		},
	}
}

// version is that of the form in which the receipt is written.
func (r *Receipt) version() int {
	if r.old {
		return 1
	}
	return Version
}

func resources(files []File) []resource {
	out := []resource{}
	for _, f := range files {
		if f.Commitment != "" {
			out = append(out, resource{Name: f.Path, Digest: digest{Commitment: f.Commitment}})
			continue
		}
		out = append(out, resource{f.Path, digest{SHA256: f.SHA256}, annotations{&f.Bytes, f.Rows, f.Table}})
	}
	return out
}

func (r *Receipt) steps() []step {
	var out []step
	for _, s := range r.Steps {
		x := step{
			Verb: s.Verb, Parameters: orEmpty(s.Parameters), Key: s.Key, Kernel: s.Kernel, Records: s.Records, Ciphertexts: s.Ciphertexts, Values: s.Values,
			Inputs: slices.Concat([]string{}, s.Inputs), Outputs: slices.Concat([]string{}, s.Outputs),
			Started: timeText(s.Started), Ended: timeText(s.Ended),
		}
		if r.version() == 1 {
			missing, filled, dropped := orEmpty(s.Missing), orEmpty(s.Filled), orEmpty(s.Dropped)
			x.Missing, x.Filled, x.Dropped = &missing, &filled, &dropped
		}
		out = append(out, x)
	}
	return out
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// timeText writes a time in UTC with milliseconds.
func timeText(t time.Time) string { return t.UTC().Format(timeForm) }

const timeForm = "2006-01-02T15:04:05.000Z"

// readStatement is the inverse. It accepts exactly what statement would write, byte for byte.
func readStatement(payload []byte) (*Receipt, error) {
	var s statement
	if err := decodeJSON(payload, &s); err != nil {
		return nil, err
	}
	if err := checkTexts(payload); err != nil {
		return nil, err
	}
	r, err := s.receipt()
	if err != nil {
		return nil, err
	}
	s = r.statement()
	if again, err := encodeJSON(&s); err != nil || !bytes.Equal(again, payload) {
		return nil, errOtherBytes
	}
	return r, nil
}

// receipt refuses what no receipt says.
func (s *statement) receipt() (*Receipt, error) {
	p := &s.Predicate
	switch {
	case s.Type != statementType:
		return nil, fmt.Errorf("a statement of type %s", column.Quote(s.Type))
	case s.PredicateType != predicateV1 && s.PredicateType != predicateV2:
		return nil, fmt.Errorf("a predicate of type %s", column.Quote(s.PredicateType))
	case p.Version != 1 && p.Version != Version:
		return nil, fmt.Errorf("version %d of the format is not known", p.Version)
	case p.Signer.Algorithm != algorithm:
		return nil, fmt.Errorf("the algorithm %s is not known", column.Quote(p.Signer.Algorithm))
	}
	r := &Receipt{old: p.Version == 1, counts: p.Counts, Job: p.Job, ExitCode: p.ExitCode, Program: p.Program, Machine: p.Machine}
	var err error
	if r.Started, err = parseTime(p.Started); err != nil {
		return nil, err
	}
	if r.Ended, err = parseTime(p.Ended); err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.Strict().DecodeString(p.Signer.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("the signer's key: %w", err)
	}
	if r.Signer, err = parsePublicDER(der); err != nil {
		return nil, fmt.Errorf("the signer's key: %w", err)
	}
	if p.Signer.KeyID != r.Signer.ID() {
		return nil, errors.New("the signer's key is not the one that it names")
	}
	r.Inputs, r.Outputs = files(p.Inputs), files(s.Subject)
	for _, s := range p.Steps {
		x := Step{
			Verb: s.Verb, Parameters: s.Parameters, Key: s.Key, Kernel: s.Kernel, Records: s.Records, Ciphertexts: s.Ciphertexts, Values: s.Values,
			Missing: orNone(s.Missing), Filled: orNone(s.Filled), Dropped: orNone(s.Dropped), Inputs: s.Inputs, Outputs: s.Outputs,
		}
		if x.Started, err = parseTime(s.Started); err != nil {
			return nil, err
		}
		if x.Ended, err = parseTime(s.Ended); err != nil {
			return nil, err
		}
		r.Steps = append(r.Steps, x)
	}
	return r, r.validate()
}

func orNone(m *map[string]int64) map[string]int64 {
	if m == nil {
		return nil
	}
	return *m
}

func files(list []resource) []File {
	var out []File
	for _, x := range list {
		f := File{Path: x.Name, SHA256: x.Digest.SHA256, Commitment: x.Digest.Commitment, Rows: x.Annotations.Rows, Table: x.Annotations.Table}
		if x.Annotations.Bytes != nil {
			f.Bytes = *x.Annotations.Bytes
		}
		out = append(out, f)
	}
	return out
}

// checkTexts checks that all names and texts of valid JSON can be shown to a person.
func checkTexts(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if s, ok := token.(string); ok {
			if err := printable.Check(s); err != nil {
				return fmt.Errorf("the text %s cannot be shown: %w", column.Quote(s), err)
			}
		}
	}
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(timeForm, s)
	if err != nil {
		return t, fmt.Errorf("%s is not a time in UTC with milliseconds", column.Quote(s))
	}
	return t, nil
}

// validate checks the rules for every receipt, when it is signed and when it is read.
func (r *Receipt) validate() error {
	if len(r.Steps) == 0 {
		return errors.New("there is no step")
	}
	if len(r.Outputs) == 0 {
		return errors.New("there is no output")
	}
	if r.ExitCode != 0 {
		return fmt.Errorf("the job failed: its exit code was %d", r.ExitCode)
	}
	if hidden := r.counts != ""; hidden == (r.version() == 1) || hidden && !isDigest(r.counts) {
		return errors.New("the commitment to its counts is not 64 hex digits")
	}
	encrypted := map[string]*Table{}
	known := map[string]bool{}
	for _, list := range [][]File{r.Inputs, r.Outputs} {
		seen := map[string]bool{}
		for _, f := range list {
			switch {
			case f.Path == "":
				return errors.New("a file has no name")
			case len(f.Path) > blob.NameBytesMax:
				return fmt.Errorf("the name of a file has %d bytes", len(f.Path))
			case !utf8.ValidString(f.Path):
				return fmt.Errorf("the name %s is not UTF-8", column.Quote(f.Path))
			case seen[f.Path]:
				return fmt.Errorf("the file %s comes twice", column.Quote(f.Path))
			case f.Bytes < 0 || f.Rows != nil && *f.Rows < 0:
				return fmt.Errorf("the file %s has a negative size", column.Quote(f.Path))
			case f.Commitment == "" && !isDigest(f.SHA256):
				return fmt.Errorf("the digest of %s is not 64 hex digits", column.Quote(f.Path))
			case f.Commitment != "" && (!isDigest(f.Commitment) || r.version() == 1 || f.SHA256 != "" || f.Bytes != 0 || f.Rows != nil || f.Table != nil):
				return fmt.Errorf("the commitment to %s is not 64 hex digits alone", column.Quote(f.Path))
			case f.Commitment == "" && f.Table == nil && r.version() > 1:
				return fmt.Errorf("the file %s is no encrypted table and has a digest, from which its content could be guessed", column.Quote(f.Path))
			}
			seen[f.Path], known[f.Path] = true, true
			encrypted[f.Path] = f.Table // an output of the same name is later, and counts
		}
	}
	for _, s := range r.Steps {
		for _, name := range slices.Concat(s.Inputs, s.Outputs) {
			if !known[name] {
				return fmt.Errorf("step %s names %s, which is no file of the receipt", column.Quote(s.Verb), column.Quote(name))
			}
		}
		if s.Verb != "encrypt" && s.Verb != "fuse" {
			continue
		}
		for _, name := range s.Outputs {
			if t := encrypted[name]; t == nil || s.Key == nil || t.Fingerprint != s.Key.Fingerprint {
				return fmt.Errorf("step %s wrote %s, which is not encrypted under its key", s.Verb, column.Quote(name))
			}
		}
	}
	return nil
}

// isDigest reports whether s is a SHA-256 in hex.
func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// encodeJSON is json.Marshal without escapes for HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

var errOtherBytes = errors.New("it is not written as the format has it, byte for byte")

// decodeJSON reads what encodeJSON wrote, byte for byte: unknown and repeated members, other spellings of the same thing
// and anything that follows are refused.
func decodeJSON(text []byte, v any) error {
	if len(text) > bytesMax || bytes.Count(text, []byte("{")) > objectsMax || bytes.Count(text, []byte(",")) > stringsMax {
		return errors.New("it is too large")
	}
	if err := strictjson.Decode(text, v); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return err
	}
	again, err := encodeJSON(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, text) {
		return errOtherBytes
	}
	return nil
}
