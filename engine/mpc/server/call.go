package server

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/internal/strictjson"
)

// Calls to a server.
const (
	CallState  = 'S' // of anybody: State as JSON
	CallHold   = 'H' // of a gateway: a batch, see EncodeHold
	CallHeld   = 'C' // of a gateway: all servers hold a batch; Held as JSON
	CallBackup = 'B' // of the server's own certificate: a copy of the store
)

// State is what a server tells everybody.
type State struct {
	Name       string       `json:"name"`
	Servers    []string     `json:"servers"`
	Attributes []Attribute  `json:"attributes"`
	Sources    []HeldSource `json:"sources"`
}

// HeldSource is how many batches of a source a server holds.
type HeldSource struct {
	Name string `json:"name"`
	Held uint64 `json:"held"`
	All  uint64 `json:"all"`
}

// Held says that all servers hold the batches of a source up to a number.
type Held struct {
	Source string `json:"source"`
	Number uint64 `json:"number"`
}

// EncodeHold is the body of a call to hold a batch: how many batches all servers hold and the length of the head, as varints,
// the head, and this server's shares.
func EncodeHold(held uint64, head, shares []byte) []byte {
	b := make([]byte, 0, len(head)+len(shares)+2*binary.MaxVarintLen64)
	b = binary.AppendUvarint(b, held)
	b = binary.AppendUvarint(b, uint64(len(head)))
	return append(append(b, head...), shares...)
}

func decodeHold(b []byte) (*store.Batch, error) {
	held, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, fmt.Errorf("a batch of %d bytes", len(b))
	}
	length, m := binary.Uvarint(b[n:])
	if m <= 0 || length > uint64(len(b)-n-m) {
		return nil, fmt.Errorf("a batch that ends too early")
	}
	head := b[n+m:]
	batch, err := store.ParseBatch(head[:length], head[length:])
	if err != nil {
		return nil, err
	}
	batch.Held = held
	return batch, batch.Check()
}

// call answers a call.
func (s *Server) call(ctx context.Context, peer *x509.Certificate, method byte, body []byte, send func([]byte) error) error {
	who, err := access.IdentityOf(peer)
	if err != nil {
		return err
	}
	refuse := func(err error) error {
		s.noteRefusal(ctx, access.Entry{Event: access.Refused, Role: who.Role, User: who.Name, Certificate: peer.SerialNumber.Text(16), Reason: err.Error()})
		return err
	}
	switch method {
	case CallState:
		state, err := s.State(ctx)
		if err != nil {
			return err
		}
		text, err := json.Marshal(state)
		if err != nil {
			return err
		}
		return send(text)
	case CallHold, CallHeld:
		if who.Role != access.Gateway {
			return refuse(fmt.Errorf("a %s may not store readings", who.Role))
		}
		if method == CallHold {
			return s.hold(ctx, who, body, refuse)
		}
		var h Held
		if err := strictjson.Decode(body, &h); err != nil {
			return err
		}
		if err := ownSource(who, h.Source); err != nil {
			return refuse(err)
		}
		return s.store.Held(ctx, h.Source, h.Number)
	case CallBackup:
		if who.Role != access.Server || who.Name != s.config.Name {
			return refuse(fmt.Errorf("only the server itself gets a backup, not %s", who))
		}
		w := bufio.NewWriterSize(sender(send), 1<<20)
		if err := s.store.Backup(ctx, w); err != nil {
			return err
		}
		return w.Flush()
	}
	return fmt.Errorf("a call of kind %q: this server is of another version", method)
}

// ownSource refuses sources of other gateways.
func ownSource(who access.Identity, source string) error {
	if !strings.HasPrefix(source, who.Name+"/") {
		return fmt.Errorf("the source %q is not one of %s", source, who)
	}
	return nil
}

// hold stores a batch. refuse notes a refusal.
func (s *Server) hold(ctx context.Context, who access.Identity, body []byte, refuse func(error) error) error {
	b, err := decodeHold(body)
	if err != nil {
		return err
	}
	if err := ownSource(who, b.Source); err != nil {
		return refuse(err)
	}
	if err := s.gate.CheckMade(b.Made); err != nil {
		return refuse(err)
	}
	for i := range b.Series {
		if a, ok := s.attributes[b.Series[i].Attribute]; !ok || a.Unit != b.Series[i].Unit {
			return fmt.Errorf("there is no attribute %q in %s", b.Series[i].Attribute, b.Series[i].Unit)
		}
	}
	if err := s.store.Hold(ctx, b); err != nil {
		return err
	}
	s.metrics.batches.Inc()
	s.metrics.readings.Add(float64(b.Readings()))
	return nil
}

// State is what the server tells everybody.
func (s *Server) State(ctx context.Context) (*State, error) {
	sources, err := s.store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	state := &State{Name: s.config.Name, Servers: s.config.names(), Attributes: s.config.Attributes, Sources: []HeldSource{}}
	for _, x := range sources {
		state.Sources = append(state.Sources, HeldSource(x))
	}
	return state, nil
}

// sender is a writer whose writes are parts of a response.
type sender func([]byte) error

func (s sender) Write(p []byte) (int, error) {
	if err := s(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
