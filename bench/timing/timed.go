package timing

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// timed is an operation whose time is measured for inputs of two classes. An input is a string of bytes.
type timed struct {
	bench.TimingCheck
	size   int                       // of an input
	fixed  []byte                    // the input of the one class; nil: it is random as in the other one
	random func(inputs []byte) error // fills many inputs of the other class, one after the other
	load   func(input []byte)        // brings an input to where run takes it from, before the clock starts
	run    func()
}

// The exponents of exp and exp-vartime: of full length with long keys, shorter ones with short keys, so that a million
// measurements take a minute.
const shortExponentBytes = 16

// lanes is how many residues the kernels of vector instructions compute on side by side.
var lanes = map[string]int{"ifma": 8, "fma512": 8, "fma": 4}

// subjects are the operations to be measured with keys of one size and one kernel.
func (o *Options) subjects(ctx context.Context, bits int, kernel bigmod.Implementation) ([]*timed, error) {
	rows := 1
	if n := lanes[kernel.Name]; n > 0 {
		rows = n
	}
	list, err := residueSubjects(bits, rows, kernel)
	if err != nil {
		return nil, err
	}
	for _, variant := range o.Variants {
		sk, err := paillier.GenerateKey(ctx, rand.Reader, variant, bits, true)
		if err != nil {
			return nil, err
		}
		if err := sk.UseKernel(kernel.Name); err != nil {
			return nil, err
		}
		more, err := keySubjects(sk, rows, kernel)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// randomBytes fills inputs that may be any bytes.
func randomBytes(inputs []byte) error {
	paillier.NewRandom().Read(inputs)
	return nil
}

// squareRing is the ring of the square of an odd number, as p² and N² are.
func squareRing(kernel bigmod.Implementation, root []byte) (bigmod.Ring, error) {
	m, err := bigmod.NewModulus(root)
	if err != nil {
		return nil, err
	}
	if kernel.NewSquare != nil {
		return kernel.NewSquare(m), nil
	}
	square, err := m.Square()
	if err != nil {
		return nil, err
	}
	return kernel.New(square), nil
}

// residueSubjects are exponentiations by one exponent, modulo the square of a prime as long as those of a key.
func residueSubjects(bits, rows int, kernel bigmod.Implementation) ([]*timed, error) {
	prime, err := rand.Prime(rand.Reader, bits/2)
	if err != nil {
		return nil, err
	}
	ring, err := squareRing(kernel, prime.Bytes())
	if err != nil {
		return nil, err
	}
	length := shortExponentBytes
	if bits > smallBits {
		length = bits / 16
	}
	x, z := randomResidues(ring, rows), ring.NewVec(rows)
	e := make([]byte, length)
	sameLength := func(inputs []byte) error {
		err := randomBytes(inputs)
		for i := 0; i < len(inputs); i += length {
			inputs[i] |= 0x80
		}
		return err
	}
	odd := func(inputs []byte) error {
		err := sameLength(inputs)
		for i := length - 1; i < len(inputs); i += length {
			inputs[i] |= 1
		}
		return err
	}
	sparse := make([]byte, length) // the exponent with the fewest ones
	sparse[0] = 0x80
	check := func(op, secret, expect string) bench.TimingCheck {
		return bench.TimingCheck{Op: op, Kernel: kernel.Name, Bits: bits, Rows: rows, Secret: secret, Expect: expect}
	}
	what := fmt.Sprintf("exponent of %d bits, 2^%d or random", 8*length, 8*length-1)
	load := func(input []byte) { copy(e, input) }
	list := []*timed{
		{check(bench.OpControl, fmt.Sprintf("exponent of %d bits, random in both", 8*length), bench.ExpectSame), length, nil, sameLength, load, func() { ring.Exp(z, x, e) }},
		{check(bench.OpControlProduct, what+" and odd", bench.ExpectDiffer), length, sparse, odd, load, func() {
			ring.Exp(z, x, e)
			if e[length-1]&1 == 1 {
				ring.Mul(z, z, x)
			}
		}},
		{check(bench.OpExp, what, bench.ExpectSame), length, sparse, sameLength, load, func() { ring.Exp(z, x, e) }},
		{check(bench.OpExpVarTime, what, bench.ExpectDiffer), length, sparse, sameLength, load, func() { ring.ExpVarTime(z, x, e) }},
	}
	inverse, err := inversion(ring, check(bench.OpInverseVarTime, "8 numbers, a 0 among them or random", bench.ExpectDiffer))
	if err != nil {
		return nil, err
	}
	return append(list, inverse), nil
}

// inverseRows is how many numbers are inverted at a time.
const inverseRows = 8

// inversion is what of InverseVarTime varies: the search for a number without inverse, of which a batch of one has none.
func inversion(ring bigmod.Ring, check bench.TimingCheck) (*timed, error) {
	check.Rows = inverseRows
	limbs := ring.Modulus().Limbs()
	words, fixed := make([]uint64, check.Rows*limbs), make([]byte, check.Rows*8*limbs)
	if err := randomBytes(fixed); err != nil {
		return nil, err
	}
	clear(fixed[5*8*limbs : 6*8*limbs])
	x, z := ring.NewVec(check.Rows), ring.NewVec(check.Rows)
	return &timed{
		TimingCheck: check,
		size:        len(fixed),
		fixed:       fixed,
		random:      randomBytes,
		load: func(input []byte) {
			loadWords(words, input)
			ring.SetWide(x, words, limbs)
		},
		run: func() { _ = ring.InverseVarTime(z, x) },
	}, nil
}

func loadWords(words []uint64, input []byte) {
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(input[8*i:])
	}
}

// randomResidues are random numbers in Montgomery form.
func randomResidues(ring bigmod.Ring, rows int) *bigmod.Vec {
	x := ring.NewVec(rows)
	words := make([]uint64, rows*ring.Modulus().Limbs())
	be := make([]byte, 8*len(words))
	paillier.NewRandom().Read(be)
	loadWords(words, be)
	ring.SetWide(x, words, ring.Modulus().Limbs())
	ring.ToMont(x, x)
	return x
}

// keySubjects are the table exponentiations, encryptions and decryption of a DJN or MHL key.
func keySubjects(sk *paillier.SecretKey, rows int, kernel bigmod.Implementation) ([]*timed, error) {
	pk := sk.Public()
	check := func(op, role, secret string) bench.TimingCheck {
		return bench.TimingCheck{Op: op, Kernel: kernel.Name, Variant: string(pk.Variant()), Role: role, Bits: pk.Bits(), Rows: rows, Secret: secret, Expect: bench.ExpectSame}
	}
	var list []*timed
	prime, err := rand.Prime(rand.Reader, pk.Bits()/2)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		role string
		root []byte
		bits int
	}{{bench.RolePublic, pk.N(), pk.RBits()}, {bench.RoleOwner, prime.Bytes(), ownerExponentBits(pk)}} {
		ring, err := squareRing(kernel, side.root)
		if err != nil {
			return nil, err
		}
		base := make([]byte, len(side.root))
		if err := randomBytes(base); err != nil {
			return nil, err
		}
		table := ring.NewTable(base, side.bits)
		size := (side.bits + 7) / 8
		z, e := ring.NewVec(rows), make([]byte, rows*size)
		list = append(list, &timed{
			TimingCheck: check(bench.OpTableExp, side.role, fmt.Sprintf("exponents of %d bits, 0 or random", side.bits)),
			size:        len(e),
			fixed:       make([]byte, len(e)),
			random: func(inputs []byte) error {
				err := randomBytes(inputs)
				shorten(inputs, size, side.bits)
				return err
			},
			load: func(input []byte) { copy(e, input) },
			run:  func() { table.Exp(z, e) },
		})
	}
	secret := "plaintext and randomness, 0 or random"
	list = append(list, encryption(check(bench.OpEncrypt, bench.RolePublic, secret), pk, pk.NewEncryptor()), encryption(check(bench.OpEncrypt, bench.RoleOwner, secret), pk, sk.NewEncryptor()))
	opening, err := decryption(check(bench.OpDecrypt, bench.RoleOwner, "ciphertext, one or random"), sk)
	return append(list, opening), err
}

