package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
)

// ValuesInFrame is how many values travel in a frame, of the last one fewer.
const ValuesInFrame = 4096

// pass is the part of this server in a retrieval.
func (n *Node) pass(ctx context.Context, user net.Conn, s *session, label [labelBytes]byte, server *protocol.Server, opened *Opened) error {
	last := len(n.Names) - 1
	worker, err := protocol.NewRetrieval(opened.Key, len(n.Names))
	if err != nil {
		return err
	}
	var before net.Conn
	if n.Number > 0 {
		select {
		case p := <-s.passed:
			defer close(p.done)
			before = p.conn
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer watch(ctx, before)()
		if err := greet(before, hello{n.Number - 1, n.Number, server.Digest()}); err != nil {
			err = fmt.Errorf("%s: %w", n.Names[n.Number-1], told(ctx, err))
			writeError(before, err)
			return err
		}
	}
	next := user
	if n.Number < last {
		if next, err = n.dial(ctx, framePass, label, n.Number+1); err != nil {
			return fmt.Errorf("%s: %w", n.Names[n.Number+1], err)
		}
		defer next.Close()
		defer watch(ctx, next)()
		if err := greet(next, hello{n.Number, n.Number + 1, server.Digest()}); err != nil {
			return fmt.Errorf("%s: %w", n.Names[n.Number+1], told(ctx, err))
		}
	}
	err = opened.release()
	if err == nil && n.Number == last {
		err = n.head(user, opened)
	}
	if err == nil {
		err = n.passValues(ctx, worker, before, next, user, opened)
	}
	if err != nil {
		if before != nil {
			writeError(before, err)
		}
		return told(ctx, err)
	}
	if n.Number == last {
		return writeFrame(user, frameResult, nil)
	}
	// The next server says when it has all: until then this one must not close the connection.
	kind, _, err := readFrame(next, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Names[n.Number+1], told(ctx, err))
	}
	if kind != frameEnd {
		return fmt.Errorf("%s sent a frame of kind %q in place of the end", n.Names[n.Number+1], kind)
	}
	if err := n.head(user, opened); err != nil {
		return err
	}
	return writeFrame(user, frameResult, nil)
}

// passValues adds this server's shares to what comes from before, and sends it on.
func (n *Node) passValues(ctx context.Context, worker *protocol.Retrieval, before, next, user net.Conn, opened *Opened) error {
	total := int64(0)
	for _, g := range opened.Query.Groups {
		total += g
	}
	shares := make([]uint64, min(total, ValuesInFrame))
	for first := int64(0); first < total; first += ValuesInFrame {
		words := shares[:min(ValuesInFrame, total-first)]
		if err := opened.Shares.Read(ctx, words, 0, first); err != nil {
			return err
		}
		var message []byte
		if before != nil {
			kind, body, err := readFrame(before, worker.Size(len(words)))
			if err != nil {
				return err
			}
			if kind != frameValues {
				return fmt.Errorf("a frame of kind %q in place of values", kind)
			}
			message = body
		}
		message, err := worker.Add(message, words)
		if err != nil {
			return err
		}
		if next == user {
			_ = user.SetDeadline(time.Now().Add(resultTimeout))
		}
		if err := writeFrame(next, frameValues, message); err != nil {
			return err
		}
	}
	if before != nil {
		return writeFrame(before, frameEnd, nil)
	}
	return nil
}

// errNoCalls is what a node without calls answers.
var errNoCalls = errors.New("this server answers no calls")
