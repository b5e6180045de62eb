package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

var one = big.NewInt(1)

// checker holds the key of a file and the workers that compute with it.
type checker struct {
	file, kernel string
	report       Report

	sk        *paillier.SecretKey
	variant   paillier.Variant
	n, n2     *big.Int
	half      *big.Int // (N-1)/2
	p, q      *big.Int
	lambda    *big.Int
	public    *paillier.Encryptor
	owner     *paillier.Encryptor
	decryptor *paillier.Decryptor
	evaluator *paillier.Evaluator
	encrypted []encryption // entries of "encrypt", to which others refer
	inputs    []encryption // entries of "multiexp_inputs"
}

// encryption is an entry of "encrypt".
type encryption struct {
	v *big.Int // signed
	c *big.Int
}

// keyFileFields gives the names in vector files of fields of key files, which paillier.KeyError names.
var keyFileFields = map[string]string{"n": "N", "variant": "scheme"}

// keyFields lists the fields of a key.
func keyFields(variant paillier.Variant) []string {
	fields := []string{"scheme", "bits", "N", "p", "q", "lam", "mu", "fingerprint"}
	if variant != paillier.Textbook {
		fields = append(fields, "h", "hs", "rbits")
	}
	if variant == paillier.MHL {
		fields = append(fields, "pa", "qa", "alpha", "inv2alpha")
	}
	return fields
}

// key checks a key with all its derived fields, and makes workers for it.
func (c *checker) key(section string, index int, v strictjson.Value) error {
	e, err := newEntry(c.file, section, index, v)
	if err != nil {
		return err
	}
	scheme := e.text("scheme")
	if e.err != nil {
		return e.err
	}
	if err := e.checkFields(keyFields(paillier.Variant(scheme))); err != nil {
		return err
	}
	bits := e.int("bits", 1<<16)
	if e.err != nil {
		return e.err
	}
	file := map[string]any{
		"cipherfold.version": 1, "kind": "secret", "scheme": "paillier", "variant": scheme, "bits": bits,
		"fingerprint": e.text("fingerprint"), "n": e.text("N"), "p": e.text("p"), "q": e.text("q"),
	}
	if bits < 2048 {
		file["test_key"] = true
	}
	c.variant = paillier.Variant(scheme)
	if c.variant != paillier.Textbook {
		file["h"], file["rbits"] = e.text("h"), e.int("rbits", 1<<16)
	}
	if c.variant == paillier.MHL {
		file["pa"], file["qa"] = e.text("pa"), e.text("qa")
	}
	if e.err != nil {
		return e.err
	}
	data, err := json.Marshal(file)
	if err != nil {
		return e.bad("", "%v", err)
	}
	key, err := paillier.ParseKey(data)
	var bad *paillier.KeyError
	if errors.As(err, &bad) {
		field := bad.Field
		if name, ok := keyFileFields[field]; ok {
			field = name
		}
		return e.bad(field, "%v", err)
	}
	if err != nil {
		return e.bad("", "%v", err)
	}
	sk, ok := key.(*paillier.SecretKey)
	if !ok {
		return e.bad("", "not a secret key")
	}
	if err := sk.UseKernel(c.kernel); err != nil {
		return err
	}
	c.use(sk, e)
	c.derived(e)
	return e.err
}

// use takes a key for the sections that follow.
func (c *checker) use(sk *paillier.SecretKey, e *entry) {
	pk := sk.Public()
	c.sk = sk
	c.n, c.p, c.q = new(big.Int).SetBytes(pk.N()), e.hex("p"), e.hex("q")
	c.n2 = new(big.Int).Mul(c.n, c.n)
	c.half = new(big.Int).Rsh(c.n, 1)
	c.public, c.owner = pk.NewEncryptor(), sk.NewEncryptor()
	c.decryptor, c.evaluator = sk.NewDecryptor(), pk.NewEvaluator()
}

// derived checks the fields that follow from others.
func (c *checker) derived(e *entry) {
	x, y := new(big.Int).Sub(c.p, one), new(big.Int).Sub(c.q, one)
	gcd := new(big.Int).GCD(nil, nil, x, y)
	c.lambda = x.Mul(x, y.Div(y, gcd))
	e.expect("lam", c.lambda)
	e.expect("mu", new(big.Int).ModInverse(c.lambda, c.n))
	if c.variant == paillier.Textbook {
		return
	}
	e.expect("hs", new(big.Int).Exp(e.hex("h"), c.n, c.n2))
	if c.variant == paillier.MHL {
		alpha := new(big.Int).Mul(e.hex("pa"), e.hex("qa"))
		e.expect("alpha", alpha)
		e.expect("inv2alpha", new(big.Int).ModInverse(alpha.Lsh(alpha, 1), c.n))
	}
}

