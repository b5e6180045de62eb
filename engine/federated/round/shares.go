package round

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// Shares are a member's shares of its key of a round, one sealed to each member, with the update that they belong to.
type Shares struct {
	Cipherfold   string   `json:"cipherfold"`
	RoundSHA256  string   `json:"round_sha256"`
	Member       string   `json:"member"`
	UpdateSHA256 string   `json:"update_sha256"` // of the update's footer
	Sealed       [][]byte `json:"sealed"`        // in the order of the round
	Signature    []byte   `json:"signature,omitempty"`
}

const (
	sharesKind = "federated shares 1"
	answerKind = "federated answer 1"
)

// sharePurpose is what a share is sealed for.
func sharePurpose(round, update, from, to string) string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%d %s\x00%s", sharesKind, round, update, len(from), from, to)
}

// statement is what is signed.
func (s Shares) statement() []byte {
	s.Signature = nil
	return mustMarshal(s)
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return b
}

// NewShares seals shares of a member's key, in the order of the round.
func (r *Round) NewShares(id *Identity, update string, shares [][]byte) (*Shares, error) {
	s := &Shares{Cipherfold: sharesKind, RoundSHA256: r.digest, Member: id.card.Name, UpdateSHA256: update}
	for h, m := range r.Members {
		sealed, err := m.sealTo(sharePurpose(r.digest, update, s.Member, m.Name), shares[h])
		if err != nil {
			return nil, err
		}
		s.Sealed = append(s.Sealed, sealed)
	}
	s.Signature = id.signature(sharesKind, s.statement())
	return s, nil
}

// Document is the file of the shares.
func (s *Shares) Document() []byte { return document(s) }

// ReadShares reads shares of a round, and checks who signed them.
func (r *Round) ReadShares(ctx context.Context, fs blob.FS, name string) (*Shares, error) {
	s := new(Shares)
	if _, err := readDocument(ctx, fs, name, sharesKind, "shares of a key", s, nil); err != nil {
		return nil, err
	}
	if s.RoundSHA256 != r.digest {
		return nil, otherRound(name)
	}
	i := r.Index(s.Member)
	if i < 0 {
		return nil, column.Refuse(name, "%s is no member of the round", column.Quote(s.Member)).WithHint("Leave the file out.")
	}
	if len(s.Sealed) != len(r.Members) || !r.Members[i].verify(sharesKind, s.statement(), s.Signature) {
		return nil, column.Refuse(name, "the signature is not that of %s", column.Quote(s.Member)).WithHint("Get the file again from that member.")
	}
	return s, nil
}

func otherRound(name string) error {
	return column.Refuse(name, "it belongs to another round, or to another description of it").
		WithHint("All files of a round must be made with the same description, byte for byte.")
}

// Answer is a helper's sum of its shares, for an opening.
type Answer struct {
	Cipherfold  string  `json:"cipherfold"`
	RoundSHA256 string  `json:"round_sha256"`
	Helper      string  `json:"helper"`
	Opening     Opening `json:"opening"`
	Sum         []byte  `json:"sum"`
	Signature   []byte  `json:"signature,omitempty"`
}

func (a Answer) statement() []byte {
	a.Signature = nil
	return mustMarshal(a)
}

// NewAnswer adds up the helper's shares of the keys of those in an opening. shares are those of all members in it.
func (r *Round) NewAnswer(id *Identity, o Opening, shares map[string]*Shares) (*Answer, error) {
	helper := r.Index(id.card.Name)
	sum := r.Set().NewShareSum()
	for _, in := range o.Inputs {
		s := shares[in.Member]
		share, err := id.open(sharePurpose(r.digest, s.UpdateSHA256, s.Member, id.card.Name), s.Sealed[helper])
		if err == nil {
			err = sum.Add(share, in.Weight)
		}
		if err != nil {
			return nil, fmt.Errorf("the share of %s for %s cannot be read: %w", column.Quote(in.Member), column.Quote(id.card.Name), err)
		}
	}
	a := &Answer{Cipherfold: answerKind, RoundSHA256: r.digest, Helper: id.card.Name, Opening: o, Sum: sum.Answer()}
	a.Signature = id.signature(answerKind, a.statement())
	return a, nil
}

// Document is the file of the answer.
func (a *Answer) Document() []byte { return document(a) }

// ReadAnswer reads an answer of a round, and checks who signed it.
func (r *Round) ReadAnswer(ctx context.Context, fs blob.FS, name string) (*Answer, error) {
	a := new(Answer)
	if _, err := readDocument(ctx, fs, name, answerKind, "a helper's answer", a, nil); err != nil {
		return nil, err
	}
	if a.RoundSHA256 != r.digest || a.Opening.RoundSHA256 != r.digest {
		return nil, otherRound(name)
	}
	i := r.Index(a.Helper)
	if i < 0 {
		return nil, column.Refuse(name, "%s is no member of the round", column.Quote(a.Helper)).WithHint("Leave the file out.")
	}
	if !r.Members[i].verify(answerKind, a.statement(), a.Signature) {
		return nil, column.Refuse(name, "the signature is not that of %s", column.Quote(a.Helper)).WithHint("Get the file again from that member.")
	}
	return a, nil
}

// KeySum is the sum of the keys of those in an opening, from answers for it.
func (r *Round) KeySum(o Opening, answers []*Answer) ([]int64, error) {
	list := make([]ringlwe.Answer, len(answers))
	for i, a := range answers {
		list[i] = ringlwe.Answer{Helper: r.Index(a.Helper) + 1, Sum: a.Sum}
	}
	_, weights := o.Weights()
	return r.Set().KeySum(list, weights)
}
