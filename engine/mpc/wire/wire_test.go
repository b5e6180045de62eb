package wire

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/internal/leaktest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// authority issues certificates for tests.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, cert: cert, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serverName(j int) string { return fmt.Sprintf("server-%d.example", j) }

var testKeys = sync.OnceValue(func() (keys []*paillier.SecretKey) {
	for j := range 3 {
		sk, err := paillier.GenerateKey(context.Background(), mrand.NewChaCha8([32]byte{byte(j), 77}), paillier.DJN, 512, true)
		if err != nil {
			panic(err)
		}
		keys = append(keys, sk)
	}
	return keys
})

// newServers splits columns among three servers.
func newServers(t *testing.T, q *protocol.Query, columns [][]int64, change func(*protocol.Config)) []*protocol.Server {
	t.Helper()
	held := make([]protocol.Columns, q.Servers)
	for _, c := range columns {
		values, s := make([]uint64, len(c)), make([][]uint64, q.Servers)
		for i, x := range c {
			values[i] = uint64(x)
		}
		for j := range s {
			s[j] = make([]uint64, len(c))
		}
		shares.Split(s, values, shares.NewStream())
		for j := range s {
			held[j] = append(held[j], s[j])
		}
	}
	var public []*paillier.PublicKey
	for _, sk := range testKeys() {
		public = append(public, sk.Public())
	}
	var servers []*protocol.Server
	for j, sk := range testKeys() {
		pairs := make([]shares.PairKey, q.Servers)
		for k := range pairs {
			pairs[k] = shares.PairKey{byte(min(j, k)), byte(max(j, k))}
		}
		c := protocol.Config{Query: q, Number: j, Key: sk, Keys: public, Pairs: pairs, Label: []byte("query"), Shares: held[j], Workers: 1, ChunkBytes: 1}
		if change != nil {
			change(&c)
		}
		s, err := protocol.NewServer(c)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, s)
	}
	return servers
}

func testQuery() (*protocol.Query, [][]int64) {
	q := &protocol.Query{Servers: 3, Columns: []protocol.Column{{Name: "x", Bound: 100}, {Name: "y", Bound: 100}}, Pairs: protocol.AllPairs(2), Groups: []int64{5, 0, 4}}
	return q, [][]int64{{1, -2, 3, 100, 5, 6, 7, -8, 9}, {9, 8, 7, -100, 5, 4, 3, 2, 1}}
}

// serve accepts one connection with TLS and gives it to f after checking the name.
func serve(t *testing.T, config *tls.Config, from string, f func(net.Conn) error) (address string, done chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	handle := func() error {
		defer l.Close()
		raw, err := l.Accept()
		if err != nil {
			return err
		}
		conn := tls.Server(raw, config)
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if err := conn.Handshake(); err != nil {
			return err
		}
		if err := CheckName(conn, from); err != nil {
			return err
		}
		return f(conn)
	}
	go func() { done <- handle() }()
	return l.Addr().String(), done
}

// Three servers answer a query over TLS 1.3; the sums are the plain ones.
func TestOverTLS(t *testing.T) {
	defer leaktest.Take().Check(t, "after the test")
	ca := newAuthority(t)
	q, columns := testQuery()
	servers := newServers(t, q, columns, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	later := time.Now().Add(time.Hour)
	var all []chan error
	for a, owner := range servers {
		for _, b := range protocol.Peers(3, a) {
			peer := servers[b]
			address, accepted := serve(t, ServerTLS(ca.issue(t, serverName(b), later), ca.pool, nil), serverName(a), func(c net.Conn) error { return Accept(ctx, c, peer, a) })
			offered := make(chan error, 1)
			go func() {
				conn, err := tls.Dial("tcp", address, ClientTLS(ca.issue(t, serverName(a), later), ca.pool, serverName(b), nil))
				if err == nil {
					if v := conn.ConnectionState().Version; v != tls.VersionTLS13 {
						t.Errorf("TLS version %#x", v)
					}
					err = Offer(ctx, conn, owner, b)
					conn.Close()
				}
				offered <- err
			}()
			all = append(all, accepted, offered)
		}
	}
	for _, c := range all {
		if err := <-c; err != nil {
			t.Fatal(err)
		}
	}
	var results [][]uint64
	for _, s := range servers {
		r, err := s.Result(ctx)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	got, err := protocol.Sums(q, results...)
	if err != nil {
		t.Fatal(err)
	}
	first := int64(0)
	for g, n := range q.Groups {
		for _, p := range q.Pairs {
			want := int64(0)
			for i := first; i < first+n; i++ {
				want += columns[p[0]][i] * columns[p[1]][i]
			}
			if x := got[g].Product(p[0], p[1]); x.Int64() != want {
				t.Errorf("group %d, pair %v: %s, not %d", g, p, x, want)
			}
		}
		first += n
	}
}

// Who shows no certificate, one of another authority, an expired one, or one for another name, is not served.
func TestStrangers(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	for name, client := range map[string]*tls.Config{
		"no certificate":           {MinVersion: tls.VersionTLS13, RootCAs: ca.pool, ServerName: serverName(1)},
		"another authority":        ClientTLS(other.issue(t, serverName(0), later), ca.pool, serverName(1), nil),
		"expired":                  ClientTLS(ca.issue(t, serverName(0), time.Now().Add(-time.Hour)), ca.pool, serverName(1), nil),
		"another name":             ClientTLS(ca.issue(t, serverName(2), later), ca.pool, serverName(1), nil),
		"TLS 1.2":                  {MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue(t, serverName(0), later)}, RootCAs: ca.pool, ServerName: serverName(1)},
		"an unknown server":        ClientTLS(ca.issue(t, serverName(0), later), other.pool, serverName(1), nil),
		"a server of another name": ClientTLS(ca.issue(t, serverName(0), later), ca.pool, serverName(2), nil),
	} {
		address, done := serve(t, ServerTLS(ca.issue(t, serverName(1), later), ca.pool, nil), serverName(0), func(net.Conn) error { return nil })
		conn, err := tls.Dial("tcp", address, client)
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // TLS 1.3 tells a client after its handshake
			conn.Close()
		}
		if served := <-done; served == nil {
			t.Errorf("%s: was served; the client got %v", name, err)
		}
	}
	if err := CheckName(tls.Client(nil, &tls.Config{ServerName: "x"}), "x"); err == nil {
		t.Error("a connection without a handshake has a name")
	}
}

