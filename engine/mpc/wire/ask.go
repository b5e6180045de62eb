package wire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
)

// User is who asks.
type User struct {
	Names     []string // of all servers
	Addresses []string
	Party
}

// Reply is what a server says to a query.
type Reply struct {
	Head   []byte
	Words  []uint64 // of sums
	Values [][]byte // ciphertexts of consecutive values, 4096 of them in each but the last; from the last server only
}

// NewLabel makes a label for a query, which is used once.
func NewLabel() (label [32]byte) {
	rand.Read(label[:]) // never fails
	return label
}

// Ask asks all servers a query and returns their replies. An error names the first server that failed; a refusal is a
// *RemoteError.
func (u *User) Ask(ctx context.Context, label [32]byte, text []byte) ([]Reply, error) {
	if len(u.Names) < 2 || len(u.Names) != len(u.Addresses) {
		return nil, fmt.Errorf("a query to %d servers with %d addresses", len(u.Names), len(u.Addresses))
	}
	first := append(label[:], text...)
	replies, errs := make([]Reply, len(u.Names)), make([]error, len(u.Names))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for j := range u.Names {
		group.Go(func() {
			if errs[j] = u.askOne(ctx, j, first, &replies[j]); errs[j] != nil {
				time.AfterFunc(graceTimeout, cancel) // others may know better why
			}
		})
	}
	group.Wait()
	return replies, u.first(errs)
}

// graceTimeout is how long a user still listens to servers when one has failed.
const graceTimeout = 2 * time.Second

// first chooses the error to report: rather a reason than that the query has ended.
func (u *User) first(errs []error) error {
	var found error
	for _, consequence := range []bool{false, true} {
		for j, err := range errs {
			if err == nil || found != nil || !consequence && (errors.Is(err, context.Canceled) || strings.Contains(err.Error(), errEnded.Error())) {
				continue
			}
			found = fmt.Errorf("%s: %w", u.Names[j], err)
		}
	}
	return found
}

// valuesBytesMax bounds what a user takes from a server in a retrieval.
const valuesBytesMax = 1 << 30

// askOne asks one server.
func (u *User) askOne(ctx context.Context, j int, query []byte, r *Reply) error {
	d := tls.Dialer{Config: ClientTLS(u.Certificate, u.Roots, u.Names[j], u.Check)}
	conn, err := d.DialContext(ctx, "tcp", u.Addresses[j])
	if err != nil {
		return err
	}
	defer conn.Close()
	defer watch(ctx, conn)()
	if err := writeFrame(conn, frameQuery, query); err != nil {
		return told(ctx, err)
	}
	headed, bytes := false, 0
	for {
		kind, body, err := readFrame(conn, 8*protocol.ResultsMax)
		if err != nil {
			return told(ctx, err)
		}
		switch {
		case kind == frameHead && !headed:
			headed, r.Head = true, body
		case kind == frameValues && headed:
			if bytes += len(body); bytes > valuesBytesMax {
				return fmt.Errorf("more than %d bytes of values", valuesBytesMax)
			}
			r.Values = append(r.Values, body)
		case kind == frameResult && headed && len(body)%8 == 0:
			for ; len(body) > 0; body = body[8:] {
				r.Words = append(r.Words, binary.BigEndian.Uint64(body))
			}
			return nil
		default:
			return fmt.Errorf("a frame of kind %q and %d bytes, which is out of place", kind, len(body))
		}
	}
}
