package receipt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cipherfold/cipherfold/io/column"
)

// payloadType is that of an in-toto statement in a DSSE envelope.
const payloadType = "application/vnd.in-toto+json"

// envelope is a DSSE envelope (github.com/secure-systems-lab/dsse, envelope.md).
type envelope struct {
	Payload     string      `json:"payload"` // base64
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// pae is DSSE's pre-authentication encoding, the bytes that are signed (protocol.md).
func pae(payloadType string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)), payload...)
}

// Sign replaces digests and counts by commitments, checks the receipt and sets its Signer. It returns the receipt and its
// private part, as they are kept in files: each a line of JSON.
func (r *Receipt) Sign(s *Signer) (signed, private []byte, err error) {
	p, err := r.seal()
	if err != nil {
		return nil, nil, fmt.Errorf("receipt: %w", err)
	}
	if signed, err = r.sign(s); err != nil {
		return nil, nil, err
	}
	private, err = p.marshal(r)
	return signed, private, err
}

// sign is Sign without hiding anything.
func (r *Receipt) sign(s *Signer) ([]byte, error) {
	r.Signer = s.Public()
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	x := r.statement()
	payload, err := encodeJSON(&x)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if _, err := readStatement(payload); err != nil { // what could not be verified is not signed
		return nil, fmt.Errorf("receipt: %w", err)
	}
	r.digest = digestOfText(payload)
	text, err := encodeJSON(&envelope{
		Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType,
		Signatures: []signature{{s.Public().ID(), base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, pae(payloadType, payload)))}},
	})
	return append(text, '\n'), err
}

// Parse reads a receipt and checks its signature, by the key `trusted`. If that is nil, it uses the key that the
// receipt names itself: this shows only that nothing was changed since somebody signed it. name is for errors, which
// are *column.InputError.
func Parse(name string, data []byte, trusted *PublicKey) (*Receipt, error) {
	r, err := parse(data, trusted)
	if err != nil {
		var refused *column.InputError
		if errors.As(err, &refused) {
			refused.File = name
			return nil, refused
		}
		return nil, column.Refuse(name, "not a receipt as it was written: %w", err).
			WithHint("The receipt was changed, or is none. Ask whoever made it for a fresh copy.")
	}
	return r, nil
}

func parse(data []byte, trusted *PublicKey) (*Receipt, error) {
	if len(data) > bytesMax {
		return nil, errors.New("it is too large")
	}
	text, ok := bytes.CutSuffix(data, []byte("\n"))
	if !ok {
		return nil, errors.New("it does not end with its one line")
	}
	var e envelope
	if err := decodeJSON(text, &e); err != nil {
		return nil, err
	}
	if e.PayloadType != payloadType {
		return nil, fmt.Errorf("a payload of type %s", column.Quote(e.PayloadType))
	}
	if len(e.Signatures) != 1 {
		return nil, fmt.Errorf("it has %d signatures instead of one", len(e.Signatures))
	}
	strict := base64.StdEncoding.Strict()
	payload, err := strict.DecodeString(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("the payload: %w", err)
	}
	sig, err := strict.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, fmt.Errorf("the signature: %w", err)
	}
	if trusted != nil { // nothing of the payload is looked at before the signature is known to be right
		if err := trusted.check(e.Signatures[0].KeyID, payload, sig); err != nil {
			return nil, err
		}
	}
	r, err := readStatement(payload)
	if err != nil {
		return nil, err
	}
	if err := r.Signer.check(e.Signatures[0].KeyID, payload, sig); err != nil {
		return nil, err
	}
	r.digest = digestOfText(payload)
	return r, nil
}

func digestOfText(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// check checks a signature of the key over a payload.
func (k PublicKey) check(keyID string, payload, sig []byte) error {
	if keyID != k.ID() {
		signed := column.Quote(keyID)
		if isDigest(keyID) {
			signed = keyID
		}
		return column.Refuse("", "signed by the key %s, not by %s", signed, k.ID()).
			WithHint("Give the public key of whoever signed it, or do not trust the receipt.")
	}
	if !ed25519.Verify(k.key, pae(payloadType, payload), sig) {
		return column.Refuse("", "the signature is wrong").WithHint("The receipt was changed after it was signed. Do not trust it.")
	}
	return nil
}