// both runs a direction over a pipe. Each side may be replaced.
func both(t *testing.T, offer, accept func(context.Context, net.Conn) error) (offered, accepted error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = accept(ctx, conn)
			conn.Close()
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	offered = offer(ctx, conn)
	conn.Close()
	return offered, <-done
}

// Servers that were asked different things refuse each other, and both say why.
func TestDisagreement(t *testing.T) {
	q, columns := testQuery()
	servers := newServers(t, q, columns, nil)
	offer := func(ctx context.Context, c net.Conn) error { return Offer(ctx, c, servers[0], 1) }
	for name, change := range map[string]func(*protocol.Config){
		"another label": func(c *protocol.Config) { c.Label = []byte("another") },
		"another query": func(c *protocol.Config) { x := *c.Query; x.Groups = []int64{5, 4, 0}; c.Query = &x },
		"another bound": func(c *protocol.Config) {
			x := *c.Query
			x.Columns = []protocol.Column{{Name: "x", Bound: 7}, x.Columns[1]}
			c.Query = &x
		},
		"a changed key": func(c *protocol.Config) { c.Keys = []*paillier.PublicKey{c.Keys[0], c.Keys[1], c.Keys[1]} },
	} {
		other := newServers(t, q, columns, func(c *protocol.Config) {
			if c.Number == 1 {
				change(c)
			}
		})
		offered, accepted := both(t, offer, func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, other[1], 0) })
		for _, err := range []error{offered, accepted} {
			if err == nil || !strings.Contains(err.Error(), "another query, or knows other keys") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	offered, accepted := both(t, offer, func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, servers[2], 0) })
	if offered == nil || accepted == nil || !strings.Contains(accepted.Error(), "shares of server 0 for server 1, not of 0 for 2") {
		t.Errorf("another server: %v, %v", offered, accepted)
	}
}

