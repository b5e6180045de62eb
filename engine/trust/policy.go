package trust

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// policyBytesMax is far above the size of any trust file.
const policyBytesMax = 16 << 20

// Policy says whose tables somebody trusts: a trust file.
type Policy struct {
	File        string
	Fingerprint string // of the public key that tables must be encrypted under; "" for any
	owners      []party
	aggregators []party
}

// party is an owner or an aggregator.
type party struct {
	name, signer string
	weight       int64 // of an owner's table in a sum
}

// ReadPolicy reads a trust file. It is text, with a party on each line:
//
//	key        FINGERPRINT
//	owner      NAME SIGNER [weight=N]
//	aggregator NAME SIGNER
//
// Fingerprints are 64 hex digits, SIGNER that of a signer. Empty lines, and what follows a #, mean nothing. Anything
// else is refused, as are names and signers of owners that come twice.
func ReadPolicy(ctx context.Context, fs blob.FS, name string) (*Policy, error) {
	data, err := job.ReadFile(ctx, fs, name, policyBytesMax)
	if err != nil {
		return nil, err
	}
	p := &Policy{File: name}
	names, signers := map[string]bool{}, map[[2]string]bool{}
	for i, text := range strings.Split(string(bytes.TrimPrefix(data, []byte("\ufeff"))), "\n") {
		text, _, _ = strings.Cut(strings.TrimSuffix(text, "\r"), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		refuse := func(format string, args ...any) error {
			return column.Refuse(name, format, args...).AtLine(int64(i + 1)).
				WithHint("A trust file has lines such as: owner NAME FINGERPRINT. See the user guide.")
		}
		switch {
		case words[0] == "key" && len(words) == 2:
			if p.Fingerprint != "" {
				return nil, refuse("there is a key already")
			}
			if !IsFingerprint(words[1]) {
				return nil, refuse("%s is no fingerprint: 64 hex digits", column.Quote(words[1]))
			}
			p.Fingerprint = words[1]
			continue
		case words[0] == "owner" && (len(words) == 3 || len(words) == 4), words[0] == "aggregator" && len(words) == 3:
		default:
			return nil, refuse("%s is not: key FINGERPRINT, owner NAME FINGERPRINT, or aggregator NAME FINGERPRINT", column.Quote(strings.Join(words, " ")))
		}
		x := party{name: words[1], signer: words[2], weight: 1}
		if err := printable.Check(x.name); err != nil {
			return nil, refuse("the name %s cannot be shown: %v", column.Quote(x.name), err)
		}
		if !IsFingerprint(x.signer) {
			return nil, refuse("%s is no fingerprint of a signer: 64 hex digits", column.Quote(x.signer))
		}
		if names[x.name] || signers[[2]string{words[0], x.signer}] {
			return nil, refuse("%s or its signer is listed before", column.Quote(x.name))
		}
		names[x.name], signers[[2]string{words[0], x.signer}] = true, true
		if len(words) == 4 {
			number, ok := strings.CutPrefix(words[3], "weight=")
			n, err := strconv.ParseInt(number, 10, 64)
			if !ok || err != nil || n == 0 {
				return nil, refuse("%s is not weight=N, N a whole number and not 0", column.Quote(words[3]))
			}
			x.weight = n
		}
		if words[0] == "owner" {
			p.owners = append(p.owners, x)
		} else {
			p.aggregators = append(p.aggregators, x)
		}
	}
	if len(p.owners) == 0 {
		return nil, column.Refuse(name, "it lists no owner").WithHint("Write a line for each: owner NAME FINGERPRINT. keygen prints the fingerprint of a signer.")
	}
	return p, nil
}

// IsFingerprint reports whether a text is a fingerprint: 64 hex digits, lower case.
func IsFingerprint(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// find returns the party of a signer.
func find(list []party, signer string) *party {
	for i := range list {
		if list[i].signer == signer {
			return &list[i]
		}
	}
	return nil
}

// who names a signer for a message.
func (p *Policy) who(signer string) string {
	if x := find(p.owners, signer); x != nil {
		return x.name
	}
	if x := find(p.aggregators, signer); x != nil {
		return x.name
	}
	return fmt.Sprintf("the signer %s…, whom %s does not list", signer[:16], p.File)
}
