package ctfile

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/column"
)

// Noise is what was added to values for differential privacy before they were encrypted. Tables fuse only when they
// agree in it, except for numbers of tables, which add up. The fusing program checks that and knows what the numbers
// mean.
type Noise struct {
	Place     string `json:"place"`     // "local": on every record, or "share": a part of what a sum needs
	Mechanism string `json:"mechanism"` // "discrete-laplace" or "discrete-gaussian"
	Epsilon   string `json:"epsilon"`   // positive decimals or fractions, "" where there is none: the guarantee,
	Delta     string `json:"delta"`
	Rho       string `json:"rho"`     // and in zero-concentrated differential privacy
	Records   int64  `json:"records"` // that a person is in, at most
	Counts    string `json:"counts"`  // "noisy" or "public"

	// The sum of the shares of Honest owners has the noise that the guarantee needs. Owners is how many owners there
	// are. Quiet is how many tables in the sum have no share.
	Owners int64 `json:"owners,omitempty"`
	Honest int64 `json:"honest,omitempty"`
	Quiet  int64 `json:"quiet,omitempty"`
	// Shares are the job ids of the tables whose shares are summed up here, so that none is counted twice. None means:
	// that of this table.
	Shares []string `json:"shares,omitempty"`
	// Groups are the id columns of the groups that have a share each; none: every record has one.
	Groups []string `json:"groups,omitempty"`
	// List identifies the list of groups, or of all records, that have a share each: tables with the same List have
	// the same list. 64 hex digits; "" for noise on every record.
	List string `json:"list,omitempty"`
	// ListDigest is how List was made: ListSorted, or "" in tables of earlier versions, whose XOR of hashes can be forged.
	ListDigest string `json:"list_digest,omitempty"`

	Quantities []NoisyQuantity `json:"quantities"` // those that have noise
}

// NoisyQuantity is the noise on one of the table's measures, in units of its packed integers.
type NoisyQuantity struct {
	Name        string `json:"name"`        // of the measure
	Sensitivity string `json:"sensitivity"` // what one record of a person changes at most
	Parameter   string `json:"parameter"`   // scale or σ² of one term, a decimal or a fraction
	Tail        string `json:"tail"`        // what one term practically never exceeds; the measure's bound includes it
	Tables      int64  `json:"tables"`      // how many tables with this noise are summed up here
}

// ListSorted is the ListDigest of a SHA-256 over the sorted list.
const ListSorted = "sorted-sha256"

// Fields of Noise and NoisyQuantity.
var (
	noiseFields    = []string{"place", "mechanism", "epsilon", "delta", "rho", "records", "counts", "owners", "honest", "quiet", "shares", "groups", "list", "list_digest", "quantities"}
	quantityFields = []string{"name", "sensitivity", "parameter", "tail", "tables"}
)

// knownNoise refuses unknown fields of the noise.
func knownNoise(noise strictjson.Raw) error {
	listed := false
	err := fields(noise, noiseFields, "noise", func(name string, value strictjson.Raw) error {
		if name != "quantities" {
			return nil
		}
		if listed = value[0] == '[' || string(value) == "null"; value[0] != '[' {
			return nil
		}
		return value.Elements(func(item strictjson.Raw) error { return fields(item, quantityFields, "noise", nil) })
	})
	if err == nil && !listed {
		return refuse("the footer's noise has no list of quantities")
	}
	return err
}

// clone returns a copy that shares nothing with n.
func (n *Noise) clone() *Noise {
	if n == nil {
		return nil
	}
	c := *n
	c.Shares = append([]string(nil), n.Shares...)
	c.Groups = append([]string(nil), n.Groups...)
	c.Quantities = append([]NoisyQuantity{}, n.Quantities...)
	return &c
}

// numberBytesMax bounds the numbers of Noise.
const numberBytesMax = 200

func (t *Table) checkNoise() error {
	if t.WeightMax < 0 {
		return refuse("weight_max is %d", t.WeightMax)
	}
	n := t.Noise
	if n == nil {
		return nil
	}
	known := func(what, value string, have ...string) error {
		if slices.Contains(have, value) {
			return nil
		}
		return refuse("noise: the %s %s is not known", what, column.Quote(value)).WithHint("A newer cipherfold may know it.")
	}
	if err := known("place", n.Place, "local", "share"); err != nil {
		return err
	}
	if err := known("mechanism", n.Mechanism, "discrete-laplace", "discrete-gaussian"); err != nil {
		return err
	}
	if err := known("treatment of counts", n.Counts, "noisy", "public"); err != nil {
		return err
	}
	if n.Records < 1 {
		return refuse("noise: records is %d", n.Records)
	}
	shares := n.Place == "share"
	if shares != (n.Honest > 0) || n.Honest > n.Owners || n.Owners < 0 || n.Quiet < 0 {
		return refuse("noise: %d honest of %d owners, %d tables without", n.Honest, n.Owners, n.Quiet)
	}
	if len(n.Shares) > 0 && !shares {
		return refuse("noise: shares of noise that is %s", n.Place)
	}
	for _, id := range n.Shares {
		if err := checkName("share", id); err != nil {
			return err
		}
	}
	if err := distinct("shares", n.Shares); err != nil {
		return err
	}
	for _, id := range n.Groups {
		if err := checkName("column", id); err != nil {
			return err
		}
	}
	if b, err := hex.DecodeString(n.List); err != nil || len(b) != 0 && (len(b) != sha256.Size || !shares) {
		return refuse("noise: the list is %s", column.Quote(n.List))
	}
	if err := known("digest of the list", n.ListDigest, "", ListSorted); err != nil {
		return err
	}
	if n.ListDigest != "" && n.List == "" {
		return refuse("noise: a digest of a list, and no list")
	}
	numbers := map[string]string{"rho": n.Rho}
	if n.Epsilon != "" {
		numbers["epsilon"] = n.Epsilon
	}
	if n.Delta != "" {
		numbers["delta"] = n.Delta
	}
	measures := make(map[string]bool, len(t.Measures))
	for i := range t.Measures {
		measures[t.Measures[i].Name] = true
	}
	var names []string
	for _, q := range n.Quantities {
		if !measures[q.Name] {
			return refuse("noise on %s, which is no measure", column.Quote(q.Name))
		}
		if q.Tables < 1 {
			return refuse("noise on %s of %d tables", column.Quote(q.Name), q.Tables)
		}
		names = append(names, q.Name)
		numbers["sensitivity of "+q.Name], numbers["parameter of "+q.Name], numbers["tail of "+q.Name] = q.Sensitivity, q.Parameter, q.Tail
	}
	if len(names) == 0 {
		return refuse("noise on no measure")
	}
	for what, text := range numbers {
		x, ok := new(big.Rat), false
		if len(text) <= numberBytesMax && strings.Trim(text, "0123456789./") == "" {
			_, ok = x.SetString(text)
		}
		if !ok || x.Sign() <= 0 {
			return refuse("noise: the %s is %s", printable.Escape(what), column.Quote(text))
		}
	}
	return distinct("noise on a measure", names)
}