// What a broken or hostile other side sends ends in an error that says what it was.
func TestMistakes(t *testing.T) {
	q, columns := testQuery()
	servers := newServers(t, q, columns, nil)
	h := hello{0, 1, servers[0].Digest()}
	send := func(frames ...func(io.Writer)) func(context.Context, net.Conn) error {
		return func(_ context.Context, c net.Conn) error {
			for _, f := range frames {
				f(c)
			}
			c.(*net.TCPConn).CloseWrite()
			_, err := io.Copy(io.Discard, c)
			return err
		}
	}
	frame := func(kind byte, body []byte) func(io.Writer) {
		return func(w io.Writer) { _ = writeFrame(w, kind, body) }
	}
	greeting := frame(frameHello, h.encode())
	long := func(kind byte) func(io.Writer) {
		return func(w io.Writer) { _, _ = w.Write(binary.BigEndian.AppendUint32([]byte{kind}, 1<<31)) }
	}
	for want, f := range map[string]func(context.Context, net.Conn) error{
		"the connection ends: unexpected EOF": send(),
		"another version":                     send(frame(frameHello, []byte{9})),
		"a hello of 1 bytes":                  send(frame(frameHello, []byte{version})),
		"in place of a hello":                 send(frame(frameEnd, nil)),
		"a frame of 2147483648 bytes":         send(greeting, long(frameChunk)),
		"ends within a frame":                 send(greeting, func(w io.Writer) { _, _ = w.Write([]byte{frameChunk, 0, 0, 0, 30, 1}) }),
		"in place of a chunk":                 send(greeting, frame(frameAnswer, nil)),
		"a chunk of 3 bytes":                  send(greeting, frame(frameChunk, []byte{1, 2, 3})),
		"sent 0 records of group 1":           send(greeting, frame(frameEnd, nil)),
		`no more \x1b`:                        send(greeting, frame(frameError, []byte("no more \x1b"))),
		"a frame of 2147483648 bytes:":        send(greeting, long(frameError)),
	} {
		if _, err := both(t, f, func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, servers[1], 0) }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, f := range map[string]func(context.Context, net.Conn) error{
		"in place of answer 1":              send(greeting, frame(frameEnd, nil)),
		"a frame of 2147483648 bytes":       send(greeting, long(frameAnswer)),
		"answered with 3 bytes for group 1": send(greeting, frame(frameAnswer, []byte{1, 2, 3}), frame(frameAnswer, nil), frame(frameAnswer, nil), frame(frameEnd, nil)),
		"in place of the end":               send(greeting, frame(frameAnswer, nil), frame(frameAnswer, nil), frame(frameAnswer, nil), frame(frameAnswer, nil)),
		"disk full":                         send(greeting, frame(frameError, []byte("disk full"))),
	} {
		if err, _ := both(t, func(ctx context.Context, c net.Conn) error { return Offer(ctx, c, servers[0], 1) }, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A side that fails tells the other one why; and a silent other side holds nobody beyond the deadline.
func TestFailures(t *testing.T) {
	defer leaktest.Take().Check(t, "after the test")
	q, columns := testQuery()
	servers := newServers(t, q, columns, func(c *protocol.Config) {
		if c.Number == 1 {
			c.Shares = protocol.Columns{make([]uint64, 1), make([]uint64, 1)}
		}
	})
	offered, accepted := both(t, func(ctx context.Context, c net.Conn) error { return Offer(ctx, c, servers[0], 1) }, func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, servers[1], 0) })
	var remote *RemoteError
	if accepted == nil || !errors.As(offered, &remote) || !strings.Contains(remote.Text, "no shares of records") {
		t.Errorf("the peer fails: %v; the owner hears %v", accepted, offered)
	}
	offered, accepted = both(t, func(ctx context.Context, c net.Conn) error { return Offer(ctx, c, servers[1], 2) }, func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, servers[2], 1) })
	if offered == nil || !errors.As(accepted, &remote) || !strings.Contains(remote.Text, "no shares of records") {
		t.Errorf("the owner fails: %v; the peer hears %v", offered, accepted)
	}
	short := func(f func(context.Context, net.Conn) error) func(context.Context, net.Conn) error {
		return func(ctx context.Context, c net.Conn) error {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			return f(ctx, c)
		}
	}
	start := time.Now()
	offered, _ = both(t, short(func(ctx context.Context, c net.Conn) error { return Offer(ctx, c, servers[0], 1) }), silent)
	if !errors.Is(offered, context.DeadlineExceeded) {
		t.Errorf("a silent peer: %v", offered)
	}
	_, accepted = both(t, silent, short(func(ctx context.Context, c net.Conn) error { return Accept(ctx, c, servers[1], 0) }))
	if !errors.Is(accepted, context.DeadlineExceeded) {
		t.Errorf("a silent owner: %v", accepted)
	}
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("silence held for %v", d)
	}
}

// silent says nothing until the other side closes.
func silent(_ context.Context, c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	return err
}

func TestChunks(t *testing.T) {
	for _, c := range []*protocol.Chunk{
		{Group: 3, First: 1 << 40, Records: 17, Ciphertexts: [][]byte{{1, 2}, nil, {3}}},
		{Group: 0, First: 0, Records: 1},
	} {
		got, err := decodeChunk(encodeChunk(c))
		if err != nil || got.Group != c.Group || got.First != c.First || got.Records != c.Records || len(got.Ciphertexts) != len(c.Ciphertexts) {
			t.Errorf("%+v, %v", got, err)
		}
		for i := range c.Ciphertexts {
			if !bytes.Equal(got.Ciphertexts[i], c.Ciphertexts[i]) {
				t.Errorf("column %d: %v", i, got.Ciphertexts[i])
			}
		}
	}
}

// FuzzChunk: whatever the bytes, a chunk or an error comes out, and a chunk has one form.
func FuzzChunk(f *testing.F) {
	f.Add(encodeChunk(&protocol.Chunk{Group: 1, First: 5, Records: 3, Ciphertexts: [][]byte{{1, 2, 3}, {}}}))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{255}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeChunk(data)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeChunk(c), data) {
			t.Fatalf("%+v has two forms", c)
		}
		again, err := decodeChunk(encodeChunk(c))
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v, then %+v, %v", c, again, err)
		}
	})
}
