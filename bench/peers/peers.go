// Package peers does textbook and DJN Paillier with the libraries that a user could pick instead of this program. It
// works as their users do: one ciphertext at a time, with the library's own exponentiation, and decryption by the
// Chinese remainder theorem. The benchmarks measure against it.
//
// math/big is always there. GMP and OpenSSL need cgo, their headers, and the build tag `peers`; without the tag the
// program contains nothing of them. Where a library offers a faster way that is not constant time, the peer takes it.
package peers

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Op is an operation that every peer can do.
type Op int

// The operations, each on one row of [Rows].
const (
	EncryptTextbook Op = iota // (1+M·N)·R^N mod N²
	EncryptDJN                // (1+M·N)·hs^E mod N², hs = H^N mod N²
	Add                       // A·B mod N²
	Mul64                     // A^S mod N²
	Decrypt                   // the plaintext of A, modulo p² and q²
	SquareMul                 // A·B mod N² without conversions: A·B·R⁻¹ where the library has Montgomery products for users
	SquareSqr                 // A·A mod N², likewise
)

// Library is a peer.
type Library struct {
	Name    string // as results name it: "math/big", "gmp", "openssl"
	Version string
	New     func(Key, Rows) Worker
}

// Libraries lists the peers that this program was built with; math/big comes first.
func Libraries() []Library { return append([]Library{mathBig}, external...) }

// external are the peers behind the build tag.
var external []Library

// Key is a key with its factors: N = P·Q, and the base H of the randomizers of DJN, 1 for a textbook key. All are positive.
type Key struct {
	N, H, P, Q *big.Int
}

// KeyOf returns the numbers of a key of ours, read from its key file.
func KeyOf(sk *paillier.SecretKey) Key {
	var file struct{ N, H, P, Q string }
	if err := json.Unmarshal(sk.MarshalSecret(), &file); err != nil {
		panic(fmt.Sprintf("peers: a key file of ours: %v", err))
	}
	if file.H == "" {
		file.H = "1"
	}
	return Key{fromHex(file.N), fromHex(file.H), fromHex(file.P), fromHex(file.Q)}
}

func fromHex(s string) *big.Int {
	x, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic(fmt.Sprintf("peers: %.40q in a key file of ours", s))
	}
	return x
}

// Rows are the operands, as many of each; every operation takes those of its row. M, R, E are below N, A and B are units
// modulo N², S is below 2^64. Results are kept per row.
type Rows struct {
	M, R, E, A, B, S []*big.Int
}

// Worker computes with one key. It holds its operands in the library's own form, so that no conversion is measured.
// It serves one goroutine at a time.
type Worker interface {
	// Run does n operations: rows 0, 1, and so on, and again from row 0.
	Run(op Op, n int)
	// Result returns the result of the last operation on a row.
	Result(row int) *big.Int
	// Close frees what the library holds.
	Close()
}

// constants are what every peer computes once for each key: for a prime p of N and the other one q, the exponent p-1 and
// the inverse of (p-1)·q mod p that decrypts with it.
type constants struct {
	n, n2, hs *big.Int
	side      [2]sideConstants
	inverse   *big.Int // p⁻¹ mod q
}

type sideConstants struct{ p, p2, exponent, factor *big.Int }

func newConstants(k Key) *constants {
	c := &constants{n: k.N, n2: new(big.Int).Mul(k.N, k.N)}
	c.hs = new(big.Int).Exp(k.H, k.N, c.n2)
	for i, f := range [][2]*big.Int{{k.P, k.Q}, {k.Q, k.P}} {
		p, q := f[0], f[1]
		exponent := new(big.Int).Sub(p, big.NewInt(1))
		factor := new(big.Int).Mul(exponent, q)
		c.side[i] = sideConstants{p, new(big.Int).Mul(p, p), exponent, factor.ModInverse(factor, p)}
	}
	c.inverse = new(big.Int).ModInverse(k.P, k.Q)
	return c
}
