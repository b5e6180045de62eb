package peers_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

const rows = 5

// TestPeersAgreeWithUs lets every peer that this test was built with encrypt, add, multiply and decrypt the same numbers,
// with the same randomness, as our own kernels: the results must be the same numbers. That is what makes a ratio of their
// speeds mean anything.
func TestPeersAgreeWithUs(t *testing.T) {
	for _, bits := range []int{1024, 1152} {
		for _, library := range peers.Libraries() {
			t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(library.Name, "/", "-"), bits), func(t *testing.T) {
				djn := newCase(t, paillier.DJN, bits)
				textbook := newCase(t, paillier.Textbook, bits)
				w := library.New(peers.KeyOf(djn.sk), djn.in)
				defer w.Close()
				ct, other := djn.encrypt(djn.in.M, djn.in.E), djn.encrypt(djn.in.B, djn.in.E)
				expect(t, w, peers.EncryptDJN, djn.numbers(ct, djn.pk.CiphertextSize()))

				djn.in.A, djn.in.B = djn.numbers(ct, djn.pk.CiphertextSize()), djn.numbers(other, djn.pk.CiphertextSize())
				w = library.New(peers.KeyOf(djn.sk), djn.in)
				defer w.Close()
				sum, product := make([]byte, len(ct)), make([]byte, len(ct))
				evaluator := djn.pk.NewEvaluator()
				djn.must(evaluator.Fold(sum, ct, other))
				expect(t, w, peers.Add, djn.numbers(sum, djn.pk.CiphertextSize()))
				djn.must(evaluator.MulEach(product, ct, paillier.BigScalars(djn.in.S)))
				expect(t, w, peers.Mul64, djn.numbers(product, djn.pk.CiphertextSize()))
				expect(t, w, peers.Decrypt, djn.in.M)

				v := library.New(peers.KeyOf(textbook.sk), textbook.in)
				defer v.Close()
				expect(t, v, peers.EncryptTextbook, textbook.numbers(textbook.encrypt(textbook.in.M, textbook.in.R), textbook.pk.CiphertextSize()))
			})
		}
	}
}

// TestWindowsAgreeWithUs does the same for the peers that encrypt from a table.
func TestWindowsAgreeWithUs(t *testing.T) {
	if len(peers.WindowsPeers())+1 != len(peers.Libraries()) {
		t.Errorf("%d peers with tables, %d libraries: all but math/big have one", len(peers.WindowsPeers()), len(peers.Libraries()))
	}
	for _, bits := range []int{1024, 1152} {
		for _, peer := range peers.WindowsPeers() {
			t.Run(fmt.Sprintf("%s/%d", peer.Name, bits), func(t *testing.T) {
				c := newCase(t, paillier.DJN, bits)
				ct := c.numbers(c.encrypt(c.in.M, c.in.E), c.pk.CiphertextSize())
				w := peer.New(peers.KeyOf(c.sk), c.in)
				defer w.Close()
				w.Encrypt(rows + 1)
				for i, x := range ct {
					if got := w.Result(i); got.Cmp(x) != 0 {
						t.Errorf("row %d: %x, we get %x", i, got, x)
					}
				}
				if want := int64((bits/2+9)/10) << 10 * int64(bits/4); w.TableBytes() != want {
					t.Errorf("a table of %d bytes, want %d", w.TableBytes(), want)
				}
			})
		}
	}
}

// expect runs an operation on all rows and one row more, and compares the results.
func expect(t *testing.T, w peers.Worker, op peers.Op, want []*big.Int) {
	t.Helper()
	w.Run(op, rows+1)
	for i, x := range want {
		if got := w.Result(i); got.Cmp(x) != 0 {
			t.Errorf("operation %d, row %d: %x, we get %x", op, i, got, x)
		}
	}
}

// testCase is a key with plaintexts and randomness, 0 and the greatest ones among them.
type testCase struct {
	t  *testing.T
	sk *paillier.SecretKey
	pk *paillier.PublicKey
	in peers.Rows
}

func newCase(t *testing.T, variant paillier.Variant, bits int) *testCase {
	sk, err := paillier.GenerateKey(context.Background(), nil, variant, bits, true)
	if err != nil {
		t.Fatal(err)
	}
	c := &testCase{t: t, sk: sk, pk: sk.Public()}
	n := new(big.Int).SetBytes(c.pk.N())
	random := rand.NewChaCha8([32]byte{1})
	below := func(limit *big.Int) *big.Int {
		b := make([]byte, len(limit.Bytes())+8)
		random.Read(b)
		x := new(big.Int).SetBytes(b)
		return x.Mod(x, limit)
	}
	power := func(k uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), k) }
	for range rows {
		c.in.M, c.in.B = append(c.in.M, below(n)), append(c.in.B, below(n))
		c.in.R = append(c.in.R, below(n))
		c.in.E = append(c.in.E, below(power(uint(bits/2))))
		c.in.S = append(c.in.S, below(power(64)))
	}
	top := func(limit *big.Int) *big.Int { return limit.Sub(limit, big.NewInt(1)) }
	c.in.M[0], c.in.M[1] = new(big.Int), top(new(big.Int).Set(n))
	c.in.R[0], c.in.R[1] = big.NewInt(1), top(new(big.Int).Set(n))
	c.in.E[0], c.in.E[1] = new(big.Int), top(power(uint(bits/2)))
	c.in.S[0], c.in.S[1], c.in.S[2] = new(big.Int), top(power(64)), big.NewInt(1)
	c.in.A = c.in.M // until there are ciphertexts
	return c
}

func (c *testCase) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCase) encrypt(m, r []*big.Int) []byte {
	c.t.Helper()
	limbs, size := c.pk.PlaintextLimbs(), knownanswer.RandomSize(c.pk)
	words, random := make([]uint64, rows*limbs), make([]byte, rows*size)
	for i := range rows {
		be := m[i].FillBytes(make([]byte, limbs*8))
		for k := range limbs {
			for j := range 8 {
				words[i*limbs+k] |= uint64(be[len(be)-1-8*k-j]) << (8 * j)
			}
		}
		r[i].FillBytes(random[i*size : (i+1)*size])
	}
	ct := make([]byte, rows*c.pk.CiphertextSize())
	c.must(knownanswer.Encrypt(c.pk.NewEncryptor(), ct, words, random))
	return ct
}

func (c *testCase) numbers(be []byte, size int) []*big.Int {
	var list []*big.Int
	for i := 0; i < len(be); i += size {
		list = append(list, new(big.Int).SetBytes(be[i:i+size]))
	}
	return list
}