// expect compares a hexadecimal field with what it has to be.
func (e *entry) expect(field string, want *big.Int) {
	if got := e.hex(field); e.err == nil && (want == nil || got.Cmp(want) != 0) {
		e.fail(e.bad(field, "computed %.40s...", want.Text(16)))
	}
}

// centre returns the number of least magnitude that is m modulo N.
func (c *checker) centre(m *big.Int) *big.Int {
	v := new(big.Int).Mod(m, c.n)
	if v.Cmp(c.half) > 0 {
		v.Sub(v, c.n)
	}
	return v
}

// plaintexts writes residues modulo N as a batch.
func (c *checker) plaintexts(values []*big.Int) []uint64 {
	limbs := c.sk.Public().PlaintextLimbs()
	m := make([]uint64, limbs*len(values))
	for i, v := range values {
		w := new(big.Int).Mod(v, c.n)
		for k, word := range w.Bits() {
			m[i*limbs+k*bits.UintSize/64] |= uint64(word) << (k * bits.UintSize % 64)
		}
	}
	return m
}

// residues reads a batch of plaintexts.
func (c *checker) residues(m []uint64) []*big.Int {
	limbs := c.sk.Public().PlaintextLimbs()
	out := make([]*big.Int, len(m)/limbs)
	for i := range out {
		out[i] = new(big.Int)
		for k := limbs - 1; k >= 0; k-- {
			out[i].Lsh(out[i], 64)
			out[i].Or(out[i], new(big.Int).SetUint64(m[i*limbs+k]))
		}
	}
	return out
}

// fill writes numbers of size bytes each.
func fill(values []*big.Int, size int) []byte {
	be := make([]byte, size*len(values))
	for i, v := range values {
		v.FillBytes(be[i*size : (i+1)*size])
	}
	return be
}

// ciphertexts writes residues modulo N² as a batch.
func (c *checker) ciphertexts(values []*big.Int) []byte {
	return fill(values, c.sk.Public().CiphertextSize())
}

// batch makes room for n ciphertexts.
func (c *checker) batch(n int) []byte { return make([]byte, n*c.sk.Public().CiphertextSize()) }

// compareBatch compares computed ciphertexts with the field c of entries.
func (c *checker) compareBatch(entries []*entry, got []byte, want []*big.Int, how string) error {
	size := c.sk.Public().CiphertextSize()
	for i, e := range entries {
		if x := new(big.Int).SetBytes(got[i*size : (i+1)*size]); x.Cmp(want[i]) != 0 {
			return e.bad("c", "%s gives %.40s...", how, x.Text(16))
		}
	}
	return nil
}

// opens checks that ciphertexts decrypt to residues, by every way that the key has.
func (c *checker) opens(entries []*entry, ct, want []*big.Int, field string) error {
	batch := c.ciphertexts(ct)
	m := make([]uint64, len(ct)*c.sk.Public().PlaintextLimbs())
	type way struct {
		name    string
		decrypt func([]uint64, []byte) error
	}
	ways := []way{{"Decrypt", c.decryptor.Decrypt}}
	if c.variant == paillier.MHL { // for others they are the same
		ways = append(ways, way{"DecryptFull", c.decryptor.DecryptFull})
	}
	for _, way := range ways {
		err := way.decrypt(m, batch)
		var bad *paillier.CiphertextError
		if errors.As(err, &bad) {
			return entries[bad.Index].bad("c", "%s: %s", way.name, bad.Reason)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", c.file, way.name, err)
		}
		for i, got := range c.residues(m) {
			if got.Cmp(new(big.Int).Mod(want[i], c.n)) != 0 {
				return entries[i].bad(field, "%s gives %.40s...", way.name, c.centre(got))
			}
		}
	}
	return nil
}

// refused turns the error of an operation on the ciphertexts of entries into an Error.
func (c *checker) refused(entries []*entry, err error) error {
	var ciphertext *paillier.CiphertextError
	var random *knownanswer.RandomnessError
	switch {
	case errors.As(err, &ciphertext):
		return entries[ciphertext.Index].bad("c", "%v", err)
	case errors.As(err, &random):
		return entries[random.Index].bad("r", "%v", err)
	}
	return fmt.Errorf("%s: %w", c.file, err)
}
