package updatefile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
)

// Version is the version of the format, as written in the footer.
const Version = "1"

// Keys of the footer.
const (
	KeyVersion = "cipherfold.update.version"
	KeyFooter  = "cipherfold.update"
	KeyDigest  = "cipherfold.update.sha256"
)

// Kinds of files.
const (
	Update = "update" // of one member
	Sum    = "sum"    // of several
)

// Footer says what a file is.
type Footer struct {
	Kind        string     `json:"kind"`
	Scheme      string     `json:"scheme"`
	Set         string     `json:"set"` // of parameters of the scheme
	Network     string     `json:"network"`
	Round       uint64     `json:"round"`
	RoundSHA256 string     `json:"round_sha256"` // of the round's description
	Parameters  int64      `json:"parameters"`   // numbers in the vector
	Blocks      int64      `json:"blocks"`
	BlockBytes  int        `json:"block_bytes"`
	Limbs       int        `json:"limbs"`   // primes: rows of a block
	Largest     int64      `json:"largest"` // magnitude of a quantised number, without weights
	Members     []Member   `json:"members"` // whose updates are in it, in the order of the round
	Column      string     `json:"column"`  // of the numbers
	Type        string     `json:"type"`    // of the column: "float" or "double"
	Tensors     []Tensor   `json:"tensors,omitempty"`
	RowGroups   []RowGroup `json:"row_groups"`
}

// Member is one whose update is in a file.
type Member struct {
	Name      string `json:"name"`
	WeightMax int64  `json:"weight_max"`       // at most so large is the weight that is encrypted with the numbers
	Weight    uint64 `json:"weight"`           // that the ciphertexts are multiplied with
	SHA256    string `json:"sha256,omitempty"` // of the update's footer; "" in the update itself
}

// Tensor is a run of consecutive numbers with a name.
type Tensor struct {
	Name   string `json:"name"`
	Length int64  `json:"length"`
}

// RowGroup is a row group of the Parquet file.
type RowGroup struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Limits of what a footer can say.
const (
	MembersMax = 255
	TensorsMax = 1 << 20
	limbsMax   = 8
	rowMax     = math.MaxInt16 // bytes of a row
)

func refuse(format string, args ...any) *column.InputError {
	return column.Refuse("", format, args...).WithHint("The file is damaged, or was made by another program. Get it again.")
}

// check checks what can be checked without knowing the scheme or the round, but for row groups. Its errors are *column.InputError without a file.
func (f *Footer) check() error {
	switch {
	case f.Kind != Update && f.Kind != Sum:
		return refuse("the footer's kind is %s", column.Quote(f.Kind))
	case f.Parameters < 1 || f.Blocks < 1 || f.Blocks > f.Parameters:
		return refuse("the footer has %d numbers in %d blocks", f.Parameters, f.Blocks)
	case f.Limbs < 1 || f.Limbs > limbsMax || f.BlockBytes < 1 || f.BlockBytes%f.Limbs != 0 || f.rowBytes() > rowMax || f.Blocks > math.MaxInt64/int64(f.BlockBytes):
		return refuse("the footer has %d blocks of %d bytes", f.Blocks, f.BlockBytes)
	case len(f.Members) < 1 || len(f.Members) > MembersMax || f.Kind == Update && len(f.Members) != 1:
		return refuse("the footer has %d members", len(f.Members))
	case f.Type != "float" && f.Type != "double":
		return refuse("the footer's type of numbers is %s", column.Quote(f.Type))
	case len(f.Tensors) > TensorsMax:
		return refuse("the footer has %d tensors, and there can be %d", len(f.Tensors), TensorsMax)
	case !isDigest(f.RoundSHA256):
		return refuse("the footer's digest of the round is none")
	}
	seen := map[string]bool{}
	for _, m := range f.Members {
		if m.Name == "" || seen[m.Name] || m.WeightMax < 1 || m.Weight < 1 || f.Kind == Sum && !isDigest(m.SHA256) || f.Kind == Update && m.SHA256 != "" {
			return refuse("the footer's member %s is not as the format has it, or comes twice", column.Quote(m.Name))
		}
		seen[m.Name] = true
	}
	left := f.Parameters
	for _, t := range f.Tensors {
		if t.Length < 1 || t.Length > left {
			return refuse("the lengths of the footer's tensors do not add up to %d", f.Parameters)
		}
		left -= t.Length
	}
	if len(f.Tensors) > 0 && left != 0 {
		return refuse("the lengths of the footer's tensors do not add up to %d", f.Parameters)
	}
	return nil
}

// validate is check with the row groups.
func (f *Footer) validate() error {
	if err := f.check(); err != nil {
		return err
	}
	rows := f.Blocks * int64(f.Limbs)
	for _, g := range f.RowGroups {
		if g.Rows < 1 || g.Rows > rows || !isDigest(g.SHA256) {
			return refuse("the footer's row groups do not have %d blocks", f.Blocks)
		}
		rows -= g.Rows
	}
	if rows != 0 {
		return refuse("the footer's row groups do not have %d blocks", f.Blocks)
	}
	return nil
}

// rowBytes is the size of a row's ciphertext.
func (f *Footer) rowBytes() int { return f.BlockBytes / f.Limbs }

// isDigest says whether a text is a SHA-256 in lower-case hex.
func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// text is the footer as JSON, and its digest.
func (f *Footer) text() (text, digest string, err error) {
	b, err := json.Marshal(f)
	if err != nil {
		return "", "", fmt.Errorf("encoding the footer: %w", err)
	}
	sum := sha256.Sum256(b)
	return string(b), hex.EncodeToString(sum[:]), nil
}

// parse reads a footer. values returns all values of a key.
func parse(values func(key string) []string) (*Footer, string, error) {
	var found [3]string
	for i, key := range []string{KeyVersion, KeyFooter, KeyDigest} {
		v := values(key)
		if len(v) == 0 && i == 0 {
			return nil, "", column.Refuse("", "not an encrypted update: the footer has no key %q", key).WithHint("Encrypt the file first («fl encrypt»).")
		}
		if len(v) != 1 {
			return nil, "", refuse("the footer has the key %q %d times", key, len(v))
		}
		found[i] = v[0]
		if i == 0 && v[0] != Version {
			return nil, "", refuse("version %s of the format is not known", column.Quote(v[0])).
				WithHint("Use the cipherfold that wrote the file, or a newer one; this one reads version %s.", Version)
		}
	}
	sum := sha256.Sum256([]byte(found[1]))
	if hex.EncodeToString(sum[:]) != found[2] {
		return nil, "", refuse("the footer does not match its digest")
	}
	f := new(Footer)
	if err := strictjson.Decode([]byte(found[1]), f); err != nil {
		return nil, "", refuse("the footer is not as the format has it: %w", err)
	}
	return f, found[2], f.validate()
}
