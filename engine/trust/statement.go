package trust

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// domain begins all that is signed here, so that no signature for another purpose is one of a statement.
const domain = "cipherfold signed table 1\n"

// Kinds of statements.
const (
	kindTable = "table" // as its owner encrypted it
	kindSum   = "sum"
)

// Statement is what is signed about one file of an encrypted table.
type Statement struct {
	Kind        string   `json:"kind"`        // "table" or "sum"
	Fingerprint string   `json:"fingerprint"` // of the public key that the table is encrypted under
	TableID     string   `json:"table_id"`
	Part        int      `json:"part,omitempty"` // of a table in several files, as in the footer
	LastPart    bool     `json:"last_part,omitempty"`
	Source      string   `json:"source,omitempty"`
	Layout      string   `json:"layout"`
	IDs         []string `json:"ids"`                  // id columns
	Rows        int64    `json:"rows"`                 // records
	Schema      string   `json:"schema"`               // SHA-256 of the measures and their slots
	Footer      string   `json:"footer"`               // SHA-256 of the footer's text, which has the digests of all ids and ciphertexts
	Statements  string   `json:"statements,omitempty"` // SHA-256 of the statements that a sum carries
}

// Signed is a statement with its signature.
type Signed struct {
	Statement Statement `json:"statement"`
	PublicKey string    `json:"public_key"` // 32 bytes, in hex
	Signature string    `json:"signature"`  // 64 bytes, in hex
}

// Signer is the fingerprint of whoever signed.
func (s *Signed) Signer() string {
	key, _ := hex.DecodeString(s.PublicKey)
	return Fingerprint(key)
}

// statementOf is the statement on a file. digest is that of its footer, carried the text of the statements that it carries.
func statementOf(t *ctfile.Table, digest, carried string) Statement {
	s := Statement{
		Kind: kindTable, Fingerprint: t.Fingerprint, TableID: t.TableID, Part: t.Part, LastPart: t.LastPart, Source: t.Source,
		Layout: t.Layout, IDs: append([]string{}, t.IDs...), Rows: t.Rows, Schema: schemaOf(t), Footer: digest,
	}
	if t.IsSum() {
		s.Kind = kindSum
	}
	if carried != "" {
		s.Statements = hash(carried)
	}
	return s
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// schemaOf is a digest of what the measures of a table are and which slots they have, but for what a fusion may change:
// bounds, and which columns and how many records a row has.
func schemaOf(t *ctfile.Table) string {
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, m := range t.Measures {
		m.Bound, m.Slots, m.InColumns = "", 0, nil
		m.Terms, m.Given = append([]string{}, m.Terms...), append([]string{}, m.Given...)
		_ = e.Encode(m) // a struct of texts and numbers, written to a hash
	}
	return hex.EncodeToString(h.Sum(nil))
}

// message is what is signed: there is one for each statement.
func (s *Statement) message() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("trust: %v", err)) // a struct of texts and numbers
	}
	return append([]byte(domain), text...)
}

// Seal signs the files of a table, and gives them the statements on the tables in it.
type Seal struct {
	Signer  *Signer // nil signs nothing
	Carried []Signed
}

// Footer returns what a file's footer has besides the table: the signed statement on it, and those that it carries, as
// far as there are any. digest is that of the footer's text. It is ctfile.Options.Sign.
func (s Seal) Footer(t *ctfile.Table, digest string) (signature, carried string, err error) {
	if len(s.Carried) > 0 {
		text, err := json.Marshal(s.Carried)
		if err != nil {
			return "", "", fmt.Errorf("writing the statements on tables: %w", err)
		}
		carried = string(text)
	}
	if s.Signer == nil {
		return "", carried, nil
	}
	x := Signed{Statement: statementOf(t, digest, carried), PublicKey: hex.EncodeToString(s.Signer.key.Public().(ed25519.PublicKey))}
	x.Signature = hex.EncodeToString(ed25519.Sign(s.Signer.key, x.Statement.message()))
	text, err := json.Marshal(x)
	if err != nil {
		return "", "", fmt.Errorf("writing the signature of a table: %w", err)
	}
	return string(text), carried, nil
}

// check refuses a signature that is not one of the statement.
func (s *Signed) check() error {
	key, err1 := hex.DecodeString(s.PublicKey)
	signature, err2 := hex.DecodeString(s.Signature)
	if err1 != nil || err2 != nil || len(key) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize {
		return errors.New("it has no Ed25519 key and signature")
	}
	if !ed25519.Verify(key, s.Statement.message(), signature) {
		return errors.New("the signature is not one of the statement")
	}
	return nil
}

// carriedMax bounds the statements in a footer.
const carriedMax = ctfile.OriginalsMax

// decode reads JSON that was written in one way only: any other spelling of it is refused.
func decode(text string, v any) error {
	if err := strictjson.Decode([]byte(text), v); err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, []byte(text)) {
		return errors.New("it is not written as the format has it, byte for byte")
	}
	return nil
}

// hintSignature is what to do about a signature that is wrong.
const hintSignature = "The file was changed after it was signed. Ask whoever made it for the file as it was."

