package ctfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
)

// Version is the version of the format, as written in the footer.
const Version = "1"

// Keys of the footer.
const (
	KeyVersion = "cipherfold.version"
	KeyTable   = "cipherfold.table"
	KeyDigest  = "cipherfold.table.sha256"

	KeySignature  = "cipherfold.signature"  // optional: Table.Signature
	KeyStatements = "cipherfold.statements" // optional: Table.Statements
)

// footer returns the footer's keys and values for a table, which is valid.
func (t *Table) footer() (map[string]string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encoding the footer: %w", err)
	}
	digest := sha256.Sum256(text)
	return map[string]string{KeyVersion: Version, KeyTable: string(text), KeyDigest: hex.EncodeToString(digest[:])}, nil
}

// Footer is the footer of a file as it was read.
type Footer struct {
	Table *Table   // must not be changed
	text  [32]byte // SHA-256 of the JSON
}

// parseFooter reads a table from the footer's keys and validates it, unless it is the one that was read before. values
// returns all values of a key. Its errors are *column.InputError without a file.
func parseFooter(values func(key string) []string, before Footer) (f Footer, err error) {
	var found [3]string
	for i, key := range []string{KeyVersion, KeyTable, KeyDigest} {
		switch v := values(key); {
		case len(v) == 0 && i == 0:
			return f, refuse("not an encrypted table: the footer has no key %q", key).
				WithHint("Encrypt the file first («encrypt»).")
		case len(v) == 0:
			return f, refuse("the footer has no key %q", key)
		case len(v) > 1:
			return f, refuse("the footer has the key %q %d times", key, len(v))
		default:
			found[i] = v[0]
		}
		if i == 0 && found[0] != Version {
			return f, refuse("version %s of the format is not known", column.Quote(found[0])).
				WithHint("Use the cipherfold that wrote the file, or a newer one; this one reads version %s.", Version)
		}
	}
	f.text = sha256.Sum256([]byte(found[1]))
	if hex.EncodeToString(f.text[:]) != found[2] {
		return f, refuse("the footer does not match its digest").WithHint("The file is damaged. Copy it again.")
	}
	if before.Table != nil && before.text == f.text {
		return before, nil
	}
	if f.Table, err = parseTable(found[1]); err != nil {
		return f, err
	}
	f.Table.FooterDigest = found[2]
	for key, text := range map[string]*string{KeySignature: &f.Table.Signature, KeyStatements: &f.Table.Statements} {
		v := values(key)
		if len(v) > 1 {
			return f, refuse("the footer has the key %q %d times", key, len(v))
		}
		if len(v) == 1 {
			*text = v[0]
		}
	}
	return f, f.Table.Validate()
}

// Names of the fields of version 1.
var (
	tableFields = []string{"scheme", "variant", "bits", "fingerprint", "public_key", "layout", "block_records", "ids", "columns",
		"measures", "max_adds", "adds_used", "rows", "source", "job_id", "test_key", "total", "part", "last_part", "preparation", "samples", "row_groups", "weight_max", "noise", "randomizers", "table_id", "originals", "unidentified", "repeats"}
	measureFields  = []string{"name", "terms", "given", "decimals", "bound", "width", "slots", "stride", "offset", "in_columns", "count"}
	stepFields     = []string{"on", "step", "value"}
	originalFields = []string{"id", "weight", "source", "parts"}
	rowGroupFields = []string{"rows", "ciphertext_sha256", "ids_sha256"}
)

// parseTable reads a table from JSON. It is stricter than encoding/json: fields are known or begin with "x_", are
// spelled exactly so, and occur once.
func parseTable(text string) (*Table, error) {
	if !utf8.ValidString(text) {
		return nil, refuse("the footer is not UTF-8")
	}
	top, err := strictjson.Check([]byte(text))
	if err != nil {
		return nil, refuse("the footer is not valid JSON: %w", err)
	}
	err = fields(top, tableFields, "", func(name string, value strictjson.Raw) error {
		switch name {
		case "measures":
			return listOf(value, name, measureFields)
		case "preparation":
			return listOf(value, name, stepFields)
		case "row_groups":
			return listOf(value, name, rowGroupFields)
		case "originals":
			return listOf(value, name, originalFields)
		case "noise":
			return knownNoise(value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := new(Table)
	if err := json.Unmarshal(top, t); err != nil {
		return nil, refuse("the footer is not as the format has it: %w", err)
	}
	return t, nil
}

// listOf checks the fields of the objects in a list of the footer.
func listOf(list strictjson.Raw, name string, known []string) error {
	if string(list) == "null" {
		return nil // as if it were not there
	}
	if list[0] != '[' {
		return refuse("the footer's %s are not a list", name)
	}
	return list.Elements(func(item strictjson.Raw) error { return fields(item, known, name, nil) })
}

// fields checks the names of the fields of an object: they are of this version or begin with "x_", and occur once. in
// is where the object stands, "" for the top. It calls f, unless that is nil, for each.
func fields(object strictjson.Raw, known []string, in string, f func(name string, value strictjson.Raw) error) error {
	var refused *column.InputError
	err := object.Members(func(name string, value strictjson.Raw) error {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "x_") {
			where := ""
			if in != "" {
				where = " of " + in
			}
			refused = refuse("the footer has the unknown field %s%s", column.Quote(name), where).
				WithHint("A newer cipherfold may know it; what it means could matter, so the file is not read.")
			return refused
		}
		if f == nil {
			return nil
		}
		err := f(name, value)
		errors.As(err, &refused)
		return err
	})
	switch {
	case err == nil || refused != nil:
		return err
	case in == "":
		return refuse("the footer is not valid JSON: %w", named(err))
	}
	return refuse("the footer's %s: %w", in, named(err))
}

// named says of which field an error of strictjson is.
func named(err error) error {
	if e := (*strictjson.Error)(nil); errors.As(err, &e) && e.Path != "" {
		return fmt.Errorf("the field %s %s", column.Quote(e.Path), e.Reason)
	}
	return err
}
