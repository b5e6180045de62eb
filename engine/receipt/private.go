package receipt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/column"
)

// Private is the private part of a receipt: it opens the receipt's commitments. Whoever has it can try guesses of what
// is in the files, so it stays with the owner. Openings of single files may be handed out; the rest is then left out.
type Private struct {
	Version int       `json:"version"`
	Receipt string    `json:"receipt"` // SHA-256 of what is signed of the receipt, in hex
	Files   []Opening `json:"files"`
	Counts  *Counts   `json:"counts,omitempty"`
}

// privateVersion is the version of the format.
const privateVersion = 1

// Opening opens the commitment to a file: HMAC-SHA-256, under a salt of 32 random bytes, of what is known of the file.
type Opening struct {
	Path   string `json:"path"`
	Role   Role   `json:"role"`
	Salt   string `json:"salt"`   // 64 hex digits
	SHA256 string `json:"sha256"` // 64 hex digits
	Bytes  int64  `json:"bytes"`
	Rows   *int64 `json:"rows,omitempty"`
}

// Counts open the commitment to the counts of all steps.
type Counts struct {
	Salt  string       `json:"salt"` // 64 hex digits
	Steps []StepCounts `json:"steps"`
}

// StepCounts are the counts of a step that values could be guessed from.
type StepCounts struct {
	Missing map[string]int64 `json:"missing"`
	Filled  map[string]int64 `json:"filled"`
	Dropped map[string]int64 `json:"dropped"`
}

// Domains of what is committed to.
const (
	fileDomain   = "cipherfold commitment to a file v1\x00"
	countsDomain = "cipherfold commitment to counts v1\x00"
)

// PrivateName is the name of the private part beside a receipt.
func PrivateName(receipt string) string {
	if name, ok := strings.CutSuffix(receipt, ".json"); ok {
		return name + ".private.json"
	}
	return receipt + ".private"
}

func newSalt() string {
	var salt [32]byte
	_, _ = rand.Read(salt[:]) // never fails (crypto/rand)
	return hex.EncodeToString(salt[:])
}

