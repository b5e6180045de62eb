package innerproduct

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

func testKey(t testing.TB, variant paillier.Variant, bits int) *paillier.SecretKey {
	t.Helper()
	sk, err := paillier.GenerateKey(context.Background(), rand.NewChaCha8([32]byte{byte(bits), variant[0]}), variant, bits, true)
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

// random returns shares: uniform ones and edge values.
func random(r *rand.Rand, n int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = []uint64{r.Uint64(), r.Uint64(), 0, 1, math.MaxUint64, 1 << 63}[r.IntN(6)]
	}
	return v
}

// sides are two servers with columns x and y.
type sides struct {
	layout shares.Convolution
	owner  *Owner
	peer   *Peer
	size   int
	xa, ya []uint64
	xb, yb []uint64
	cx, cy []byte
}

func newSides(t *testing.T, sk *paillier.SecretKey, r *rand.Rand, n int) *sides {
	t.Helper()
	layout, err := shares.NewConvolution(sk.Public().Bits(), int64(max(n, 1)), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &sides{layout: layout, size: sk.Public().CiphertextSize(), xa: random(r, n), ya: random(r, n), xb: random(r, n), yb: random(r, n)}
	s.owner, s.peer = NewOwner(sk, layout), NewPeer(sk.Public(), layout, []bool{true, false})
	s.cx, s.cy = make([]byte, layout.Ciphertexts(n)*s.size), make([]byte, layout.Ciphertexts(n)*s.size)
	if err := errors.Join(s.owner.Encrypt(s.cx, s.xa), s.owner.Encrypt(s.cy, s.ya)); err != nil {
		t.Fatal(err)
	}
	return s
}

// add adds records from to to of both sums, xx and xy; the cut is at the end of a ciphertext.
func (s *sides) add(t *testing.T, p *Peer, from, to int) {
	t.Helper()
	cut := func(ct []byte) []byte {
		return ct[from/s.layout.Records*s.size : s.layout.Ciphertexts(to)*s.size]
	}
	err := errors.Join(p.AddVarTime(0, Term{cut(s.cx), s.xb[from:to]}),
		p.AddVarTime(1, Term{cut(s.cx), s.yb[from:to]}, Term{cut(s.cy), s.xb[from:to]}))
	if err != nil {
		t.Fatal(err)
	}
}

// sums are the two sums that the sides share after the response.
func (s *sides) sums(t *testing.T) []uint64 {
	t.Helper()
	responses, mine, theirs := make([]byte, 2*s.size), make([]uint64, 2), make([]uint64, 2)
	if err := errors.Join(s.peer.Respond(responses, theirs), s.owner.Open(mine, responses)); err != nil {
		t.Fatal(err)
	}
	shares.Combine(mine, mine, theirs)
	return mine
}

func (s *sides) want() []uint64 {
	return []uint64{2 * shares.Product(s.xa, s.xb), shares.Product(s.xa, s.yb) + shares.Product(s.ya, s.xb)}
}

// Sums agree with those of plain words, for every kernel, variant, and number of records around whole ciphertexts.
func TestInnerProducts(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
		sk := testKey(t, variant, thoroughtest.Pick(1024, 2048))
		for _, kernel := range paillier.Kernels() {
			if !kernel.Available {
				continue
			}
			if err := sk.UseKernel(kernel.Name); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 9))
			for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 50} {
				s := newSides(t, sk, r, n)
				for range 2 { // a worker starts again after its response
					s.add(t, s.peer, 0, n)
					if got := s.sums(t); !slices.Equal(got, s.want()) {
						t.Errorf("%s, %s, %d records: %d, not %d", variant, kernel.Name, n, got, s.want())
					}
				}
			}
		}
	}
}