// ownerExponentBits is the length of the exponents of the owner's tables.
func ownerExponentBits(pk *paillier.PublicKey) int {
	if pk.Variant() == paillier.MHL {
		return pk.RBits()/2 + 1
	}
	return pk.RBits()
}

// shorten limits big-endian numbers of size bytes each to that many bits.
func shorten(numbers []byte, size, bits int) {
	for i := 0; i < len(numbers); i += size {
		numbers[i] &= 0xff >> (8*size - bits)
	}
}

// encryption is the encryption of rows with explicit randomness. An input is the plaintexts in words, then the random
// numbers.
func encryption(check bench.TimingCheck, pk *paillier.PublicKey, encryptor *paillier.Encryptor) *timed {
	m, r := make([]uint64, check.Rows*pk.PlaintextLimbs()), make([]byte, check.Rows*knownanswer.RandomSize(pk))
	ct := make([]byte, check.Rows*pk.CiphertextSize())
	size := 8*len(m) + len(r)
	return &timed{
		TimingCheck: check,
		size:        size,
		fixed:       make([]byte, size),
		random: func(inputs []byte) error {
			err := randomBytes(inputs)
			for i := 0; i < len(inputs); i += size {
				for k := 8*pk.PlaintextLimbs() - 1; k < 8*len(m); k += 8 * pk.PlaintextLimbs() {
					inputs[i+k] &= 0x7f // below N, whose top bit is set
				}
				shorten(inputs[i+8*len(m):i+size], knownanswer.RandomSize(pk), pk.RBits())
			}
			return err
		},
		load: func(input []byte) {
			loadWords(m, input)
			copy(r, input[8*len(m):])
		},
		run: func() {
			if err := knownanswer.Encrypt(encryptor, ct, m, r); err != nil {
				panic(fmt.Sprintf("bench: explicit plaintext and randomness within their ranges: %v", err))
			}
		},
	}
}