// commitment is HMAC-SHA-256(salt, message). The salt is hex.
func commitment(salt string, message []byte) (string, error) {
	key, err := hex.DecodeString(salt)
	if err != nil || len(key) != 32 {
		return "", errors.New("a salt is not 64 hex digits")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// commitment is the one that the opening opens: over the domain, the file's SHA-256 (32 bytes), its size (8 bytes,
// little-endian), and either a byte 0 or a byte 1 and its rows (8 bytes, little-endian).
func (o *Opening) commitment() (string, error) {
	digest, err := hex.DecodeString(o.SHA256)
	if err != nil || len(digest) != sha256.Size {
		return "", errors.New("a digest is not 64 hex digits")
	}
	message := append([]byte(fileDomain), digest...)
	message = binary.LittleEndian.AppendUint64(message, uint64(o.Bytes))
	if o.Rows == nil {
		message = append(message, 0)
	} else {
		message = binary.LittleEndian.AppendUint64(append(message, 1), uint64(*o.Rows))
	}
	return commitment(o.Salt, message)
}

// commitment is the one that the counts open: over the domain and the steps in JSON.
func (c *Counts) commitment() (string, error) {
	text, err := encodeJSON(c.Steps)
	if err != nil {
		return "", err
	}
	return commitment(c.Salt, append([]byte(countsDomain), text...))
}

// seal replaces what values could be guessed from by commitments, and returns what opens them.
func (r *Receipt) seal() (*Private, error) {
	p := &Private{Version: privateVersion, Files: []Opening{}, Counts: &Counts{Salt: newSalt()}}
	hide := func(files []File, role Role) error {
		for i, f := range files {
			if f.Table != nil || f.Commitment != "" {
				continue
			}
			o := Opening{f.Path, role, newSalt(), f.SHA256, f.Bytes, f.Rows}
			c, err := o.commitment()
			if err != nil {
				return fmt.Errorf("the file %s: %w", column.Quote(f.Path), err)
			}
			p.Files = append(p.Files, o)
			files[i] = File{Path: f.Path, Commitment: c}
		}
		return nil
	}
	r.Inputs, r.Outputs, r.Steps = slices.Clone(r.Inputs), slices.Clone(r.Outputs), slices.Clone(r.Steps)
	if err := errors.Join(hide(r.Inputs, Input), hide(r.Outputs, Output)); err != nil {
		return nil, err
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		p.Counts.Steps = append(p.Counts.Steps, StepCounts{orEmpty(s.Missing), orEmpty(s.Filled), orEmpty(s.Dropped)})
		s.Missing, s.Filled, s.Dropped = nil, nil, nil
		s.Parameters = shown(s.Parameters)
	}
	var err error
	r.counts, err = p.Counts.commitment()
	return p, err
}

// shown are parameters with escapes for characters that cannot be shown, such as a tab that stands for a missing value.
func shown(parameters map[string]Values) map[string]Values {
	out := map[string]Values{}
	for name, values := range parameters {
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = printable.Escape(v)
		}
		out[name] = values
	}
	return out
}

// marshal is the private part as it is kept in a file: a line of JSON.
func (p *Private) marshal(r *Receipt) ([]byte, error) {
	p.Receipt = r.digest
	text, err := encodeJSON(p)
	return append(text, '\n'), err
}

// ParsePrivate reads the private part of a receipt. name is for errors.
func ParsePrivate(name string, data []byte) (*Private, error) {
	refuse := func(err error) error {
		return column.Refuse(name, "not the private part of a receipt: %w", err).WithHint("Give the file that was written beside the receipt.")
	}
	p := &Private{}
	if err := decodeJSON(trimLine(data), p); err != nil {
		return nil, refuse(err)
	}
	if p.Version != privateVersion {
		return nil, refuse(fmt.Errorf("version %d of the format is not known", p.Version))
	}
	if err := checkTexts(data); err != nil {
		return nil, refuse(err)
	}
	return p, nil
}

func trimLine(data []byte) []byte {
	if n := len(data); n > 0 && data[n-1] == '\n' {
		return data[:n-1]
	}
	return data
}

// openings are the openings of a private part, by what they open. The first of a file counts.
type openings map[opens]*Opening

type opens struct {
	path string
	role Role
}

func (p *Private) openings() openings {
	out := openings{}
	if p != nil {
		for i := range p.Files {
			o := &p.Files[i]
			if x := (opens{o.Path, o.Role}); out[x] == nil {
				out[x] = o
			}
		}
	}
	return out
}

// open returns the file that a commitment is about, or ok = false if nothing opens it. It refuses an opening of something
// else.
func (a openings) open(f File, role Role) (opened File, ok bool, err error) {
	o := a[opens{f.Path, role}]
	if o == nil {
		return f, false, nil
	}
	c, err := o.commitment()
	if err != nil || c != f.Commitment {
		return f, false, fmt.Errorf("its opening of %s does not fit the receipt", column.Quote(f.Path))
	}
	return File{Path: f.Path, SHA256: o.SHA256, Bytes: o.Bytes, Rows: o.Rows, Commitment: f.Commitment}, true, nil
}

// openCounts sets the counts of the receipt's steps.
func (p *Private) openCounts(r *Receipt) error {
	if p == nil || p.Counts == nil {
		return nil
	}
	c, err := p.Counts.commitment()
	if err != nil || c != r.counts || len(p.Counts.Steps) != len(r.Steps) {
		return errors.New("its counts do not fit the receipt")
	}
	for i, s := range p.Counts.Steps {
		r.Steps[i].Missing, r.Steps[i].Filled, r.Steps[i].Dropped = s.Missing, s.Filled, s.Dropped
	}
	return nil
}
