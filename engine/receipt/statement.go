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

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
)

// Types of an in-toto statement.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://github.com/cipherfold/cipherfold/receipt/v1"
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

type digest struct {
	SHA256 string `json:"sha256"`
}

type annotations struct {
	Bytes int64  `json:"bytes"`
	Rows  *int64 `json:"rows,omitempty"`
	Table *Table `json:"table,omitempty"`
}

type predicate struct {
	Version  int        `json:"version"`
	Job      string     `json:"job,omitempty"`
	Steps    []step     `json:"steps"`
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
	Missing     map[string]int64  `json:"missing"`
	Filled      map[string]int64  `json:"filled"`
	Dropped     map[string]int64  `json:"dropped"`
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
	return statement{
		Type: statementType, PredicateType: predicateType, Subject: resources(r.Outputs),
		Predicate: predicate{
			Version: Version, Job: r.Job, Steps: steps(r.Steps), Inputs: resources(r.Inputs), Started: timeText(r.Started), Ended: timeText(r.Ended),
			ExitCode: r.ExitCode, Program: r.Program, Machine: r.Machine,
			Signer: signer{algorithm, r.Signer.ID(), base64.StdEncoding.EncodeToString(r.Signer.der())},
		},
	}
}

func resources(files []File) []resource {
	out := []resource{}
	for _, f := range files {
		out = append(out, resource{f.Path, digest{f.SHA256}, annotations{f.Bytes, f.Rows, f.Table}})
	}
	return out
}

func steps(list []Step) []step {
	var out []step
	for _, s := range list {
		out = append(out, step{
			Verb: s.Verb, Parameters: orEmpty(s.Parameters), Key: s.Key, Kernel: s.Kernel, Records: s.Records, Ciphertexts: s.Ciphertexts, Values: s.Values,
			Missing: orEmpty(s.Missing), Filled: orEmpty(s.Filled), Dropped: orEmpty(s.Dropped), Inputs: slices.Concat([]string{}, s.Inputs), Outputs: slices.Concat([]string{}, s.Outputs),
			Started: timeText(s.Started), Ended: timeText(s.Ended),
		})
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
	case s.PredicateType != predicateType:
		return nil, fmt.Errorf("a predicate of type %s", column.Quote(s.PredicateType))
	case p.Version != Version:
		return nil, fmt.Errorf("version %d of the format is not known", p.Version)
	case p.Signer.Algorithm != algorithm:
		return nil, fmt.Errorf("the algorithm %s is not known", column.Quote(p.Signer.Algorithm))
	}
	r := &Receipt{Job: p.Job, ExitCode: p.ExitCode, Program: p.Program, Machine: p.Machine}
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
			Missing: s.Missing, Filled: s.Filled, Dropped: s.Dropped, Inputs: s.Inputs, Outputs: s.Outputs,
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

func files(list []resource) []File {
	var out []File
	for _, x := range list {
		out = append(out, File{x.Name, x.Annotations.Bytes, x.Digest.SHA256, x.Annotations.Rows, x.Annotations.Table})
	}
	return out
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
	encrypted := map[string]*Table{}
	known := map[string]bool{}
	for _, list := range [][]File{r.Inputs, r.Outputs} {
		seen := map[string]bool{}
		for _, f := range list {
			switch {
			case f.Path == "":
				return errors.New("a file has no name")
			case !utf8.ValidString(f.Path):
				return fmt.Errorf("the name %s is not UTF-8", column.Quote(f.Path))
			case seen[f.Path]:
				return fmt.Errorf("the file %s comes twice", column.Quote(f.Path))
			case f.Bytes < 0 || f.Rows != nil && *f.Rows < 0:
				return fmt.Errorf("the file %s has a negative size", column.Quote(f.Path))
			case !isDigest(f.SHA256):
				return fmt.Errorf("the digest of %s is not 64 hex digits", column.Quote(f.Path))
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