// Signature returns the signed statement on a file of an encrypted table; nil when nobody signed. One that is wrong, or is
// about another file, is refused: a table is signed rightly or not at all.
func Signature(file string, t *ctfile.Table) (*Signed, error) {
	if t.Signature == "" {
		return nil, nil
	}
	s := &Signed{}
	if err := decode(t.Signature, s); err != nil {
		return nil, column.Refuse(file, "its signature is damaged: %w", err).WithHint(hintSignature)
	}
	if err := s.check(); err != nil {
		return nil, column.Refuse(file, "its signature is wrong: %w", err).WithHint(hintSignature)
	}
	if is := statementOf(t, t.FooterDigest, t.Statements); !bytes.Equal(is.message(), s.Statement.message()) {
		return nil, column.Refuse(file, "its signature is on another table: %s", s.Statement.difference(&is)).WithHint(hintSignature)
	}
	return s, nil
}

// difference names what a statement says otherwise than it is.
func (s *Statement) difference(is *Statement) string {
	for _, x := range []struct{ what, said, is string }{
		{"the kind", s.Kind, is.Kind}, {"the key", s.Fingerprint, is.Fingerprint}, {"the table's id", s.TableID, is.TableID},
		{"the part", fmt.Sprint(s.Part, s.LastPart), fmt.Sprint(is.Part, is.LastPart)}, {"the source", s.Source, is.Source},
		{"the layout", s.Layout, is.Layout}, {"the id columns", fmt.Sprintf("%q", s.IDs), fmt.Sprintf("%q", is.IDs)},
		{"the number of records", fmt.Sprint(s.Rows), fmt.Sprint(is.Rows)}, {"the digest of the measures", s.Schema, is.Schema},
		{"the statements on the tables in it", s.Statements, is.Statements},
	} {
		if x.said != x.is {
			return fmt.Sprintf("%s is %s, signed was %s", x.what, column.Quote(x.is), column.Quote(x.said))
		}
	}
	return "ids, ciphertexts or something else in the footer changed"
}

// Carried are the statements on the tables in a sum that its file carries, in the order of tables and parts, each with
// a valid signature. Whether the sum is signed is another question.
func Carried(file string, t *ctfile.Table) ([]Signed, error) {
	if t.Statements == "" {
		return nil, nil
	}
	var list []Signed
	if err := decode(t.Statements, &list); err != nil {
		return nil, column.Refuse(file, "its statements on tables are damaged: %w", err).WithHint(hintSignature)
	}
	if len(list) > carriedMax {
		return nil, column.Refuse(file, "it has %d statements on tables, more than %d", len(list), carriedMax).WithHint(hintSignature)
	}
	for i := range list {
		s := &list[i]
		if err := s.check(); err != nil {
			return nil, column.Refuse(file, "its statement on table %s is wrong: %w", column.Quote(s.Statement.TableID), err).WithHint(hintSignature)
		}
		if s.Statement.Kind != kindTable || i > 0 && compare(&list[i-1], s) >= 0 {
			return nil, column.Refuse(file, "its statements on tables are not as the format has them").WithHint(hintSignature)
		}
	}
	return list, nil
}

// carriedBy are the texts of the statements that files carry. Files of one sum carry the same, and signatures take long to
// check.
type carriedBy map[string]bool

// of is Carried, the first time that a text is there, and later nothing.
func (c carriedBy) of(file string, t *ctfile.Table) ([]Signed, error) {
	if c[t.Statements] {
		return nil, nil
	}
	c[t.Statements] = true
	return Carried(file, t)
}

// distinct sorts statements, and leaves one on each file of a table: the first.
func distinct(list []Signed) []Signed {
	slices.SortStableFunc(list, func(a, b Signed) int { return compare(&a, &b) })
	return slices.CompactFunc(list, func(a, b Signed) bool { return compare(&a, &b) == 0 })
}

// compare is the order of statements.
func compare(a, b *Signed) int {
	return cmp.Or(cmp.Compare(a.Statement.TableID, b.Statement.TableID), cmp.Compare(a.Statement.Part, b.Statement.Part))
}

// Input is an encrypted table: its name, and the footers of its files.
type Input struct {
	Name  string
	Table *ctfile.Table   // as if it were one file
	Files []*ctfile.Table // all of them, unless a single part was asked for
}

// Collect returns the statements that a sum of the inputs carries: those on its tables that are signed. It checks every
// signature of the inputs.
func Collect(inputs []Input) ([]Signed, error) {
	var all []Signed
	known := carriedBy{}
	for _, in := range inputs {
		for _, t := range in.Files {
			s, err := Signature(in.Name, t)
			if err != nil {
				return nil, err
			}
			if s != nil && s.Statement.Kind == kindTable {
				all = append(all, *s)
			}
			carried, err := known.of(in.Name, t)
			if err != nil {
				return nil, err
			}
			all = append(all, carried...)
		}
	}
	out := distinct(all)
	if len(out) > carriedMax {
		return nil, column.Refuse(inputs[0].Name, "the sum would carry %d statements on tables, more than %d", len(out), carriedMax).
			WithHint("Owners write their tables in fewer files.")
	}
	return out, nil
}