// Chunks and workers that are merged give the same sums. No chunk at all gives 0.
func TestMerge(t *testing.T) {
	sk := testKey(t, paillier.DJN, 1024)
	s := newSides(t, sk, rand.New(rand.NewPCG(2, 9)), 31)
	if got := s.sums(t); got[0] != 0 || got[1] != 0 {
		t.Errorf("no records: %d", got)
	}
	other := NewPeer(sk.Public(), s.layout, []bool{true, false})
	middle := 5 * s.layout.Records
	s.add(t, s.peer, 0, middle)
	s.add(t, other, middle, 31)
	for range 2 { // what was merged starts again: merging it once more adds nothing
		if err := s.peer.Merge(other); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.sums(t); !slices.Equal(got, s.want()) {
		t.Errorf("%d, not %d", got, s.want())
	}
	if s.peer.Bytes() < int64(len(s.peer.products)) {
		t.Error("Bytes", s.peer.Bytes())
	}
}

// The owner of the key cannot tell a response from its randomness: without fresh randomness, the response modulo N is the
// product of the ciphertexts' powers modulo N, with which a guess of the peer's shares can be tested. The test shows that
// it would see this.
func TestResponseIsFresh(t *testing.T) {
	for _, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
		sk := testKey(t, variant, 1024)
		s := newSides(t, sk, rand.New(rand.NewPCG(3, 9)), 7)
		n := new(big.Int).SetBytes(sk.Public().N())
		guess := big.NewInt(1)
		for b := range s.layout.Ciphertexts(7) {
			e, digits := new(big.Int), make([]uint64, s.layout.Ciphertexts(7))
			for i := range s.layout.Records {
				s.layout.Digits(digits, s.xb, i)
				e.Lsh(e, uint(s.layout.SlotBits)).Add(e, new(big.Int).SetUint64(digits[b]))
			}
			c := new(big.Int).SetBytes(s.cx[b*s.size : (b+1)*s.size])
			guess.Mul(guess, c.Exp(c, e.Lsh(e, 1), n)).Mod(guess, n)
		}
		residue := func(respond func(dst []byte, theirs []uint64) error) *big.Int {
			s.add(t, s.peer, 0, 7)
			dst := make([]byte, 2*s.size)
			if err := respond(dst, make([]uint64, 2)); err != nil {
				t.Fatal(err)
			}
			x := new(big.Int).SetBytes(dst[:s.size])
			return x.Mod(x, n)
		}
		one := make([]byte, 2*sk.Public().Bits()/8)
		one[len(one)/2-1], one[len(one)-1] = 1, 1
		masks := make([]uint64, 2*s.layout.Masks()*s.layout.MaskWords())
		stale := residue(func(dst []byte, theirs []uint64) error { return knownanswer.Respond(s.peer, dst, theirs, masks, one) })
		if stale.Cmp(guess) != 0 {
			t.Errorf("%s: the test does not see a response whose randomness is not fresh", variant)
		}
		seen := map[string]bool{guess.String(): true}
		for range 3 {
			x := residue(s.peer.Respond)
			if seen[x.String()] {
				t.Errorf("%s: the randomness of a response is not fresh", variant)
			}
			seen[x.String()] = true
		}
	}
}

// The owner's share is masked: for the same inputs it is another one each time.
func TestSharesAreFresh(t *testing.T) {
	s := newSides(t, testKey(t, paillier.DJN, 1024), rand.New(rand.NewPCG(4, 9)), 4)
	seen := map[uint64]bool{}
	for range 5 {
		s.add(t, s.peer, 0, 4)
		responses, mine, theirs := make([]byte, 2*s.size), make([]uint64, 2), make([]uint64, 2)
		if err := errors.Join(s.peer.Respond(responses, theirs), s.owner.Open(mine, responses)); err != nil {
			t.Fatal(err)
		}
		if seen[mine[0]] || seen[theirs[0]] {
			t.Error("a share comes twice")
		}
		seen[mine[0]], seen[theirs[0]] = true, true
	}
}

// What is no ciphertext is refused on both sides.
func TestRefused(t *testing.T) {
	sk := testKey(t, paillier.DJN, 1024)
	s := newSides(t, sk, rand.New(rand.NewPCG(5, 9)), 7)
	s.xb[s.layout.Records] = 1
	bad := slices.Clone(s.cx)
	copy(bad[s.size:2*s.size], slices.Repeat([]byte{255}, s.size))
	var refused *paillier.CiphertextError
	if err := s.peer.AddVarTime(0, Term{bad, s.xb}); !errors.As(err, &refused) || refused.Index != 1 {
		t.Errorf("a chunk: %v", err)
	}
	if err := s.owner.Open(make([]uint64, 1), make([]byte, s.size)); !errors.As(err, &refused) || refused.Index != 0 {
		t.Errorf("a response: %v", err)
	}
}

// BenchmarkAdd measures a chunk of 4096 ciphertexts of one pair of columns, as servers send them.
func BenchmarkAdd(b *testing.B) {
	for _, bits := range []int{2048, 3072} {
		sk := testKey(b, paillier.DJN, bits)
		layout, err := shares.NewConvolution(bits, 1_000_000, 0)
		if err != nil {
			b.Fatal(err)
		}
		n := 4096 * layout.Records
		x := random(rand.New(rand.NewPCG(6, 9)), n)
		ct := make([]byte, 4096*sk.Public().CiphertextSize())
		if err := NewOwner(sk, layout).Encrypt(ct, x); err != nil {
			b.Fatal(err)
		}
		p := NewPeer(sk.Public(), layout, []bool{false})
		b.Run(sk.Public().Kernel()+"/"+big.NewInt(int64(bits)).String(), func(b *testing.B) {
			for range b.N {
				if err := p.AddVarTime(0, Term{ct, x}, Term{ct, x}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
		})
	}
}
