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

// parseFooter reads a table from the footer's keys and validates it. values returns all values of a key. Its errors
// are *column.InputError without a file.
func parseFooter(values func(key string) []string) (*Table, error) {
	var found [3]string
	for i, key := range []string{KeyVersion, KeyTable, KeyDigest} {
		switch v := values(key); {
		case len(v) == 0 && i == 0:
			return nil, refuse("not an encrypted table: the footer has no key %q", key).
				WithHint("Encrypt the file first («encrypt»).")
		case len(v) == 0:
			return nil, refuse("the footer has no key %q", key)
		case len(v) > 1:
			return nil, refuse("the footer has the key %q %d times", key, len(v))
		default:
			found[i] = v[0]
		}
		if i == 0 && found[0] != Version {
			return nil, refuse("version %s of the format is not known", column.Quote(found[0])).
				WithHint("Use the cipherfold that wrote the file, or a newer one; this one reads version %s.", Version)
		}
	}
	digest := sha256.Sum256([]byte(found[1]))
	if hex.EncodeToString(digest[:]) != found[2] {
		return nil, refuse("the footer does not match its digest").WithHint("The file is damaged. Copy it again.")
	}
	t, err := parseTable(found[1])
	if err != nil {
		return nil, err
	}
	return t, t.Validate()
}

// Names of the fields of version 1.
var (
	tableFields = []string{"scheme", "variant", "bits", "fingerprint", "public_key", "layout", "block_records", "ids", "columns",
		"measures", "max_adds", "adds_used", "rows", "source", "job_id", "test_key", "total", "part", "last_part", "preparation", "samples", "row_groups", "weight_max", "noise", "randomizers"}
	measureFields  = []string{"name", "terms", "given", "decimals", "bound", "width", "slots", "stride", "offset", "in_columns", "count"}
	stepFields     = []string{"on", "step", "value"}
	rowGroupFields = []string{"rows", "ciphertext_sha256", "ids_sha256"}
)

// parseTable reads a table from JSON. It is stricter than encoding/json: fields are known or begin with "x_", are
// spelled exactly so, and occur once.
func parseTable(text string) (*Table, error) {
	if !utf8.ValidString(text) {
		return nil, refuse("the footer is not UTF-8")
	}
	top, err := members([]byte(text))
	if err != nil {
		return nil, refuse("the footer is not valid JSON: %w", err)
	}
	if err := known(top, tableFields, ""); err != nil {
		return nil, err
	}
	for name, fields := range map[string][]string{"measures": measureFields, "preparation": stepFields, "row_groups": rowGroupFields} {
		var items []json.RawMessage
		if raw, ok := top[name]; ok {
			if err := json.Unmarshal(raw, &items); err != nil {
				return nil, refuse("the footer's %s are not a list", name)
			}
		}
		for _, item := range items {
			got, err := members(item)
			if err != nil {
				return nil, refuse("the footer's %s: %w", name, err)
			}
			if err := known(got, fields, " of "+name); err != nil {
				return nil, err
			}
		}
	}
	if raw, ok := top["noise"]; ok {
		if err := knownNoise(raw); err != nil {
			return nil, err
		}
	}
	t := new(Table)
	if err := json.Unmarshal([]byte(text), t); err != nil {
		return nil, refuse("the footer is not as the format has it: %w", err)
	}
	return t, nil
}

// known refuses fields that are not of this version.
func known(got map[string]json.RawMessage, fields []string, where string) error {
	for name := range got {
		if !slices.Contains(fields, name) && !strings.HasPrefix(name, "x_") {
			return refuse("the footer has the unknown field %s%s", column.Quote(name), where).
				WithHint("A newer cipherfold may know it; what it means could matter, so the file is not read.")
		}
	}
	return nil
}

// members returns the members of a JSON object, each of which occurs once.
func members(text []byte) (map[string]json.RawMessage, error) {
	members, err := strictjson.Members(text)
	if named := (*strictjson.Error)(nil); errors.As(err, &named) && named.Path != "" {
		return nil, fmt.Errorf("the field %s %s", column.Quote(named.Path), named.Reason)
	}
	return members, err
}
