package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
)

// drainSeconds is how long a side that gives up still reads, so that the other one gets to see why.
const drainSeconds = 2

// Offer is the owner's side of a direction: it sends its encrypted shares, and opens the peer's answer. It ends with ctx,
// and leaves closing the connection to the caller.
func Offer(ctx context.Context, conn net.Conn, s *protocol.Server, peer int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer watch(ctx, conn)()
	h := hello{s.Number, peer, s.Digest()}
	if err := greet(conn, h); err != nil {
		return told(ctx, err)
	}
	answered := make(chan *protocol.Answer, 1)
	go func() { // the peer may refuse a chunk while more are sent
		a, err := readAnswer(conn, s, peer)
		if err != nil {
			cancel(err)
		}
		answered <- a
	}()
	err := s.Send(ctx, func(_ context.Context, c *protocol.Chunk) error { return writeFrame(conn, frameChunk, encodeChunk(c)) })
	if err == nil {
		err = writeFrame(conn, frameEnd, nil)
	}
	if err != nil {
		if ctx.Err() != nil {
			<-answered
			return context.Cause(ctx)
		}
		writeError(conn, err)
		_ = conn.SetReadDeadline(time.Now().Add(drainSeconds * time.Second)) // for what the peer has to say
		<-answered
		var remote *RemoteError
		if errors.As(context.Cause(ctx), &remote) { // it refused, which is why no more could be sent
			return remote
		}
		return err
	}
	a := <-answered
	if a == nil {
		return context.Cause(ctx)
	}
	return s.Open(ctx, peer, a)
}

// told prefers the reason why a context ended to an error that follows from it.
func told(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Accept is the peer's side of a direction: it multiplies what the owner sends with its own shares, and answers. What goes
// wrong here is told the owner. It ends with ctx, and leaves closing the connection to the caller.
func Accept(ctx context.Context, conn net.Conn, s *protocol.Server, owner int) error {
	defer watch(ctx, conn)()
	err := told(ctx, accept(ctx, conn, s, owner))
	var remote *RemoteError
	if err != nil && !errors.As(err, &remote) {
		_ = conn.SetDeadline(time.Now().Add(drainSeconds * time.Second))
		writeError(conn, err)
		_, _ = io.Copy(io.Discard, conn) // to its end: closing sooner could take the error from the other side
	}
	return err
}

func accept(ctx context.Context, conn net.Conn, s *protocol.Server, owner int) error {
	if err := greet(conn, hello{owner, s.Number, s.Digest()}); err != nil {
		return err
	}
	limit := chunkMax(s, owner)
	ended := false
	a, err := s.Answer(ctx, owner, func(context.Context) (*protocol.Chunk, error) {
		if ended {
			return nil, io.EOF
		}
		kind, body, err := readFrame(conn, limit)
		if err != nil {
			return nil, err
		}
		switch {
		case kind == frameChunk:
			return decodeChunk(body)
		case kind == frameEnd && len(body) == 0:
			ended = true
			return nil, io.EOF
		}
		return nil, fmt.Errorf("a frame of kind %q in place of a chunk", kind)
	})
	if err != nil {
		return err
	}
	if !ended { // there were no pairs
		kind, body, err := readFrame(conn, 0)
		if err != nil {
			return err
		}
		if kind != frameEnd || len(body) != 0 {
			return fmt.Errorf("a frame of kind %q in place of the end", kind)
		}
	}
	if len(s.Query.Pairs) > 0 {
		for _, ct := range a.Groups {
			if err := writeFrame(conn, frameAnswer, ct); err != nil {
				return err
			}
		}
	}
	return writeFrame(conn, frameEnd, nil)
}

// readAnswer reads the answers of all groups.
func readAnswer(conn net.Conn, s *protocol.Server, peer int) (*protocol.Answer, error) {
	a := &protocol.Answer{Groups: make([][]byte, len(s.Query.Groups))}
	limit := len(s.Query.Pairs) * s.Key.Public().CiphertextSize()
	groups := len(a.Groups)
	if len(s.Query.Pairs) == 0 {
		groups = 0
	}
	for g := range groups {
		kind, body, err := readFrame(conn, limit)
		if err != nil {
			return nil, err
		}
		if kind != frameAnswer {
			return nil, fmt.Errorf("server %d sent a frame of kind %q in place of answer %d", peer, kind, g+1)
		}
		a.Groups[g] = body
	}
	kind, body, err := readFrame(conn, 0)
	if err != nil {
		return nil, err
	}
	if kind != frameEnd || len(body) != 0 {
		return nil, fmt.Errorf("server %d sent a frame of kind %q in place of the end", peer, kind)
	}
	return a, nil
}

// greet sends this side's hello and checks the other one's. Both fit the buffers of any connection.
func greet(conn net.Conn, own hello) error {
	if err := writeFrame(conn, frameHello, own.encode()); err != nil {
		return err
	}
	kind, body, err := readFrame(conn, 1<<10)
	if err != nil {
		return err
	}
	if kind != frameHello {
		return fmt.Errorf("a frame of kind %q in place of a hello", kind)
	}
	return own.check(body)
}

// chunkMax bounds the frames of chunks of an owner: what this server would send itself, or one ciphertext of each column.
func chunkMax(s *protocol.Server, owner int) int {
	columns := len(s.Query.Columns)
	return chunkHead + 4*columns + max(s.ChunkBytes, columns*s.Keys[owner].CiphertextSize())
}

// watch makes reads and writes of a connection fail when ctx ends. The function that it returns ends the watch.
func watch(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}
