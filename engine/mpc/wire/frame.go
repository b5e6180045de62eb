package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/internal/printable"
)

// version of the frames. A server refuses any other.
const version = 1

// Kinds of frames.
const (
	frameHello  = 'H'
	frameChunk  = 'C'
	frameEnd    = 'E'
	frameAnswer = 'A'
	frameError  = 'X'

	frameQuery     = 'Q' // first frames: of a user,
	frameDirection = 'D' // of another server,
	framePass      = 'P' // of the server before, in a retrieval,
	frameCall      = 'K' // of anybody
	frameHead      = 'U'
	frameValues    = 'V'
	frameResult    = 'R'
	framePart      = 'T'
)

const (
	helloBytes  = 1 + 2 + 2 + 32
	chunkHead   = 4 + 8 + 4 + 2
	errorMax    = 1000
	frameHeader = 5
)

// RemoteError is what the other side says went wrong there.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// writeFrame writes a frame in one piece.
func writeFrame(w io.Writer, kind byte, body []byte) error {
	frame := make([]byte, frameHeader, frameHeader+len(body))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(body)))
	_, err := w.Write(append(frame, body...))
	return err
}

// readFrame reads a frame whose body has at most limit bytes. An error of the other side is a *RemoteError.
func readFrame(r io.Reader, limit int) (kind byte, body []byte, err error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("the connection ends: %w", err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if head[0] == frameError {
		limit = errorMax
	}
	if int64(n) > int64(limit) {
		return 0, nil, fmt.Errorf("a frame of %d bytes: at most %d are possible here", n, limit)
	}
	body, err = io.ReadAll(io.LimitReader(r, int64(n))) // takes no more memory than has come
	if err == nil && len(body) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, nil, fmt.Errorf("the connection ends within a frame: %w", err)
	}
	if head[0] == frameError {
		return 0, nil, &RemoteError{printable.Escape(string(body))}
	}
	return head[0], body, nil
}

// writeError tells the other side what went wrong here.
func writeError(w io.Writer, err error) {
	text := err.Error()
	_ = writeFrame(w, frameError, []byte(text[:min(len(text), errorMax)])) // the connection is given up anyway
}

// hello is the first frame of both sides.
type hello struct {
	owner, peer int
	digest      [32]byte
}

func (h hello) encode() []byte {
	b := []byte{version}
	b = binary.BigEndian.AppendUint16(b, uint16(h.owner))
	b = binary.BigEndian.AppendUint16(b, uint16(h.peer))
	return append(b, h.digest[:]...)
}

// check compares the other side's hello with this side's.
func (h hello) check(body []byte) error {
	switch {
	case len(body) == 0 || body[0] != version:
		return fmt.Errorf("the other server speaks another version of the protocol than %d", version)
	case len(body) != helloBytes:
		return fmt.Errorf("a hello of %d bytes, not %d", len(body), helloBytes)
	}
	owner, peer := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if owner != h.owner || peer != h.peer {
		return fmt.Errorf("the other server is about shares of server %d for server %d, not of %d for %d", owner, peer, h.owner, h.peer)
	}
	if [32]byte(body[5:]) != h.digest {
		return fmt.Errorf("the other server was asked another query, or knows other keys of the servers")
	}
	return nil
}

func encodeChunk(c *protocol.Chunk) []byte {
	n := chunkHead
	for _, ct := range c.Ciphertexts {
		n += 4 + len(ct)
	}
	b := make([]byte, 0, n)
	b = binary.BigEndian.AppendUint32(b, uint32(c.Group))
	b = binary.BigEndian.AppendUint64(b, uint64(c.First))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Records))
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Ciphertexts)))
	for _, ct := range c.Ciphertexts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(ct)))
		b = append(b, ct...)
	}
	return b
}

// decodeChunk reads a chunk; whether it is the right one is for protocol.Server to say.
func decodeChunk(b []byte) (*protocol.Chunk, error) {
	if len(b) < chunkHead {
		return nil, fmt.Errorf("a chunk of %d bytes", len(b))
	}
	first := binary.BigEndian.Uint64(b[4:])
	c := &protocol.Chunk{Group: int(binary.BigEndian.Uint32(b)), First: int64(first & (1<<63 - 1)), Records: int(binary.BigEndian.Uint32(b[12:]))}
	columns := int(binary.BigEndian.Uint16(b[16:]))
	if first>>63 != 0 || columns > protocol.ColumnsMax {
		return nil, fmt.Errorf("a chunk of %d columns from record %d", columns, first)
	}
	b = b[chunkHead:]
	for i := range columns {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
			return nil, fmt.Errorf("a chunk that ends within column %d of %d", i+1, columns)
		}
		n := int(binary.BigEndian.Uint32(b))
		c.Ciphertexts = append(c.Ciphertexts, b[4:4+n:4+n])
		b = b[4+n:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("a chunk with %d bytes behind its end", len(b))
	}
	return c, nil
}