// decryption is the decryption of rows. An input is the ciphertexts.
func decryption(check bench.TimingCheck, sk *paillier.SecretKey) (*timed, error) {
	pk := sk.Public()
	encryptor, decryptor := sk.NewEncryptor(), sk.NewDecryptor()
	ct, m := make([]byte, check.Rows*pk.CiphertextSize()), make([]uint64, check.Rows*pk.PlaintextLimbs())
	t := &timed{
		TimingCheck: check,
		size:        len(ct),
		fixed:       make([]byte, len(ct)),
		random: func(inputs []byte) error {
			plain := make([]uint64, len(inputs)/pk.CiphertextSize()*pk.PlaintextLimbs())
			be := make([]byte, 8*len(plain))
			if err := randomBytes(be); err != nil {
				return err
			}
			loadWords(plain, be)
			for i := pk.PlaintextLimbs() - 1; i < len(plain); i += pk.PlaintextLimbs() {
				plain[i] >>= 1 // below N, whose top bit is set
			}
			return encryptor.Encrypt(inputs, plain)
		},
		load: func(input []byte) { copy(ct, input) },
		run: func() {
			if err := decryptor.Decrypt(m, ct); err != nil {
				panic(fmt.Sprintf("bench: what we encrypted does not open: %v", err))
			}
		},
	}
	// Encryptions of 0, the same in all measurements.
	return t, encryptor.Encrypt(t.fixed, make([]uint64, len(m)))
}
